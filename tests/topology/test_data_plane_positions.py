"""Committed offsets, while the coordinator of the group is not ready to tell them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import GroupAuthorizationFailedError, GroupLoadInProgressError, NotCoordinatorForGroupError
from aiokafka.protocol.commit import OffsetFetchResponse_v1, OffsetFetchResponse_v3
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from streams.data_plane.positions import require_answer

PLACE = TopicPartition("order-released", 0)
FOUND = OffsetFetchResponse_v3(0, [("order-released", [(0, 42, "", 0)])], 0)
NOTHING_COMMITTED = OffsetFetchResponse_v3(0, [("order-released", [(0, -1, "", 0)])], 0)


class Coordinator:
    """aiokafka's own way of asking, with a broker that answers from a list."""

    fetch_committed_offsets = GroupCoordinator.fetch_committed_offsets
    _do_fetch_commit_offsets = GroupCoordinator._do_fetch_commit_offsets

    def __init__(self, *answers: Any, checked: bool = True) -> None:
        self.group_id = "atstream"
        self._retry_backoff_ms = 1
        self._answers = list(answers)
        self._checked = checked
        self.lost = 0

    async def ensure_coordinator_known(self) -> None:
        """It is known at once."""

    def coordinator_dead(self) -> None:
        self.lost += 1

    async def _send_req(self, request: Any) -> Any:
        answer = self._answers.pop(0)
        return require_answer(request, answer, self.coordinator_dead) if self._checked else answer


def refusal(code: int) -> OffsetFetchResponse_v3:
    return OffsetFetchResponse_v3(0, [], code)


async def test_a_coordinator_that_is_loading_is_asked_again() -> None:
    coordinator = Coordinator(refusal(GroupLoadInProgressError.errno), FOUND)
    assert await coordinator.fetch_committed_offsets([PLACE]) == {PLACE: OffsetAndMetadata(42, "")}
    assert coordinator.lost == 0


async def test_another_coordinator_is_looked_for() -> None:
    coordinator = Coordinator(refusal(NotCoordinatorForGroupError.errno), FOUND)
    assert await coordinator.fetch_committed_offsets([PLACE]) == {PLACE: OffsetAndMetadata(42, "")}
    assert coordinator.lost == 1


async def test_what_cannot_heal_is_raised() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await Coordinator(refusal(GroupAuthorizationFailedError.errno)).fetch_committed_offsets([PLACE])


async def test_nothing_committed_is_an_answer() -> None:
    assert await Coordinator(NOTHING_COMMITTED).fetch_committed_offsets([PLACE]) == {}


async def test_aiokafka_alone_takes_a_refusal_for_nothing_committed() -> None:
    """Why this is needed; when it fails, aiokafka has learned it, and ``positions`` may go."""
    refused = refusal(GroupLoadInProgressError.errno)
    assert await Coordinator(refused, checked=False).fetch_committed_offsets([PLACE]) == {}


def test_other_answers_pass_as_they_are() -> None:
    answer = SimpleNamespace(error_code=27)
    assert require_answer(object(), answer, lambda: None) is answer
    first = OffsetFetchResponse_v1([("order-released", [(0, 42, "", 0)])])
    assert require_answer(object(), first, lambda: None) is first
