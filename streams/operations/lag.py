"""How far a consumer group is behind, in records and seconds, with a verdict per partition (``atstream lag``)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, NamedTuple

from streams.operations.groups import Group, GroupReader, Partition
from streams.operations.verdicts import OK, Sample, verdict, worst
from streams.operations.waiting import Waiting, WaitingReader

SAMPLES_PER_WINDOW = 10


class UnknownGroup(Exception):
    """The group has no members and never committed an offset."""


class PartitionLag(NamedTuple):
    """One partition of the report. ``seconds``: how long the record at the committed offset has been there."""

    topic: str
    partition: int
    committed: int | None
    end: int
    records: int
    seconds: float
    owner: str | None
    verdict: str


class LagReport(NamedTuple):
    """A group at one moment, judged over the window that ended then (``window_s`` of it were seen)."""

    group: str
    state: str
    members: int
    verdict: str
    window_s: float
    partitions: tuple[PartitionLag, ...]

    @property
    def records(self) -> int:
        """Records that wait in all partitions."""
        return sum(each.records for each in self.partitions)

    @property
    def seconds(self) -> float:
        """The oldest waiting record's age."""
        return max((each.seconds for each in self.partitions), default=0.0)


class LagWindow:
    """The samples of the last ``window_s`` seconds, and what they say. ``add`` one look after the other."""

    def __init__(self, window_s: float) -> None:
        self.window_s = window_s
        self._looks: deque[tuple[float, Group, Mapping[Partition, Waiting]]] = deque()

    def add(self, at_s: float, group: Group, waiting: Mapping[Partition, Waiting]) -> None:
        """Add a look taken at ``at_s`` (any clock in seconds that only grows)."""
        self._looks.append((at_s, group, waiting))
        while len(self._looks) > 2 and at_s - self._looks[1][0] >= self.window_s:
            self._looks.popleft()

    @property
    def seen_s(self) -> float:
        """Seconds between the first and the last look."""
        return self._looks[-1][0] - self._looks[0][0] if self._looks else 0.0

    @property
    def decided(self) -> bool:
        """Whether a longer window cannot change the verdict any more: every partition caught up once."""
        places = self._looks[-1][1].committed
        return all(any(sample.records == 0 for sample in self._samples(place)) for place in places)

    def report(self) -> LagReport:
        """The last look, with verdicts over all of them."""
        _, group, waiting = self._looks[-1]
        partitions = tuple(
            PartitionLag(
                *place,
                group.committed[place],
                found.end,
                found.records,
                found.seconds,
                (group.owners or {}).get(place),
                verdict(self._samples(place)),
            )
            for place, found in sorted(waiting.items())
        )
        overall = worst(each.verdict for each in partitions)
        return LagReport(group.name, group.state, group.members, overall, self.seen_s, partitions)

    def _samples(self, place: Partition) -> list[Sample]:
        return [
            Sample(group.committed[place], waiting[place].records, group.owned(place))
            for _, group, waiting in self._looks
            if place in waiting
        ]


class LagMeter:
    """Looks at one group on one broker. Blocking; close it."""

    def __init__(self, client: Mapping[str, Any], group: str, expected: Collection[str], timeout_s: float) -> None:
        self._group = group
        self._expected = expected
        self._timeout_s = timeout_s
        self._groups = GroupReader(client, timeout_s)
        self._waiting = WaitingReader(client)

    def watch(self, window_s: float, sleep: Callable[[float], None] = time.sleep) -> Iterator[LagReport]:
        """A report after every look, for ever; judge it once ``window_s`` were seen.

        Raises ``UnknownGroup``, ``PositionsUnread``, ``TopicUnreadable`` and ``KafkaException``.
        """
        window = LagWindow(window_s)
        while True:
            self._look(window)
            yield window.report()
            sleep(window_s / SAMPLES_PER_WINDOW)

    def judge(self, window_s: float, sleep: Callable[[float], None] = time.sleep) -> LagReport:
        """One report over a whole window; sooner when everything is caught up. Raises as ``watch``."""
        window = LagWindow(window_s)
        self._look(window)
        while not window.decided and window.seen_s < window_s:
            sleep(window_s / SAMPLES_PER_WINDOW)
            self._look(window)
        return window.report()

    def close(self) -> None:
        """Disconnect."""
        self._waiting.close()

    def _look(self, window: LagWindow) -> None:
        group = self._groups.read(self._group, self._expected)
        if not group.members and group.state != "STABLE" and not group.committed:
            raise UnknownGroup(
                f"group {self._group} has no members and has committed nothing; is its name right (--group NAME)?"
            )
        window.add(time.monotonic(), group, self._waiting.look(group.committed, self._timeout_s))


def document(report: LagReport) -> dict[str, Any]:
    """The report as a JSON object; ages are seconds."""
    return {
        "group": report.group,
        "state": report.state,
        "members": report.members,
        "verdict": report.verdict,
        "ok": report.verdict == OK,
        "window_s": round(report.window_s, 3),
        "records": report.records,
        "seconds": round(report.seconds, 3),
        "partitions": [{**each._asdict(), "seconds": round(each.seconds, 3)} for each in report.partitions],
    }
