package atstream.peers;

import java.nio.file.Path;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueBytesStoreSupplier;
import org.apache.kafka.streams.state.Stores;

/**
 * Kafka Streams as a side of the comparison: totals of shipments per SKU, coalesced for each commit by the record
 * cache. The environment variables are those of benchmarks/peers/README.md; side.toml explains the settings.
 */
public final class Side {

    private static final String STORE = "totals";

    private Side() {
    }

    /** Runs until SIGTERM. */
    public static void main(String[] arguments) throws Exception {
        KafkaStreams streams = new KafkaStreams(topology(), settings());
        CountDownLatch over = new CountDownLatch(1);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) {
                over.countDown();
            }
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        over.await();
        System.exit(1);
    }

    private static Topology topology() throws Exception {
        Serde<byte[]> sku = Serdes.ByteArray();
        Serde<Shipment> shipment = Shipment.serde(Path.of(System.getenv("BENCH_SCHEMA")));
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(System.getenv("BENCH_TOPIC"), Consumed.with(sku, shipment))
            .groupByKey(Grouped.with(sku, shipment))
            .aggregate(
                () -> Totals.NONE,
                (key, each, totals) -> totals.with(each),
                Materialized.<byte[], Totals>as(store()).withKeySerde(sku).withValueSerde(Totals.stored())
                    .withCachingEnabled())
            .toStream()
            .to(System.getenv("BENCH_OUT"), Produced.with(sku, Totals.published()));
        return builder.build();
    }

    private static KeyValueBytesStoreSupplier store() {
        String kind = variable("BENCH_STORE", "memory");
        return switch (kind) {
            case "memory" -> Stores.inMemoryKeyValueStore(STORE);
            case "rocksdb" -> Stores.persistentKeyValueStore(STORE);
            default -> throw new IllegalArgumentException("BENCH_STORE is memory or rocksdb, not " + kind);
        };
    }

    private static Properties settings() {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, System.getenv("BENCH_GROUP"));
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("BENCH_BOOTSTRAP"));
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("BENCH_STATE_DIR"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, variable("BENCH_THREADS", "1"));
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
            variable("BENCH_GUARANTEE", StreamsConfig.AT_LEAST_ONCE));
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, variable("BENCH_COMMIT_MS", "100"));
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 256L << 20);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG),
            variable("BENCH_SESSION_MS", "10000"));
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 1 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "none");
        return settings;
    }

    private static String variable(String name, String otherwise) {
        String value = System.getenv(name);
        return value == null || value.isEmpty() ? otherwise : value;
    }
}
