"""The core broken in many ways: a quick look notices each. ``python -m tests.mutants`` shows who else does."""

from __future__ import annotations

import pytest

from tests.mutants.catalogue import MUTANTS, Mutant
from tests.mutants.execution import ROOT, mutated, noticed, verdicts

TRIAL = ("-m", "tests.mutants.trial")
EVERY = 4
"""A fourth of the catalogue here; all of it, by every suite, in ``make mutants``."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_line_that_a_mutant_breaks_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / "domain" / f"{mutant.module}.py").read_text()
    assert mutated(text, mutant) != text


def test_the_unbroken_core_passes_the_quick_look() -> None:
    assert noticed(None, TRIAL, {}) == ""


def test_the_quick_look_notices_broken_cores() -> None:
    results = list(verdicts(MUTANTS[::EVERY], TRIAL))
    assert len(results) >= 11
    assert [verdict.mutant.name for verdict in results if not verdict.noticed_by] == []


def test_a_mutant_whose_line_is_gone_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 x"):
        mutated("nothing of the kind", MUTANTS[0])
