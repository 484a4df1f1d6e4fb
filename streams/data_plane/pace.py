"""When an epoch is due: at once while there is little to do, rarely under load."""

from __future__ import annotations

from streams.data_plane.settings import PlaneSettings

_REST = 2.0
_BACKLOG = 0.25
"""The part of ``epoch_max_records`` that has to wait for an epoch to gather as long as it may."""


class Pace:
    """Seconds to the next epoch, from what waits.

    Idle, an epoch begins as soon as everything fetched was applied. Between the beginnings of two epochs lies at
    least twice the time that the broker usually takes to acknowledge and to commit. Usual is the shorter of the
    last two, so that one slow answer of the broker delays nobody else. What it takes to collect an epoch does not
    count: it grows with what was gathered, and epochs would grow by themselves, at a part of full load and without
    anything waiting. The more records wait, the longer an epoch gathers, up to ``epoch_max_s`` or
    ``epoch_max_records``, because one row and one output a key and epoch are what makes a backlog cheap; a few
    that wait are a moment of light load and delay nobody.
    """

    def __init__(self, settings: PlaneSettings) -> None:
        self._settings = settings
        self._spacing_s = settings.epoch_min_s
        self._last_s = 0.0

    def answered_within(self, seconds: float) -> None:
        """An epoch is over: acknowledged and committed so long after the last of it was handed over."""
        settings = self._settings
        usual_s, self._last_s = min(self._last_s, seconds), seconds
        self._spacing_s = min(max(settings.epoch_min_s, _REST * usual_s), settings.epoch_max_s)

    def pause_s(self, gathering_s: float, since_epoch_s: float, applied: int, waiting: int) -> float:
        """Seconds until an epoch is due if nothing else happens; 0 when it is.

        ``gathering_s``: since the first batch that is not in an epoch yet. ``since_epoch_s``: since the last epoch
        began. ``applied``: records in no epoch yet. ``waiting``: records fetched and not yet applied.
        """
        settings = self._settings
        if applied >= settings.epoch_max_records:
            return 0.0
        backlog = min(1.0, waiting / (_BACKLOG * settings.epoch_max_records))
        return max(0.0, self._spacing_s - since_epoch_s, backlog * settings.epoch_max_s - gathering_s)
