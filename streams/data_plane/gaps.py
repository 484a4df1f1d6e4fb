"""Proof that the log really has no records between two offsets."""

from __future__ import annotations

import time

import confluent_kafka
from confluent_kafka import KafkaError, TopicPartition
from faust.types import TP

from streams.data_plane.settings import PlaneSettings

_TIMEOUT_S = 15.0


def gap_is_proven(settings: PlaneSettings, tp: TP, expected: int, found: int) -> bool:
    """Read again from ``expected`` with a fresh client; blocking.

    True when the log still begins at or before ``expected`` (nothing was deleted by retention) and has no record
    before ``found``: what is missing was compacted away or is a transaction marker. False when records are
    there, or when nothing could be shown within 15 s.
    """
    consumer = confluent_kafka.Consumer(
        settings.librdkafka(
            {
                "group.id": settings.app_id,  # required by the client, never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 50,
            }
        )
    )
    try:
        low, _ = consumer.get_watermark_offsets(TopicPartition(tp.topic, tp.partition), timeout=_TIMEOUT_S)
        if low > expected:
            return False
        consumer.assign([TopicPartition(tp.topic, tp.partition, expected)])
        deadline = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is None:
                continue
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                offset = message.offset()
                return offset is not None and offset >= found
            if not error.retriable():
                return False
        return False
    finally:
        consumer.close()


def holes(first: int, offsets: list[int]) -> list[tuple[int, int]]:
    """Pairs (expected, found) of every hole before and between offsets in ascending order."""
    missing = []
    expected = first
    for offset in offsets:
        if offset != expected:
            missing.append((expected, offset))
        expected = offset + 1
    return missing
