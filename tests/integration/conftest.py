"""The real parts that the suite starts for itself, once a session, on free loopback ports.

`kafka` and `embedded` are bootstrap addresses, `redis_server` and `registry` are URLs. They are shared: a test
names its topics, groups, subjects and keys so that no other test meets them (`unique`), and never stops or pauses
them. A test that does has its own instance from `streams.local`.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.local import embedded as embedded_broker
from streams.local import jars
from streams.local import redis as local_redis
from streams.local.embedded import EmbeddedBroker
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from streams.local.registry.daemon import LocalRegistry

JAR_CACHE = Path(__file__).resolve().parents[2] / ".atstream" / "kafka"


@pytest.fixture(scope="session")
def jar_cache() -> Path:
    """Where Kafka's jars are kept between runs; skips where no real Kafka can be run."""
    reason = jars.missing()
    if reason is not None:
        pytest.skip(f"needs a real Apache Kafka: {reason}")
    jars.resolve(JAR_CACHE)
    return JAR_CACHE


@pytest.fixture(scope="session")
def kafka(jar_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a real Apache Kafka. Topics are not created by using them."""
    broker = LocalKafka(tmp_path_factory.mktemp("kafka"), jar_cache=jar_cache)
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of the embedded broker."""
    reason = embedded_broker.missing()
    if reason is not None:
        pytest.skip(f"needs the embedded broker: {reason}")
    broker = EmbeddedBroker(tmp_path_factory.mktemp("embedded"))
    broker.start()
    yield broker.bootstrap
    broker.stop()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis-compatible server."""
    reason = local_redis.missing()
    if reason is not None:
        pytest.skip(f"needs a Redis-compatible server: {reason}")
    server = LocalRedis(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a schema registry (Confluent's REST interface)."""
    server = LocalRegistry(tmp_path_factory.mktemp("registry"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """Names that no other test of this session uses: `unique("orders")` -> `orders-1234-1`."""
    numbers = itertools.count(1)
    return lambda name: f"{name}-{os.getpid()}-{next(numbers)}"
