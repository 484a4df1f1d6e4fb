"""What a channel was told about a listing, what it should be told, and when (semantics section 7).

A ``Listing`` is one row. Everything here is a pure function of (listing, publish policy, now):

    wanted, sent, answered   what can happen to a listing
    classify, due, outlook   what may be told now, how urgent it is, and when to look again
    join, restored           two rows of the same listing after a crash

Classes: P0 falls to 0 (a block or recall is that, too), P1 back in stock or inside the low band, P2 large enough,
P3 smaller, P4 full sync. A first value is not a change, and it is due at once: 0 as P0, because the channel may be
showing anything, the rest as P1.
"""

from __future__ import annotations

from typing import NamedTuple

from domain.facts import Micros
from domain.policy import PublishPolicy
from domain.quantities import held

P0 = "P0"
P1 = "P1"
P2 = "P2"
P3 = "P3"
P4 = "P4"
PRIORITIES = (P0, P1, P2, P3, P4)

FIRST_VALUE = "FIRST_VALUE"
SOLD_OUT = "SOLD_OUT"
BACK_IN_STOCK = "BACK_IN_STOCK"
LOW_STOCK = "LOW_STOCK"
CHANGED = "CHANGED"
HEARTBEAT = "HEARTBEAT"
REPEATED = "REPEATED"
UNANSWERED = "UNANSWERED"
REFUSED = "REFUSED"
FULL_SYNC = "FULL_SYNC"

ACCEPTED = "ACCEPTED"
REJECTED = "REJECTED"
UNKNOWN = "UNKNOWN"

MAX_BACK_OFF_DOUBLINGS = 6
"""An unanswered update is sent again after 1, 2, 4 ... 64 times ``resend_after``, then at that interval."""


