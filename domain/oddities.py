"""The findings of a SKU's units: which hold, in order, and which are new since they were last told."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable

from domain.numbers import Finding


class Oddities:
    """Findings with the number of units that are odd in that way. A change costs little however many there are."""

    __slots__ = ("_closed", "_codes", "_in_order", "_opened", "_told", "_told_before", "_units")

    def __init__(self) -> None:
        self._units: dict[Finding, int] = {}
        self._codes: dict[str, int] = {}
        self._in_order: list[Finding] = []
        self._told: tuple[Finding, ...] | None = ()
        self._told_before: tuple[Finding, ...] = ()
        self._opened: set[Finding] = set()
        self._closed: set[Finding] = set()

    @property
    def codes(self) -> Iterable[str]:
        """Codes of the findings that hold, each once."""
        return self._codes

    def note(self, finding: Finding, sign: int) -> None:
        """One unit more (or less) is odd in this way."""
        known = self._units.get(finding, 0)
        units = known + sign
        if units:
            self._units[finding] = units
            if known:
                return
        else:
            del self._units[finding]
        self._begin()
        if units:
            self._codes[finding.code] = self._codes.get(finding.code, 0) + 1
            insort(self._in_order, finding)
            _move(finding, self._closed, self._opened)
            return
        self._codes[finding.code] -= 1
        if not self._codes[finding.code]:
            del self._codes[finding.code]
        del self._in_order[bisect_left(self._in_order, finding)]
        _move(finding, self._opened, self._closed)

    def told(self) -> tuple[Finding, ...]:
        """All of them, in order; the same object while there are no others."""
        if self._told is None:
            self._told = tuple(self._in_order)
        return self._told

    def opened_since(self, told: tuple[Finding, ...]) -> list[Finding]:
        """Findings that hold and were not among those ``told``, in order.

        If these were told last, this costs what changed since; otherwise all are looked at.
        """
        if told is self._told:
            return []
        if told is self._told_before:
            return sorted(self._opened)
        return sorted(self._units.keys() - set(told))

    def _begin(self) -> None:
        """Something changes: from what was told last, if it was told."""
        if self._told is not None:
            self._told_before, self._told = self._told, None
            self._opened.clear()
            self._closed.clear()


def _move(finding: Finding, back_from: set[Finding], to: set[Finding]) -> None:
    """Note a change, or that an earlier one was taken back."""
    if finding in back_from:
        back_from.remove(finding)
    else:
        to.add(finding)
