"""Writing with librdkafka: everything is acknowledged by all replicas, or the worker ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import confluent_kafka

from streams.data_plane.effects import Produced
from streams.data_plane.failures import PlaneFailure, Unavailable
from streams.data_plane.settings import PlaneSettings

_BREATH_EVERY = 500
_FULL_S = 0.05
_FLUSH_S = 0.2

_T = TypeVar("_T")


class Outbox:
    """Takes the records of an epoch slice by slice and has them all acknowledged at its end.

    librdkafka sends while later slices are still being collected. Records that wait in its queue expire well
    before the session could end. ``check`` raises when we may no longer write (fencing); after a failure the queue
    is thrown away. Whatever may block runs on a thread of its own.
    """

    def __init__(self, settings: PlaneSettings, check: Callable[[], None]) -> None:
        self._check = check
        self._timeout_s = settings.message_timeout_s
        self._errors: list[str] = []
        self._closed = False
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="plane-outbox")
        self._producer = confluent_kafka.Producer(
            settings.librdkafka(
                {
                    "acks": "all",
                    "enable.idempotence": True,
                    "partitioner": "murmur2_random",
                    "linger.ms": 1,
                    "message.max.bytes": 16 * 1024 * 1024,  # its topic judges how large a record may be
                    "batch.num.messages": 10_000,
                    "message.timeout.ms": int(self._timeout_s * 1000),
                    "queue.buffering.max.messages": settings.produce_queue_max_messages,
                    "queue.buffering.max.kbytes": settings.produce_queue_max_kbytes,
                    "delivery.report.only.error": True,
                    "allow.auto.create.topics": False,
                }
            )
            | {"on_delivery": self._on_delivery, "error_cb": self._on_error}
        )

    async def enqueue(self, records: Sequence[Produced]) -> None:
        """Hand records to librdkafka; returns when it has taken them all.

        Raises ``Unavailable`` when a record is refused or the queue stays full, or ``Fenced``.
        """
        self._raise_errors()
        done = 0
        while done < len(records):
            some = records[done : done + _BREATH_EVERY]
            taken = self._took(some)
            done += taken
            if taken < len(some):
                await self._drained()
            elif done < len(records):
                await asyncio.sleep(0)

    async def acknowledged(self) -> None:
        """Return when everything taken was acknowledged. Raises ``Unavailable`` if anything was not."""
        await self._blocking(self._flush)

    def purge(self) -> None:
        """Throw away what is queued or in flight; nothing can be written any more."""
        self._closed = True
        self._producer.purge(in_queue=True, in_flight=True, blocking=False)

    def close(self) -> None:
        """Stop the thread; everything that was accepted has been acknowledged or purged by now."""
        self._closed = True
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _on_delivery(self, error: confluent_kafka.KafkaError | None, message: confluent_kafka.Message) -> None:
        if error is not None:
            self._errors.append(f"{message.topic()}[{message.partition()}]: {error.str()}")

    def _on_error(self, error: confluent_kafka.KafkaError) -> None:
        if error.fatal():
            self._errors.append(f"fatal: {error.str()}")

    def _took(self, records: Sequence[Produced]) -> int:
        """How many of the records librdkafka had room for, from the first on."""
        if self._closed:
            raise PlaneFailure("the worker has failed and writes nothing any more")
        produce = self._producer.produce
        taken, topic = 0, ""
        try:
            for topic, partition, key, value, headers, timestamp_ms in records:
                where = -1 if partition is None else partition
                if headers is None and not timestamp_ms:
                    # Nearly every record; by position it costs half as much.
                    produce(topic, value, key, where)
                else:
                    marks = cast("list[tuple[str, str | bytes | None]] | None", headers)
                    produce(topic, value, key, where, headers=marks, timestamp=timestamp_ms or 0)
                taken += 1
        except BufferError:
            return taken
        except confluent_kafka.KafkaException as error:
            raise Unavailable(f"{topic}: record refused: {error.args[0].str()}") from error
        return taken

    async def _drained(self) -> None:
        """Return when records left librdkafka's queue. What is in it expires, so this ends."""
        deadline = time.monotonic() + 2 * self._timeout_s
        while not await self._blocking(self._producer.poll, _FULL_S):
            self._check()
            self._raise_errors()
            if time.monotonic() > deadline:
                raise Unavailable("the queue of records to be written stayed full")

    def _flush(self) -> None:
        deadline = time.monotonic() + 2 * self._timeout_s
        while self._producer.flush(_FLUSH_S):
            self._raise_errors()
            if time.monotonic() > deadline:
                raise Unavailable(f"{len(self._producer)} records were not acknowledged in time")
        self._raise_errors()

    async def _blocking(self, function: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    def _raise_errors(self) -> None:
        if self._errors:
            raise Unavailable(f"{len(self._errors)} records were not accepted, first: {self._errors[0]}")
