"""The group member of a worker that has failed: it joins no more."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from streams.data_plane import member
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


async def test_a_worker_that_works_joins(coordinator: tuple[Any, SimpleNamespace]) -> None:
    found, _ = coordinator
    assert await found.ensure_active_group("topics", "before") == "assignment after before"


async def test_a_worker_that_is_ending_joins_no_more(coordinator: tuple[Any, SimpleNamespace]) -> None:
    found, plane = coordinator
    plane.failure = RuntimeError("fenced")
    assert await found.ensure_active_group("topics", "before") is None
    assert found.joined == 0
