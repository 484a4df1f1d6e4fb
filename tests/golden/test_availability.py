"""Every worked case, in every order of its events (sampled above six), each also delivered twice."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import permutations

import pytest

from domain.facts import Fact
from domain.findings import DUPLICATE, KINDS
from tests.golden.cases import Case, differences, load, run

MAX_EXHAUSTIVE = 6
SAMPLES = 300
CASES = [*load("availability.json"), *load("own.json")]

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)


def orders(case: Case) -> Iterator[tuple[Fact, ...]]:
    """Every order of the events, or a seeded sample of them."""
    if len(case.events) <= MAX_EXHAUSTIVE:
        yield from permutations(case.events)
        return
    chance = random.Random(case.id)
    for _ in range(min(SAMPLES, math.factorial(len(case.events)))):
        yield tuple(chance.sample(case.events, len(case.events)))


def test_the_given_order_gives_the_expected_numbers_and_findings(case: Case) -> None:
    outcome = run(case, case.events)
    assert differences(case, outcome) == []
    if "findings" in case.expect:
        assert outcome.codes == set(case.expect["findings"])


def test_every_order_gives_the_expected_numbers(case: Case) -> None:
    expected = run(case, case.events).assessment
    for events in orders(case):
        outcome = run(case, events)
        assert differences(case, outcome) == [], events
        assert outcome.assessment == expected, events


def test_every_order_with_each_event_twice_gives_the_expected_numbers(case: Case) -> None:
    expected = run(case, case.events)
    for events in orders(case):
        outcome = run(case, events, doubled=True)
        assert differences(case, outcome) == [], events
        assert outcome.assessment == expected.assessment, events
        on_arrival = {code for code in expected.arrived if KINDS[code].on_arrival}
        assert DUPLICATE in outcome.codes or on_arrival, events
