"""The cluster of a round: broker with a second door for the workers, registry, Redis, topics, schemas, policy."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.policies import policy_of
from schemas.records import avro_record_of
from schemas.times import iso
from streams.local import ports
from streams.local.kafka import LocalKafka
from streams.local.redis import LocalRedis
from streams.local.registry.daemon import LocalRegistry
from streams.operations import schema_registration, topic_plan
from streams.operations.producing import RecordProducer
from streams.operations.snapshot import client_of
from streams.settings import Settings, load_settings
from streams.worker.codecs import registry_of
from streams.worker.state import now_us

LOOPBACK = ports.LOOPBACK
_HEAP_MB = 384


class Stage:
    """Everything that is there before a worker starts. ``workers_port`` is where the proxy must listen.

    The broker tells clients that come through its second door to come back to ``workers_port``, so that all
    traffic of the workers, and nobody else's, goes through the proxy.
    """

    def __init__(self, directory: Path, jar_cache: Path, partitions: int, channels: tuple[str, ...]) -> None:
        self.workers_port = ports.free_port()
        self.door = ports.free_port()
        port, controller = ports.free_port(), ports.free_port()
        self.kafka = LocalKafka(
            directory / "kafka",
            port=port,
            controller_port=controller,
            jar_cache=jar_cache,
            heap_mb=_HEAP_MB,
            settings={
                "listeners": ",".join(
                    f"{name}://{LOOPBACK}:{number}"
                    for name, number in (("PLAINTEXT", port), ("WORKERS", self.door), ("CONTROLLER", controller))
                ),
                "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port},WORKERS://{LOOPBACK}:{self.workers_port}",
                "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,WORKERS:PLAINTEXT,CONTROLLER:PLAINTEXT",
                "log.cleaner.enable": "false",  # every row is evidence
            },
        )
        self.registry = LocalRegistry(directory / "registry")
        self.redis = LocalRedis(directory / "redis")
        self._partitions = partitions
        self._channels = channels
        self.policies: list[Mapping[str, Any]] = []
        """Every policy document published so far."""

    @property
    def settings(self) -> Settings:
        """Settings of whoever goes past the proxy."""
        return load_settings(
            kafka={"bootstrap_servers": self.kafka.bootstrap},
            registry={"url": self.registry.url},
            topics={"partitions": self._partitions, "channels": self._channels},
        )

    def open(self, policy: Mapping[str, Any]) -> None:
        """Start everything and carry out the deploy steps."""
        others = threading.Thread(target=self._start_others)
        others.start()
        self.kafka.start()
        others.join()
        settings = self.settings
        admin = topic_plan.admin_client(settings)
        steps = topic_plan.plan(admin, topic_plan.wanted_topics(settings))
        conflicts = topic_plan.apply(admin, steps, replication=1)
        assert conflicts == []
        topics = schema_registration.registered_topics(self._channels)
        standings = schema_registration.register(registry_of(settings), topics)
        assert all(each.state == schema_registration.REGISTERED for each in standings), standings
        self.publish(policy)

    def _start_others(self) -> None:
        self.registry.start()
        self.redis.start()

    def publish(self, policy: Mapping[str, Any]) -> None:
        """Put a policy in force."""
        policy_of(policy)  # refuse a mistake of the harness here
        version = len(self.policies) + 1
        line = {
            "type": "availability-policy",
            "scope": "global",
            "version": version,
            "document": dict(policy),
            "event_id": f"policy-{version}",
            "source": "chaos",
            "occurred_at": iso(now_us()),
        }
        settings = self.settings
        with RecordProducer(client_of(settings), registry_of(settings), timeout_s=60) as producer:
            producer.produce(avro_record_of(line))
        self.policies.append(policy)

    def close(self) -> None:
        """Stop everything, frozen parts too."""
        for server in (self.kafka, self.registry, self.redis):
            server.kill()
