package atstream.peers;

import java.io.IOException;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** What a shipment says of its SKU: units, and when they left (microseconds). */
record Shipment(long units, long occurredAt) {

    private static final int FRAME = 5; // magic byte 0 and a 4-byte schema id

    /** Reads Confluent-framed Avro completely, as every side does, and keeps the two fields. */
    static Serde<Shipment> serde(Path schemaFile) throws IOException {
        Schema schema = new Schema.Parser().parse(schemaFile.toFile());
        return Serdes.serdeFrom((topic, shipment) -> {
            throw new UnsupportedOperationException("shipments are not written here");
        }, reader(schema));
    }

    /** One reader for each thread: record and decoder are used again for every message. */
    private static Deserializer<Shipment> reader(Schema schema) {
        GenericData data = new GenericData();
        data.setFastReaderEnabled(true);
        int quantity = schema.getField("quantity").pos();
        int occurredAt = schema.getField("occurred_at").pos();
        ThreadLocal<Reading> readings = ThreadLocal.withInitial(() -> new Reading(schema, data));
        return (topic, bytes) -> {
            GenericRecord record = readings.get().read(bytes);
            return new Shipment((Long) record.get(quantity), (Long) record.get(occurredAt));
        };
    }

    private static final class Reading {
        private final DatumReader<GenericRecord> reader;
        private BinaryDecoder decoder;
        private GenericRecord record;

        Reading(Schema schema, GenericData data) {
            reader = new GenericDatumReader<>(schema, schema, data);
        }

        GenericRecord read(byte[] bytes) {
            if (bytes.length <= FRAME || bytes[0] != 0) {
                throw new SerializationException("not in the wire format: the first byte must be 0, then a schema id");
            }
            try {
                decoder = DecoderFactory.get().binaryDecoder(bytes, FRAME, bytes.length - FRAME, decoder);
                record = reader.read(record, decoder);
                return record;
            } catch (IOException error) {
                throw new SerializationException("the Avro body cannot be read with the schema", error);
            }
        }
    }
}
