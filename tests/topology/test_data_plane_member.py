"""The group member of a worker that has failed: it joins no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.data_plane import member
from streams.data_plane.failures import Unavailable
from streams.data_plane.member import MemberThread


class Coordinator:
    """What ``on_start`` finds in aiokafka's consumer."""

    def __init__(self) -> None:
        self.joined = 0

    async def _do_heartbeat(self) -> bool:
        return True

    async def _send_req(self, request: Any) -> Any:
        return request

    def reset_generation(self) -> None:
        """Nothing to forget."""

    async def ensure_active_group(self, subscription: Any, previous: Any) -> str:
        self.joined += 1
        return f"assignment after {previous}"


@pytest.fixture
async def coordinator(monkeypatch: pytest.MonkeyPatch) -> tuple[Coordinator, SimpleNamespace]:
    async def started(thread: AIOKafkaConsumerThread) -> None:
        """Connects to nothing."""

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", started)
    monkeypatch.setattr(member, "_ENDING_S", 0.001)
    found, plane = Coordinator(), SimpleNamespace(failure=None, membership=None)
    thread: Any = MemberThread.__new__(MemberThread)
    thread.consumer = SimpleNamespace(app=None)
    thread.app = SimpleNamespace(plane=plane)
    thread._consumer = SimpleNamespace(_coordinator=found)
    await thread.on_start()
    return found, plane


class Consumer:
    """aiokafka's consumer, whose broker is out for its first starts."""

    stopped = 0

    async def stop(self) -> None:
        Consumer.stopped += 1


def starting(monkeypatch: pytest.MonkeyPatch, failing: int, startup_s: float) -> tuple[Any, list[int]]:
    starts: list[int] = []

    async def started(thread: Any) -> None:
        starts.append(1)
        thread._consumer = Consumer()
        if len(starts) <= failing:
            raise KafkaConnectionError("Unable to bootstrap")
        thread._consumer = SimpleNamespace(_coordinator=Coordinator())

    monkeypatch.setattr(AIOKafkaConsumerThread, "on_start", started)
    monkeypatch.setattr(AIOKafkaConsumerThread, "should_stop", False)
    monkeypatch.setattr(member, "_CONNECT_AGAIN_S", 0.001)
    monkeypatch.setattr(Consumer, "stopped", 0)
    thread: Any = MemberThread.__new__(MemberThread)
    thread.consumer = SimpleNamespace(app=None)
    thread.app = SimpleNamespace(plane=SimpleNamespace(settings=SimpleNamespace(startup_s=startup_s)))
    return thread, starts


async def test_a_broker_that_is_out_at_the_start_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, starts = starting(monkeypatch, failing=2, startup_s=60.0)
    await thread.on_start()
    assert (len(starts), Consumer.stopped) == (3, 2)


async def test_a_broker_that_stays_out_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, starts = starting(monkeypatch, failing=10_000, startup_s=0.01)
    with pytest.raises(Unavailable, match="Unable to bootstrap"):
        await thread.on_start()
    assert Consumer.stopped == len(starts)


async def test_a_worker_that_works_joins(coordinator: tuple[Any, SimpleNamespace]) -> None:
    found, _ = coordinator
    assert await found.ensure_active_group("topics", "before") == "assignment after before"


async def test_a_worker_that_is_ending_joins_no_more(coordinator: tuple[Any, SimpleNamespace]) -> None:
    found, plane = coordinator
    plane.failure = RuntimeError("fenced")
    assert await found.ensure_active_group("topics", "before") is None
    assert found.joined == 0
