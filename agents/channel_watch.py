"""The acknowledgement loop of one channel: what its answers say about it, and what follows for planning.

Told of every change of a listing, every update and every answer; asked for the exposure, how long the channel
takes to react (measured guards follow from that), how many updates may go, and which listings it does not take.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

from domain.answers import Failures, Reactions, planner_breaker
from domain.exposure import Exposed, ExposureBook
from domain.facts import SECOND, Acknowledgement, Micros
from domain.findings import CHANNEL_DRIFT, LISTING_NOT_TAKEN
from domain.latency import MILLISECOND
from domain.listings import P0, REJECTED, UNANSWERED, UNKNOWN, Listing
from domain.numbers import Finding
from domain.planner import Planner
from domain.policy import ChannelPolicy, Policy, PublishPolicy
from domain.prices import Offer
from domain.updates import ChannelUpdate

ABOVE = "above"
BELOW = "below"

EXPIRED = "EXPIRED"
"""The reason of a sink that did not ask the channel, because the update was too old."""


class ListingFinding(NamedTuple):
    """A finding about a listing of a SKU, with what was seen."""

    sku: str
    finding: Finding
    note: str


_ONE = Offer(1)


class ChannelWatch:
    """Watches the channel of a planner, whose listings it reads. Memory follows listings that are open or odd.

    ``offer``: what one of a listing is; asked when something is known to have changed.
    """

    def __init__(self, planner: Planner, offer: Callable[[str], Offer] = lambda _: _ONE) -> None:
        self.planner = planner
        self._offer = offer
        self.exposure = ExposureBook()
        self.reactions = Reactions()
        self.failures = Failures()
        self.breaker = planner_breaker()
        self.drifts: Counter[str] = Counter()
        """How often the channel showed more (``above``) or less (``below``) than it had taken from us."""
        self._expected: dict[str, tuple[int, int | None]] = {}
        self._drifted: set[str] = set()

    def changed(self, listing_id: str, now: Micros) -> None:
        """The planner knows something else of the listing, or one of it is something else."""
        row = self.planner.listings[listing_id]
        accepted, safe, sku, since = row.acked_quantity, row.desired, row.sku, _diverged_at(row)
        is_exposed = accepted and safe is not None and accepted > safe
        pack_size, price = self._offer(listing_id) if is_exposed else _ONE
        self.exposure.observe(
            listing_id, accepted, safe, now, sku=sku, pack_size=pack_size, price=price, since=since
        )

    def restored(self, listing_id: str, now: Micros) -> None:
        """The listing became ours. What was told of it and not answered is waited for from now on."""
        row = self.planner.listings[listing_id]
        self.changed(listing_id, now)
        if row.publish_seq > row.acked_seq and row.last_quantity is not None:
            self.reactions.sent(listing_id, now)

    def forget(self, listing_id: str) -> None:
        """The listing is not ours any more."""
        self.exposure.forget(listing_id)
        self.reactions.forget(listing_id)
        self.failures.forget(listing_id)
        self._expected.pop(listing_id, None)
        self._drifted.discard(listing_id)

    def allowed(self, now: Micros, ready: int) -> int:
        """How many of the updates that are ready may go; only probes, if the channel does not answer.

        Stop-sells always may: a sink that waits for the channel must not tell it an older value first.
        """
        calls = self.breaker.calls(now)
        return ready if calls is None else min(ready, max(calls, self.planner.backlog()[P0]))

    def held_until(self) -> Micros:
        """When the next update may go; 0: nothing is held back."""
        return 0 if self.planner.backlog()[P0] else self.breaker.held_until() or 0

    def told(self, update: ChannelUpdate, now: Micros) -> ListingFinding | None:
        """An update goes out. A finding if the channel left too many of this listing unanswered."""
        self.breaker = self.breaker.began(now)
        self.reactions.sent(update.listing, now)
        # Only what was answered can drift: an update on its way may be replaced before it arrives.
        row = self.planner.listings[update.listing]
        believed = update.expected_previous
        self._expected[update.listing] = (update.publish_seq, believed if believed == row.acked_quantity else None)
        if update.reason != UNANSWERED:
            return None
        self.breaker = self.breaker.failed(now)
        return self._failed(update.listing, "no answer")

    def answered(self, answer: Acknowledgement, changed: bool, now: Micros) -> list[ListingFinding]:
        """The channel answered, and the planner took it; ``changed``: it was news."""
        row = self.planner.listings.get(answer.listing)
        if row is None or (not changed and answer.outcome != UNKNOWN) or answer.publish_seq < row.acked_seq:
            return []
        if answer.outcome == UNKNOWN:
            self.breaker = self.breaker.failed(now)
            return _found(self._failed(answer.listing, answer.reason or "outcome not known"))
        newest = row.acked_seq >= row.publish_seq
        self.reactions.answered(answer.listing, answer.latency_ms * MILLISECOND, now, newest=newest)
        self.changed(answer.listing, now)
        if answer.outcome == REJECTED and answer.reason == EXPIRED:
            return _found(self._failed(answer.listing, "it was too old before the channel could be told"))
        self.breaker = self.breaker.succeeded(now)
        found = _found(self._drift(answer, row))
        if answer.outcome == REJECTED:
            found += _found(self._failed(answer.listing, answer.reason or "rejected"))
        elif newest:
            self.failures.accepted(answer.listing)
        return found

    def reaction(self, now: Micros, publish: PublishPolicy, rate_per_s: Fraction) -> Micros:
        """How long until the channel shows what is planned now; 0 for one that is configured never to answer.

        ``rate_per_s``: of our budget; a stop-sell waits for those that are before it. Before the first answer one
        is taken to take as long as it may, ``resend_after``.
        """
        if not publish.resend_after:
            return 0
        queued = int(self.planner.backlog()[P0] * SECOND / rate_per_s) if rate_per_s else 0
        return self.reactions.reaction(now, publish.resend_after, queued)

    def set_back(self, now: Micros) -> None:
        """The clock was set back to ``now``."""
        self.reactions.set_back(now)
        self.breaker = self.breaker.set_back(now)

    def _drift(self, answer: Acknowledgement, row: Listing) -> ListingFinding | None:
        seq, expected = self._expected.get(answer.listing, (0, None))
        if seq != answer.publish_seq:
            return None
        del self._expected[answer.listing]
        shown = answer.previous_quantity
        if shown is None or expected is None:
            return None
        if shown <= expected:
            self._drifted.discard(answer.listing)
            self.drifts[BELOW] += shown < expected  # its own sales, as a rule
            return None
        self.drifts[ABOVE] += 1
        if answer.listing in self._drifted:
            return None
        self._drifted.add(answer.listing)
        note = f"{self.planner.channel} showed {shown} and had taken {expected}"
        return self._finding(CHANNEL_DRIFT, answer.listing, row.sku, note)

    def _failed(self, listing_id: str, why: str) -> ListingFinding | None:
        if not self.failures.failed(listing_id):
            return None
        row = self.planner.listings[listing_id]
        shows = "nothing yet" if row.acked_quantity is None else str(row.acked_quantity)
        exposed = self.exposure.exposed(listing_id)
        note = f"{why}; told {row.last_quantity}, took {shows}, {_exposed_by(exposed)}"
        return self._finding(LISTING_NOT_TAKEN, listing_id, row.sku, note)

    def _finding(self, code: str, listing_id: str, sku: str, note: str) -> ListingFinding:
        return ListingFinding(sku, Finding(code, "", (self.planner.channel, listing_id)), note)


def measured_channels(policy: Policy) -> tuple[str, ...]:
    """Channels with a service level, be it for a single SKU or category."""
    levels = [policy.channels, *(each.channels for each in (*policy.items.values(), *policy.categories.values()))]
    return tuple(name for name in policy.channels if any(_has_level(level.get(name)) for level in levels))


def _has_level(rules: ChannelPolicy | None) -> bool:
    return rules is not None and rules.service_level is not None


def _exposed_by(exposed: Exposed | None) -> str:
    """For a note: units, and what they sell for where that is known."""
    if exposed is None:
        return "0 units more than is safe"
    units = f"{exposed.units} units more than is safe"
    if exposed.value is None:
        return units
    return f"{units}, worth {exposed.value.amount} in the smallest unit of {exposed.value.currency}"


def _diverged_at(row: Listing) -> Micros | None:
    """Since when the channel may show too much: since something else is wanted, or since that was told in vain."""
    if row.pending_since is not None:
        return row.pending_since
    return row.last_sent_at if row.publish_seq > row.acked_seq else None


def _found(finding: ListingFinding | None) -> list[ListingFinding]:
    return [] if finding is None else [finding]
