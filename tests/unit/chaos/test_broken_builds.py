"""Each broken build is broken where it says, and the sound one is not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import tables.facts
from streams.data_plane import clock
from streams.data_plane.epoch import Epochs
from streams.data_plane.failures import Fenced
from streams.data_plane.membership import Membership, NotMember
from streams.data_plane.settings import PlaneSettings
from tables.facts import FactTable
from tables.rows import row_key, row_value
from tests.builders import SKU, adjustment
from tests.chaos.broken.builds import BUILDS

ROOT = Path(__file__).resolve().parents[3]
PATCHED = (
    (Epochs, "_hand_over"),
    (tables.facts, "_folded"),
    (Membership, "check"),
    (Membership, "age_s"),
    (PlaneSettings, "message_timeout_s"),
    (PlaneSettings, "produce_margin_s"),
)
WRONG, RIGHT = adjustment(40, revision=0), adjustment(10, revision=1)


@pytest.fixture(autouse=True)
def _sound_again() -> Iterator[None]:
    kept = [(owner, name, getattr(owner, name)) for owner, name in PATCHED]
    yield
    for owner, name, original in kept:
        setattr(owner, name, original)


async def commits_before_writing() -> list[str]:
    """What an epoch does while nothing is written yet."""
    done = []

    async def commit(offsets: object) -> bool:
        done.append(f"commit {offsets}")
        return True

    epochs = SimpleNamespace(_ledger=SimpleNamespace(committable=lambda: {"t": 7}), _commit_if_member=commit)
    assert await Epochs._hand_over(cast(Any, epochs), ()) == 0
    return done


async def test_commit_first_commits_before_anything_is_written() -> None:
    assert await commits_before_writing() == []
    BUILDS["commit-first"]()
    assert await commits_before_writing() == ["commit {'t': 7}"]


def recovered() -> list[object]:
    """What a table has after the correction was followed by the row that it corrects."""
    table = FactTable()
    table.recover([(row_key(SKU, fact), row_value(fact)) for fact in (WRONG, RIGHT, WRONG)])
    return list(table.peek(SKU).facts())


def test_last_writer_wins_believes_a_late_row() -> None:
    assert recovered() == [RIGHT]
    BUILDS["last-writer-wins"]()
    assert recovered() == [WRONG]


def test_no_fencing_believes_in_a_session_that_is_over() -> None:
    membership = Membership(6.0, lambda: clock.Instant(100.0, 100.0))
    membership.joined(1, clock.Instant(0.0, 0.0))
    with pytest.raises(Fenced):
        membership.check()
    settings = PlaneSettings(app_id="a", bootstrap_servers="b", session_timeout_s=6.0)
    assert settings.message_timeout_s < 6.0
    BUILDS["no-fencing"]()
    assert settings.message_timeout_s > 6.0
    membership.check()
    assert membership.age_s() == 0.0
    membership.left()
    with pytest.raises(NotMember):
        membership.check()


@pytest.mark.parametrize("build", BUILDS)
def test_a_broken_build_has_the_command_line_of_the_sound_one(build: str) -> None:
    command = [sys.executable, "-m", "tests.chaos.broken", build, "worker", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    assert "75 fenced" in told.stdout


def test_a_build_that_nobody_broke_is_refused() -> None:
    command = [sys.executable, "-m", "tests.chaos.broken", "sound", "worker"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert "commit-first" in told.stderr
