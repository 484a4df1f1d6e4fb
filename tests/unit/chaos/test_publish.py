"""The published figures are those of the reports, and nothing else of the page changes."""

from __future__ import annotations

from typing import Any

import click
import pytest

from tests.chaos.publish import PAGE, between_markers, rendered, together

ROUNDS: dict[str, Any] = {
    "commit": "abc1234",
    "summary": {
        "rounds": 2,
        "events": 12_345,
        "violations": 0,
        "faults": {"kill": 3, "zombie": 1},
        "recovery_s": {
            "session 6 s": {"kill -9": {"count": 3, "p50": 8.1, "max": 9.9}, "any crash": {"count": 0}}
        },
        "caught_up_s": {"count": 2, "p50": 1.0, "max": 2.5},
    },
    "rounds": [{"seed": 7}, {"seed": 8}],
}
BUILDS = {
    "builds": [
        {"build": "no-fencing", "caught": True, "rounds": 2, "laws": {"fencing": 4}, "sound_violations": []},
        {"build": "commit-first", "caught": False, "rounds": 5, "laws": {}, "sound_violations": [{}]},
    ]
}


def test_the_block_tells_the_figures_of_both_reports() -> None:
    block = rendered(ROUNDS, BUILDS)
    for told in (
        "Seeds 7 to 8 at commit abc1234",
        "| records produced | 12,345 |",
        "| faults | 4 |",
        "| **violations** | **0** |",
        "| from kill -9 to caught up, session 6 s | p50 8.1 s, max 9.9 s (3 times) |",
        "| from any crash to caught up, session 6 s | not measured |",
        "| no-fencing | 2 | fencing (4) | 0 |",
        "| commit-first | not in 5 | - | 1 |",
    ):
        assert told in block


def test_the_block_tells_of_rounds_with_a_backlog() -> None:
    summary = {"rounds": 2, "events": 604_000, "violations": 0, "faults": {"kill-writing": 3, "cut": 1}}
    rounds = [
        {"seed": 4, "rows_written": [21_000, 9_500], "largest_commit": 33_000},
        {"seed": 5, "rows_written": [12_000], "largest_commit": 20_000},
    ]
    block = rendered(None, None, {"commit": "abc1234", "summary": summary, "rounds": rounds})
    for told in (
        "seeds 4, 5 at commit abc1234",
        "| rounds, records | 2, 604,000 |",
        "| workers killed in the middle of writing an epoch | 3 |",
        "| rows of it that were written | 9,500 to 21,000 |",
        "| most records in one commit | 33,000 |",
        "| faults beside | cut 1 |",
        "| **violations** | **0** |",
    ):
        assert told in block


def test_only_what_is_between_the_markers_changes() -> None:
    page = PAGE.read_text()
    once = between_markers(page, "figures")
    assert between_markers(once, "figures") == once
    before, _, rest = page.partition("<!-- results:")
    assert once.startswith(before)
    assert once.endswith(rest[rest.index("<!-- end of results -->") :])


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="substring not found"):
        between_markers("nothing", "figures")


def report(commit: str, *seeds: int) -> dict[str, Any]:
    rounds = [
        {
            "seed": seed,
            "session_s": 6.0,
            "events": 100,
            "faults": ["kill"],
            "recoveries": [{"fault": "kill", "seconds": float(seed), "alone": True}],
            "caught_up_s": 1.0,
            "violations": [],
        }
        for seed in seeds
    ]
    return {"commit": commit, "rounds": rounds}


def test_rounds_of_several_reports_are_told_together() -> None:
    both = together([report("abc", 3), report("abc", 1, 2)])
    assert [each["seed"] for each in both["rounds"]] == [1, 2, 3]
    told = both["summary"]
    assert (told["rounds"], told["events"], told["faults"]) == (3, 300, {"kill": 3})
    assert told["recovery_s"]["session 6 s"]["kill -9"] == {"count": 3, "p50": 2.0, "max": 3.0}


def test_rounds_that_were_played_again_stand_instead_of_the_first_and_are_named() -> None:
    proved_nothing = report("abc", 1, 2)
    proved_nothing["rounds"][1]["violations"] = ["the harness failed"]
    told = together([proved_nothing], report("def", 2))
    assert [each["violations"] for each in told["rounds"]] == [[], []]
    assert "Played again at commit def: 2." in rendered(told, None)
    assert "Played again" not in rendered(together([report("abc", 1)]), None)


@pytest.mark.parametrize(
    ("other", "words"), [(report("abc", 1), "a round is in two"), (report("def", 2), "several commits: abc, def")]
)
def test_reports_that_do_not_belong_together_are_refused(other: dict[str, Any], words: str) -> None:
    with pytest.raises(click.ClickException, match=words):
        together([report("abc", 1), other])
