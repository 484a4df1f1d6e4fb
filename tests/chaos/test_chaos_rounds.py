"""Two short rounds on a real Kafka in every run of the suite; `make chaos` plays as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import play
from tests.chaos.evidence import Intent
from tests.chaos.plan import Fault, plan_of
from tests.chaos.round import Round

pytestmark = pytest.mark.integration

CRASHES = {Fault.KILL, Fault.ZOMBIE}
OUTAGES = {Fault.BROKER_RESTART, Fault.RESTART, Fault.SCALE_OUT, Fault.NEW_SCHEMA_WITHOUT_REGISTRY}


@pytest.mark.parametrize(("seed", "faults"), [(30, CRASHES), (35, OUTAGES)])
def test_a_round_breaks_no_law(seed: int, faults: set[Fault], jar_cache: Path, tmp_path: Path) -> None:
    played = play(Round(plan_of(seed, faults), tmp_path / "round", jar_cache))
    assert played.violations == (), "\n".join(played.lines())
    assert {record.intent for record in played.outcome.evidence.produced} == set(Intent)
    assert set(played.outcome.faults) == faults
