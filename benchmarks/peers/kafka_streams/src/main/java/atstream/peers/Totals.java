package atstream.peers;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** Units, newest time (microseconds) and number of the shipments of one SKU. */
record Totals(long units, long newest, long events) {

    static final Totals NONE = new Totals(0, 0, 0);

    Totals with(Shipment shipment) {
        return new Totals(units + shipment.units(), Math.max(newest, shipment.occurredAt()), events + 1);
    }

    /** How the state store and its changelog keep totals: three longs. */
    static Serde<Totals> stored() {
        return Serdes.serdeFrom(
            (topic, totals) -> totals == null ? null : ByteBuffer.allocate(24)
                .putLong(totals.units).putLong(totals.newest).putLong(totals.events).array(),
            (topic, bytes) -> {
                if (bytes == null) {
                    return null;
                }
                ByteBuffer longs = ByteBuffer.wrap(bytes);
                return new Totals(longs.getLong(), longs.getLong(), longs.getLong());
            });
    }

    /** How the output topic has them: JSON, as every side writes it. */
    static Serde<Totals> published() {
        Serializer<Totals> json = (topic, totals) ->
            ("{\"units\":" + totals.units + ",\"newest\":" + totals.newest + ",\"events\":" + totals.events + "}")
                .getBytes(StandardCharsets.US_ASCII);
        Deserializer<Totals> none = (topic, bytes) -> {
            throw new UnsupportedOperationException("outputs are not read here");
        };
        return Serdes.serdeFrom(json, none);
    }
}
