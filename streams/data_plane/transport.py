"""The transport ``plane://``: our consumer and fetcher, a producer that refuses, Faust's conductor.

Relies on Faust: ``Transport.Consumer`` / ``Producer`` / ``Fetcher`` class attributes, ``TRANSPORTS.aliases``.
"""

from __future__ import annotations

from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers.aiokafka import Transport

from streams.data_plane.consumer import PlaneConsumer
from streams.data_plane.fetcher import PlaneFetcher
from streams.data_plane.writer import RefusingProducer

SCHEME = "plane"


class PlaneTransport(Transport):
    """Batch transport."""

    Consumer = PlaneConsumer
    Producer = RefusingProducer
    Fetcher = PlaneFetcher


def register() -> None:
    """Make ``plane://host:port`` known to Faust."""
    TRANSPORTS.aliases[SCHEME] = f"{PlaneTransport.__module__}:{PlaneTransport.__qualname__}"


def broker_url(bootstrap_servers: str) -> str:
    """Faust's spelling of a list of bootstrap servers."""
    return ";".join(f"{SCHEME}://{server.strip()}" for server in bootstrap_servers.split(","))
