"""Offsets of partitions that have no leader at the moment: asked for again, and not for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from faust.types import TP

from streams.data_plane import changelog
from streams.data_plane.failures import Unavailable

HERE, MOVING = TP("topic", 0), TP("topic", 1)


class Cluster:
    """Answers what it is given, partition by partition; the last answer for ever."""

    def __init__(self, answers: Mapping[TP, list[int]]) -> None:
        self._answers = {tp: deque(each) for tp, each in answers.items()}
        self.asked: list[set[TP]] = []

    def list_offsets(
        self, wanted: Mapping[TopicPartition, object], request_timeout: float
    ) -> dict[TopicPartition, Future[Any]]:
        self.asked.append({TP(each.topic, each.partition) for each in wanted})
        return {each: self._answer(TP(each.topic, each.partition)) for each in wanted}

    def list_topics(self, timeout: float) -> Any:
        there = SimpleNamespace(partitions={tp.partition: None for tp in self._answers})
        return SimpleNamespace(topics={"topic": there})

    def _answer(self, tp: TP) -> Future[Any]:
        answers = self._answers[tp]
        told = answers.popleft() if len(answers) > 1 else answers[0]
        answer: Future[Any] = Future()
        if told < 0:
            answer.set_exception(KafkaException(KafkaError(-told)))
        else:
            answer.set_result(SimpleNamespace(offset=told))
        return answer


NO_LEADER = -KafkaError.NOT_LEADER_FOR_PARTITION
FORBIDDEN = -KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_partition_whose_leader_moves_is_asked_for_again_and_no_other() -> None:
    cluster = Cluster({HERE: [7], MOVING: [NO_LEADER, NO_LEADER, 9]})
    assert changelog._listed_offsets(cluster, [HERE, MOVING], None) == {HERE: 7, MOVING: 9}  # type: ignore[arg-type]
    assert cluster.asked == [{HERE, MOVING}, {MOVING}, {MOVING}]


def test_a_partition_that_gets_no_leader_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "_REQUEST_TIMEOUT_S", 0.25)
    cluster = Cluster({MOVING: [NO_LEADER]})
    with pytest.raises(Unavailable, match=r"topic\[1\] is not known"):
        changelog._listed_offsets(cluster, [MOVING], None)  # type: ignore[arg-type]
    assert len(cluster.asked) > 1


def test_what_waiting_does_not_mend_is_told_at_once() -> None:
    cluster = Cluster({HERE: [FORBIDDEN]})
    with pytest.raises(Unavailable, match=r"topic\[0\] is not known"):
        changelog._listed_offsets(cluster, [HERE], None)  # type: ignore[arg-type]
    assert len(cluster.asked) == 1