class Listing(NamedTuple):
    """A listing as one channel's planner knows it. ``last_quantity`` None: the channel was never told.

    ``pending_since``: since when the channel should be told something else (or, ``forced``, the same again);
    ``rise_since``: since when that is more than it was told. ``acked_seq`` is the newest update it accepted or
    rejected, ``acked_quantity`` the last quantity it accepted. ``resends`` counts repetitions of ``publish_seq``.
    """

    last_quantity: int | None = None
    last_sent_at: Micros | None = None
    publish_seq: int = 0
    desired: int | None = None
    pending_since: Micros | None = None
    rise_since: Micros | None = None
    acked_seq: int = 0
    acked_quantity: int | None = None
    resends: int = 0
    forced: bool = False
    sku: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the channel confirmed the last value it was told."""
        return self.acked_seq >= self.publish_seq and self.acked_quantity == self.last_quantity


class Step(NamedTuple):
    """Something the channel may be told now. ``since`` orders steps of one class; ``again``: same publish_seq."""

    priority: str
    since: Micros
    quantity: int
    reason: str
    again: bool = False


# -- what can happen to a listing ------------------------------------------------------------------------------


def wanted(listing: Listing, quantity: int, now: Micros, force: bool = False) -> Listing:
    """The channel should show ``quantity``. The latest wins; what it was told already is dropped unless forced.

    ``force`` is for when somebody else may have told the channel something we do not know of.
    """
    last, last_sent_at, publish_seq, _, since, rise_since, acked_seq, acked_quantity, resends, forced, sku = (
        listing
    )
    forced = forced or force
    if quantity == last and not forced:
        since = None
    elif since is None:
        since = now
    if last is None or quantity <= last:
        rise_since = None
    elif rise_since is None:
        rise_since = now
    # Built from its parts because _replace costs four times as much, and this runs for every change.
    return Listing(
        last, last_sent_at, publish_seq, quantity, since, rise_since,
        acked_seq, acked_quantity, resends, forced, sku,
    )  # fmt: skip


def sent(listing: Listing, quantity: int, publish_seq: int, now: Micros) -> Listing:
    """The channel is being told ``quantity``. Another desired value (a rise that still waits) stays pending."""
    _, _, _, desired, since, rise_since, acked_seq, acked_quantity, _, _, sku = listing
    if quantity == desired:
        since = rise_since = None
    return Listing(
        quantity, now, publish_seq, desired, since, rise_since, acked_seq, acked_quantity, resends=0, sku=sku
    )


def sent_again(listing: Listing, now: Micros) -> Listing:
    """The channel is being told the last value once more, under the same publish_seq."""
    return listing._replace(last_sent_at=now, resends=listing.resends + 1)


def answered(
    listing: Listing, publish_seq: int, outcome: str, quantity: int, now: Micros, shown: int | None = None
) -> Listing:
    """The channel answered the update ``publish_seq`` that told it ``quantity``.

    A publish_seq above ours: an earlier owner told the channel something it could not write down. That is then
    what the channel was told, and what we want is planned against it. UNKNOWN answers nothing, the update is
    repeated in its time; an answer to an older update than the newest answered one is dropped. ``shown`` is what
    the channel said it showed: a refusal that tells us so is told anew at once, on the new ground.
    """
    if publish_seq > listing.publish_seq:
        listing = reconsidered(
            listing._replace(last_quantity=quantity, last_sent_at=now, publish_seq=publish_seq, resends=0), now
        )
    if outcome == UNKNOWN or publish_seq <= listing.acked_seq:
        return listing
    if outcome == ACCEPTED:
        return listing._replace(acked_seq=publish_seq, acked_quantity=quantity)
    refused = listing._replace(acked_seq=publish_seq)
    if shown is None or shown == listing.acked_quantity or publish_seq < listing.publish_seq:
        return refused
    desired = listing.last_quantity if listing.desired is None else listing.desired
    return wanted(refused._replace(acked_quantity=shown), desired or 0, now, force=shown != listing.last_quantity)


def restored(listing: Listing, now: Micros) -> Listing:
    """A row after it was read and joined. If its answer is newer than its send, what was accepted was told."""
    listing = not_after(listing, now)
    if listing.acked_seq > listing.publish_seq and listing.acked_quantity is not None:
        listing = listing._replace(last_quantity=listing.acked_quantity, publish_seq=listing.acked_seq, resends=0)
    return reconsidered(listing, now)


def not_after(listing: Listing, now: Micros) -> Listing:
    """The listing as if nothing had happened after ``now``: such times are of a clock that was ahead."""
    last_sent_at, since, rise_since = listing.last_sent_at, listing.pending_since, listing.rise_since
    if max(last_sent_at or 0, since or 0, rise_since or 0) <= now:
        return listing
    return listing._replace(
        last_sent_at=None if last_sent_at is None else min(last_sent_at, now),
        pending_since=None if since is None else min(since, now),
        rise_since=None if rise_since is None else min(rise_since, now),
    )


def reconsidered(listing: Listing, now: Micros) -> Listing:
    """What is pending, after what the channel was told turned out to be something else."""
    if listing.desired is None or (listing.desired == listing.last_quantity and listing.pending_since is None):
        return listing
    return wanted(listing, listing.desired, now)


# -- what may be told, and when --------------------------------------------------------------------------------


def classify(last: int | None, desired: int, publish: PublishPolicy) -> str | None:
    """The class of telling ``desired`` to a channel that was told ``last``; None when there is nothing to tell."""
    if last is None:
        return P1 if desired else P0
    if desired == last:
        return None
    if not desired:
        return P0
    if not last or last <= publish.low_band or desired <= publish.low_band:
        return P1
    return P2 if abs(desired - last) >= held(publish.min_delta, last) else P3


def due(listing: Listing, publish: PublishPolicy) -> Micros | None:
    """From when the pending value may be told; None when nothing is pending.

    A fall, a first and a forced value at once; a rise when it has lasted ``rise_debounce`` since it first rose;
    a small change with the heartbeat, that is ``heartbeat`` after the channel was last told (or, when we do not
    know when that was, after the change).
    """
    since = listing.pending_since
    if since is None or listing.desired is None or listing.forced:
        return since
    if classify(listing.last_quantity, listing.desired, publish) == P3:
        last_sent_at = since if listing.last_sent_at is None else listing.last_sent_at
        since = max(since, last_sent_at + publish.heartbeat)
    if listing.rise_since is not None:
        since = max(since, listing.rise_since + publish.rise_debounce)
    return since


def repair_due(listing: Listing, publish: PublishPolicy) -> Micros | None:
    """When the last value must be told once more because the channel did not confirm it; None when it did.

    Unanswered: after ``resend_after`` with back-off (0: never). Rejected: with the heartbeat.
    """
    if listing.last_quantity is None or not listing.publish_seq or listing.is_settled:
        return None
    last_sent_at = listing.last_sent_at or 0
    if listing.acked_seq >= listing.publish_seq:
        return last_sent_at + publish.heartbeat
    if not publish.resend_after:
        return None
    return last_sent_at + (publish.resend_after << min(listing.resends, MAX_BACK_OFF_DOUBLINGS))


def outlook(listing: Listing, publish: PublishPolicy, now: Micros) -> tuple[Step | None, Micros | None]:
    """What may be told at ``now`` (None: nothing), and when to look again (None: not by the clock)."""
    change_at = due(listing, publish)
    if change_at is not None and change_at <= now:
        return _change(listing, publish), None
    repair_at = repair_due(listing, publish)
    if repair_at is None:
        return None, change_at
    if repair_at <= now:
        return _repair(listing, repair_at), change_at
    return None, repair_at if change_at is None else min(change_at, repair_at)


def _change(listing: Listing, publish: PublishPolicy) -> Step:
    """The pending value. A forced one is a repair: at least P2, and P0 for a 0 the channel did not confirm."""
    last, desired, since = listing.last_quantity, listing.desired or 0, listing.pending_since or 0
    priority = classify(last, desired, publish)
    if priority is None or (listing.forced and priority == P3):
        unconfirmed_zero = not desired and not listing.is_settled
        return Step(P0 if unconfirmed_zero else P2, since, desired, REPEATED)
    return Step(priority, since, desired, _reason(last, priority))


def _reason(last: int | None, priority: str) -> str:
    if last is None:
        return FIRST_VALUE
    if priority == P1:
        return LOW_STOCK if last else BACK_IN_STOCK
    return {P0: SOLD_OUT, P2: CHANGED, P3: HEARTBEAT}[priority]


def _repair(listing: Listing, since: Micros) -> Step:
    """The last value once more. Behind real changes of P0 to P2, except a 0 that the channel did not confirm."""
    quantity = listing.last_quantity or 0
    unanswered = listing.acked_seq < listing.publish_seq
    return Step(P3 if quantity else P0, since, quantity, UNANSWERED if unanswered else REFUSED, unanswered)


# -- after a crash -----------------------------------------------------------------------------------------------


def join(one: Listing, other: Listing) -> Listing:
    """Two rows of the same listing as one: the newer send with what is pending on it, the newer answer.

    Both choices are maxima in a total order, so the join is commutative, associative and idempotent (law L3).
    """
    send = one if _send_rank(one) >= _send_rank(other) else other
    answer = one if _answer_rank(one) >= _answer_rank(other) else other
    return send._replace(acked_seq=answer.acked_seq, acked_quantity=answer.acked_quantity)


def _send_rank(listing: Listing) -> tuple[int | str, ...]:
    return (
        listing.publish_seq,
        _known(listing.last_sent_at),
        listing.resends,
        _known(listing.last_quantity),
        _known(listing.pending_since),
        _known(listing.desired),
        _known(listing.rise_since),
        listing.forced,
        listing.sku,
    )


def _answer_rank(listing: Listing) -> tuple[int, int]:
    return listing.acked_seq, _known(listing.acked_quantity)


def _known(value: int | None) -> int:
    return -1 if value is None else value
