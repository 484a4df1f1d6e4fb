from __future__ import annotations

import random

from domain.findings import OVER_SHIPMENT, SHIP_BEFORE_RELEASE
from domain.numbers import Finding
from domain.oddities import Oddities


def finding(number: int, code: str = SHIP_BEFORE_RELEASE) -> Finding:
    return Finding(code, "A", (f"O{number}", "1", f"S{number}"))


def test_a_finding_holds_while_a_unit_is_odd_in_that_way() -> None:
    oddities = Oddities()
    oddities.note(finding(1), +1)
    oddities.note(finding(1), +1)
    oddities.note(finding(1), -1)
    assert oddities.told() == (finding(1),)
    oddities.note(finding(1), -1)
    assert oddities.told() == ()
    assert not oddities.codes


def test_what_is_told_is_the_same_object_while_nothing_changes() -> None:
    oddities = Oddities()
    oddities.note(finding(2), +1)
    oddities.note(finding(1), +1)
    told = oddities.told()
    assert told == (finding(1), finding(2))
    assert oddities.told() is told


def test_a_finding_that_went_and_came_back_was_not_opened() -> None:
    oddities = Oddities()
    oddities.note(finding(1), +1)
    told = oddities.told()
    oddities.note(finding(1), -1)
    oddities.note(finding(1), +1)
    assert oddities.opened_since(told) == []


def test_what_was_opened_is_what_holds_and_was_not_told() -> None:
    chance = random.Random(3)
    for _ in range(200):
        oddities, units = Oddities(), dict.fromkeys(range(6), 0)
        told, older = oddities.told(), oddities.told()
        for _ in range(40):
            number = chance.randrange(6)
            sign = chance.choice((-1, +1)) if units[number] else +1
            units[number] += sign
            oddities.note(finding(number, OVER_SHIPMENT if number % 2 else SHIP_BEFORE_RELEASE), sign)
            if chance.random() < 0.2:
                expected = sorted(set(oddities.told()) - set(told))
                assert oddities.opened_since(told) == expected
                assert oddities.opened_since(older) == sorted(set(oddities.told()) - set(older))
                older, told = told, oddities.told()
                assert oddities.opened_since(told) == []
        assert set(oddities.codes) == {one.code for one in oddities.told()}
