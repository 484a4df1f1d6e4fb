"""Whether a Kafka-compatible broker answers, asked the way its users will ask."""

from __future__ import annotations

import socket

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient


def listens(address: str, timeout_s: float = 0.5) -> bool:
    """Whether somebody accepts a TCP connection at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=timeout_s).close()
    except OSError:
        return False
    return True


def answers_metadata(bootstrap: str, timeout_s: float = 2.0) -> bool:
    """Whether a metadata request is answered with at least one broker within `timeout_s`."""
    # A look at the socket first: librdkafka waits longer before it tries a refused connection again.
    if not listens(bootstrap):
        return False
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, "allow.auto.create.topics": False})
    try:
        return bool(client.list_topics(timeout=timeout_s).brokers)
    except KafkaException:
        return False
