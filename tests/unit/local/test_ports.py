"""Ports of the loopback: free ones are found, busy ones are named."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator

import pytest

from streams.local.errors import PortBusy
from streams.local.ports import LOOPBACK, Occupant, free_port, occupant, require_free

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says which program listens")


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert occupant(port) is None
    with socket.create_server((LOOPBACK, port)):
        assert occupant(port) is not None
    assert occupant(port) is None


def test_a_port_is_not_given_twice_before_anybody_listens_on_it() -> None:
    given = [free_port() for _ in range(1_000)]
    assert len(set(given)) == len(given)


def test_ports_do_not_run_out() -> None:
    assert all(free_port() for _ in range(7_000))


def test_a_free_port_is_not_one_that_outgoing_connections_get() -> None:
    assert all(port < 32_768 for port in (free_port() for _ in range(50)))


@linux
def test_a_busy_port_is_named_with_pid_and_program(taken: int) -> None:
    found = occupant(taken)
    assert found is not None
    assert found.pid == os.getpid()
    assert "python" in str(found)


@linux
def test_a_program_that_listens_on_all_addresses_is_named_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        found = occupant(server.getsockname()[1])
    assert found is not None
    assert found.pid == os.getpid()


def test_a_busy_port_is_refused_with_what_to_do(taken: int) -> None:
    with pytest.raises(PortBusy, match=rf"port {taken} for Kafka is taken by .*--kafka-port"):
        require_free(taken, "Kafka", "--kafka-port")


def test_an_occupant_that_the_system_does_not_name_is_still_reported() -> None:
    assert "does not say" in str(Occupant(None, None))
