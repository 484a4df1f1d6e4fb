"""What a sink writes: acknowledgements, its positions, dead letters. Acknowledged by all replicas, or it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import confluent_kafka

from agents.ports import Outgoing
from connectors.channels.delivery import Answer
from connectors.channels.positions import ATTEMPT
from domain.facts import Acknowledgement
from schemas.codec import Encoder
from schemas.topics import CHANNEL_ACKS, sink_positions_topic
from streams.data_plane.failures import Unavailable


class Ledger:
    """Writes from a thread of its own. What cannot be written within ``timeout_s`` is given up: the sink ends.

    ``timeout_s`` must be shorter than the group's session, so that a position written late by a sink that lost its
    partitions cannot follow the rows of its successor by long.
    """

    def __init__(
        self,
        client: Mapping[str, str | int | float | bool],
        channel: str,
        acknowledgements: Encoder,
        timeout_s: float,
    ) -> None:
        self._encoder = acknowledgements
        self._positions = sink_positions_topic(channel).name
        self._timeout_s = timeout_s
        self._errors: list[str] = []
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sink-ledger")
        properties: dict[str, Any] = {
            **client,
            "acks": "all",
            "enable.idempotence": True,
            # Java clients' partitioner: an acknowledgement must reach the partition of its listing.
            "partitioner": "murmur2_random",
            "linger.ms": 1,
            "message.max.bytes": 16 * 1024 * 1024,  # its topic judges how large a record may be
            "message.timeout.ms": int(timeout_s * 1000),
            "allow.auto.create.topics": False,
            "delivery.report.only.error": True,
            "on_delivery": self._on_delivery,
        }
        self._producer = confluent_kafka.Producer(properties)

    async def acknowledge(self, answers: Sequence[Answer]) -> None:
        """Write answers to ``channel-acks`` and remember them as positions; returns when they are durable.

        Raises ``Unavailable`` when the broker did not take all of them in time.
        """
        await self.write([record for answer in answers for record in self._records(answer)])

    async def write_down(self, answers: Sequence[Answer]) -> None:
        """Write words on attempts, beside the positions and under keys of their own. Raises as ``acknowledge``."""
        records = (self._position(answer) for answer in answers)
        await self.write([record._replace(key=ATTEMPT + (record.key or b"")) for record in records])

    async def repeat(self, acknowledgements: Sequence[Acknowledgement]) -> None:
        """Write acknowledgements again whose positions are known. Raises as ``acknowledge``."""
        await self.write([self._acknowledgement(one) for one in acknowledgements])

    async def write(self, records: Iterable[Outgoing]) -> None:
        """Write records; returns when they are durable. Raises as ``acknowledge``."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._write, list(records))

    def close(self) -> None:
        """Stop the thread; whatever was accepted has been acknowledged or given up by now."""
        self._executor.shutdown(wait=True)

    def _records(self, answer: Answer) -> tuple[Outgoing, Outgoing]:
        position = self._position(answer)
        return position._replace(topic=CHANNEL_ACKS.name, partition=None), position

    def _position(self, answer: Answer) -> Outgoing:
        # A position is an acknowledgement, byte for byte.
        record = self._acknowledgement(answer.acknowledgement)
        return record._replace(topic=self._positions, partition=answer.partition)

    def _acknowledgement(self, one: Acknowledgement) -> Outgoing:
        fields = one._asdict() | {"event_id": f"ack-{one.channel}-{one.listing}-{one.publish_seq}"}
        return Outgoing(CHANNEL_ACKS.name, None, one.listing.encode(), self._encoder.encode(fields))

    def _on_delivery(self, error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        if error is not None:
            self._errors.append(f"{message.topic()}[{message.partition()}]: {error.str()}")

    def _write(self, records: list[Outgoing]) -> None:
        deadline = time.monotonic() + 2 * self._timeout_s
        for record in records:
            self._enqueue(record, deadline)
        while self._producer.flush(0.2):
            if time.monotonic() > deadline:
                raise Unavailable(f"{len(self._producer)} records of the sink were not acknowledged in time")
        if self._errors:
            raise Unavailable(f"{len(self._errors)} records of the sink were refused, first: {self._errors[0]}")

    def _enqueue(self, record: Outgoing, deadline: float) -> None:
        while True:
            try:
                self._producer.produce(
                    record.topic,
                    value=record.value,
                    key=record.key,
                    partition=-1 if record.partition is None else record.partition,
                    headers=list(record.headers or ()),
                    timestamp=record.timestamp_ms or 0,
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise Unavailable("the sink's queue of records to write stayed full") from None
                self._producer.poll(0.05)
            except confluent_kafka.KafkaException as error:
                raise Unavailable(f"{record.topic}: record refused: {error.args[0].str()}") from error
            else:
                return
