from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from streams.demo.observation import Count
from streams.demo.proof import Compared
from streams.demo.report import SHOWN_DIFFERENCES, Outcome, print_report
from streams.demo.story import Truth
from streams.operations.verify import VerifyReport
from tests.unit.demo.test_view import SEEN

OUTCOME = Outcome(
    last=replace(SEEN, dead_letters=(Count("TRUNCATED", 15),)),
    truth=Truth({}, {}, {}, broken=15, misrouted=8, repeated=512),
    fed_in_s=30.2,
    freshness_ms=(48.0, 1_830.0, 6_400.0),
    caught_up_s=7.4,
    longest_behind_s=6.9,
    verified=VerifyReport(events=30_004, skus=150, accepted=450),
    proofs=(Compared("stock against the book", 866, ()),),
)


def printed(outcome: Outcome, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    print_report(console, outcome)
    return console.export_text()


def test_no_difference_is_a_pass() -> None:
    assert OUTCOME.passed
    text = printed(OUTCOME)
    for expected in (
        "proven: 150 SKUs compared, 0 differences",
        "caught up after 7.4 s",
        "median 48 ms, 95 % 1,830 ms",
        "15 records fed, 15 dead letters",
        "866",
        "30,004 events",
    ):
        assert expected in text
    assert "NOT" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        replace(OUTCOME, verified=VerifyReport(skus=150, differences=["1: the tables say otherwise"])),
        replace(OUTCOME, proofs=(Compared("stock", 866, ("1 at A: on_hand is 3, true is 4",)),)),
    ],
    ids=["the verifier", "a proof of the demo"],
)
def test_one_difference_is_no_pass_and_is_shown(wrong: Outcome) -> None:
    assert not wrong.passed
    text = printed(wrong)
    assert "NOT proven: 150 SKUs compared, 1 differences" in text
    assert wrong.differences[0] in text


def test_comparing_nothing_is_no_pass() -> None:
    assert not replace(OUTCOME, verified=VerifyReport()).passed


def test_many_and_long_differences_are_cut() -> None:
    differences = tuple(f"{number}: " + "x" * 2_000 for number in range(50))
    text = printed(replace(OUTCOME, proofs=(Compared("stock", 866, differences),)))
    assert f"... and {50 - SHOWN_DIFFERENCES} more" in text
    assert len(text) < 12_000


@pytest.mark.parametrize("width", [80, 110])
def test_the_tables_fit_their_console(width: int) -> None:
    assert max(map(len, printed(OUTCOME, width).splitlines())) <= width
