from __future__ import annotations

import json

from streams.operations.groups import Group
from streams.operations.lag import LagWindow, document
from streams.operations.verdicts import OK, STALLED, STOPPED
from streams.operations.waiting import Waiting

A, B = ("orders", 0), ("orders", 1)


def group(committed_a: int | None, committed_b: int | None, owners: dict[tuple[str, int], str] | None) -> Group:
    return Group("g", "STABLE", 1, {A: committed_a, B: committed_b}, owners)


def test_a_report_judges_each_partition_over_the_whole_window() -> None:
    window = LagWindow(10)
    window.add(0, group(5, 7, {A: "one"}), {A: Waiting(9, 4, 2.0), B: Waiting(9, 2, 7.5)})
    window.add(5, group(9, 7, {A: "one"}), {A: Waiting(9, 0, 0.0), B: Waiting(10, 3, 12.5)})
    report = window.report()
    assert [(each.partition, each.verdict, each.owner) for each in report.partitions] == [
        (0, OK, "one"),
        (1, STOPPED, None),
    ]
    assert (report.verdict, report.records, report.seconds, report.window_s) == (STOPPED, 3, 12.5, 5)


def test_what_is_older_than_the_window_does_not_count() -> None:
    window = LagWindow(10)
    window.add(0, group(5, 0, None), {A: Waiting(5, 0, 0.0)})
    for at_s in (4, 8, 12, 16):
        window.add(at_s, group(5, 0, None), {A: Waiting(9, 4, 1.0)})
    assert window.seen_s == 12  # the one look before the window began is kept: the window is seen whole
    assert window.report().verdict == STALLED


def test_two_looks_are_kept_however_far_apart() -> None:
    window = LagWindow(1)
    window.add(0, group(5, 0, None), {A: Waiting(9, 4, 1.0)})
    window.add(60, group(5, 0, None), {A: Waiting(9, 4, 61.0)})
    assert window.report().verdict == STALLED


def test_a_window_is_decided_once_every_partition_was_caught_up() -> None:
    window = LagWindow(10)
    window.add(0, group(9, 7, None), {A: Waiting(9, 0, 0.0), B: Waiting(9, 2, 1.0)})
    assert not window.decided
    window.add(1, group(9, 9, None), {A: Waiting(12, 3, 0.1), B: Waiting(9, 0, 0.0)})
    assert window.decided


def test_the_report_is_one_json_object() -> None:
    window = LagWindow(10)
    window.add(0, group(None, 7, {}), {A: Waiting(9, 9, 1.23456), B: Waiting(7, 0, 0.0)})
    told = json.loads(json.dumps(document(window.report())))
    assert told["partitions"][0] == {
        "topic": "orders",
        "partition": 0,
        "committed": None,
        "end": 9,
        "records": 9,
        "seconds": 1.235,
        "owner": None,
        "verdict": "OK",
    }
    assert (told["group"], told["verdict"], told["ok"], told["records"]) == ("g", "OK", True, 9)
