"""An account of a channel, simulated event by event: a planner, its token bucket, and answers without delay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from itertools import count
from typing import Any, NamedTuple

from domain.budget import TokenBucket
from domain.facts import SECOND, Micros
from domain.listings import ACCEPTED
from domain.planner import ChannelUpdate, Listing, Planner
from domain.policy import Held, PublishPolicy

CHANNEL = "web"


class Change(NamedTuple):
    """At ``at`` the listing should show ``quantity``."""

    at: Micros
    listing: str
    quantity: int


def publish_policy(cfg: Mapping[str, Any]) -> PublishPolicy:
    """Publish rules from the keys of the golden cases; durations there are seconds."""
    return PublishPolicy(
        rate_per_s=Fraction(str(cfg.get("rate", 10))),
        burst=cfg.get("burst", 10),
        rise_debounce=cfg.get("rise_debounce", 0) * SECOND,
        min_delta=Held(cfg.get("min_delta", 1)),
        low_band=cfg.get("low_band", 0),
        heartbeat=cfg.get("heartbeat", 300) * SECOND,
    )


def told(quantity: int, at: Micros | None = None) -> Listing:
    """A listing that was told a quantity and confirmed it."""
    return Listing(
        last_quantity=quantity,
        last_sent_at=at,
        publish_seq=1,
        desired=quantity,
        acked_seq=1,
        acked_quantity=quantity,
    )


def sequence(first: int = 1) -> Callable[[], int]:
    """Growing numbers."""
    return count(first).__next__


class Account:
    """Ticks at each change and at each time the planner or the bucket asks for, and keeps what was told."""

    def __init__(self, publish: PublishPolicy, tokens: int | None = None, *, answers: bool = True) -> None:
        self.planner = Planner(CHANNEL, publish, sequence())
        self.bucket = TokenBucket.filled(publish.rate_per_s, publish.burst, 0, tokens)
        self.updates: list[ChannelUpdate] = []
        self.answers = answers

    def run(self, changes: Iterable[Change], until: Micros) -> list[ChannelUpdate]:
        """Everything told up to and including ``until``."""
        for change in changes:
            self._run_clock(change.at - 1)
            self.planner.want(change.listing, change.quantity, change.at)
            self._tick(change.at)
        self._run_clock(until)
        return self.updates

    def _run_clock(self, until: Micros) -> None:
        while (at := self._next_at()) is not None and at <= until:
            self._tick(at)

    def _next_at(self) -> Micros | None:
        wake, token = self.planner.next_wake(), self.bucket.next_at()
        return None if wake is None or token is None else max(wake, token)

    def _tick(self, now: Micros) -> None:
        granted, self.bucket = self.bucket.take(now, self.planner.ready(now))
        for update in self.planner.tick(now, granted):
            self.updates.append(update)
            if self.answers:
                self.planner.acknowledged(update.listing, update.publish_seq, ACCEPTED, update.quantity, now)
