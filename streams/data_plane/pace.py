"""When an epoch is due: at once while there is little to do, rarely under load."""

from __future__ import annotations

from streams.data_plane.ledger import Applied
from streams.data_plane.settings import PlaneSettings

_REST = 2.0
_BACKLOG = 0.25
"""The part of ``epoch_max_records`` that has to wait for an epoch to gather as long as it may."""
_SLOW = 0.25
"""The part of ``message_timeout_s`` that an answer may take before epochs get smaller."""
_FIRST_RECORDS = 5_000
"""What an epoch may hold before anything is known of the broker's speed."""
_LEAST_RECORDS = 1_000
"""What it may always hold."""


class Pace:
    """Seconds to the next epoch, from what waits.

    Idle, an epoch begins as soon as everything fetched was applied. Between the beginnings of two epochs lies at
    least twice the time that the broker usually takes to acknowledge and to commit. Usual is the shorter of the
    last two, so that one slow answer of the broker delays nobody else. What it takes to collect an epoch does not
    count: it grows with what was gathered, and epochs would grow by themselves, at a part of full load and without
    anything waiting. The more records wait, the longer an epoch gathers, up to ``epoch_max_s``,
    ``epoch_max_records`` or ``epoch_max_bytes``, because one row and one output a key and epoch are what makes a
    backlog cheap; a few that wait are a moment of light load and delay nobody.

    A slow broker must not be given more than it can acknowledge before records expire: what an epoch may hold
    begins small, doubles when that much was answered soon, and is halved when an answer came late.
    """

    def __init__(self, settings: PlaneSettings) -> None:
        self._settings = settings
        self._spacing_s = settings.epoch_min_s
        self._last_s = 0.0
        self._most_records = min(_FIRST_RECORDS, settings.epoch_max_records)

    def answered_within(self, seconds: float, records: int) -> None:
        """An epoch of so many applied records is over: acknowledged and committed so long after the last of it was
        handed over.
        """
        settings = self._settings
        usual_s, self._last_s = min(self._last_s, seconds), seconds
        self._spacing_s = min(max(settings.epoch_min_s, _REST * usual_s), settings.epoch_max_s)
        if seconds > _SLOW * settings.message_timeout_s:
            self._most_records = max(_LEAST_RECORDS, min(self._most_records, records) // 2)
        elif records >= self._most_records // 2:
            self._most_records = min(2 * self._most_records, settings.epoch_max_records)

    def pause_s(self, gathering_s: float, since_epoch_s: float, applied: Applied, waiting: int) -> float:
        """Seconds until an epoch is due if nothing else happens; 0 when it is.

        ``gathering_s``: since the first batch that is not in an epoch yet. ``since_epoch_s``: since the last epoch
        began. ``applied``: what is in no epoch yet. ``waiting``: records fetched and not yet applied.
        """
        settings = self._settings
        if applied.records >= self._most_records or applied.size >= settings.epoch_max_bytes:
            return 0.0
        backlog = min(1.0, waiting / (_BACKLOG * settings.epoch_max_records))
        return max(0.0, self._spacing_s - since_epoch_s, backlog * settings.epoch_max_s - gathering_s)
