"""Reservations, returns and transfers: one test tells the valid ones; what it doubts is examined.

The parameters of a builder are the fields that it wants.
"""

from __future__ import annotations

from sys import intern

from domain.facts import (
    Event,
    Fact,
    Micros,
    Reservation,
    ReservationRelease,
    ReturnDisposed,
    ReturnReceived,
    TransferClosed,
    TransferReceived,
    TransferShipped,
)
from domain.quick import new
from schemas import checks
from schemas.checks import Checks, problem_with_event
from schemas.limits import EARLIEST, LATEST, MAX_ID_CHARACTERS, MAX_QUANTITY, MAX_REVISION, text_problem
from schemas.rejections import Rejection


def reservation_changed(
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    reservation_id: str,
    action: str,
    quantity: int,
    location: str | None,
    channel: str | None,
    expires_at: Micros | None,
    release_id: str | None,
) -> Event | Rejection:
    """A soft reservation that was REQUESTED, or units of one that were RELEASED."""
    requested = action == "REQUESTED"
    texts = f"{sku}{event_id}{source}{correlation_id}{reservation_id}{location}{channel}{release_id}"
    if (
        not (sku and event_id and source and reservation_id)
        or "" in (correlation_id, location, channel, release_id)
        or not _usual(texts, occurred_at, revision, quantity)
        or not (EARLIEST <= (expires_at or 0) < LATEST if requested else release_id)
    ):
        wanted = checks.RESERVATION_REQUESTED if requested else checks.RESERVATION_RELEASED
        problem = problem_with_event(locals(), wanted)
        if problem is not None:
            return problem
    source = intern(source)
    fact: Fact
    if requested:
        assert expires_at is not None
        place, seller = _interned(location), _interned(channel)
        fact = new(
            Reservation, (reservation_id, revision, quantity, place, seller, expires_at, source, occurred_at)
        )
    else:
        assert release_id is not None
        fact = new(ReservationRelease, (reservation_id, release_id, revision, quantity, source, occurred_at))
    return new(Event, ("reservation-changed", sku, event_id, correlation_id, fact))


def return_recorded(
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    return_id: str,
    step: str,
    location: str,
    quantity: int | None,
    restocked: int | None,
    scrapped: int | None,
) -> Event | Rejection:
    """Units RECEIVED into quarantine, or DISPOSED from there."""
    received = step == "RECEIVED"
    texts = f"{sku}{event_id}{source}{correlation_id}{return_id}{location}"
    if (
        not (sku and event_id and source and return_id and location)
        or correlation_id == ""
        or not _usual(texts, occurred_at, revision, quantity if received else restocked)
        or not (received or (scrapped is not None and 0 <= scrapped <= MAX_QUANTITY))
    ):
        problem = problem_with_event(locals(), checks.RETURN_RECEIVED if received else checks.RETURN_DISPOSED)
        if problem is not None:
            return problem
    source, location = intern(source), intern(location)
    fact: Fact
    if received:
        assert quantity is not None
        fact = new(ReturnReceived, (return_id, revision, location, quantity, source, occurred_at))
    else:
        assert restocked is not None
        assert scrapped is not None
        fact = new(ReturnDisposed, (return_id, revision, location, restocked, scrapped, source, occurred_at))
    return new(Event, ("return-recorded", sku, event_id, correlation_id, fact))


_TRANSFER_CHECKS: dict[str, Checks] = {
    "SHIPPED": checks.TRANSFER_SHIPPED,
    "RECEIVED": checks.TRANSFER_RECEIVED,
    "CLOSED": checks.TRANSFER_CLOSED,
}


def transfer_recorded(
    event_id: str,
    source: str,
    sku: str,
    occurred_at: Micros,
    revision: int,
    correlation_id: str | None,
    transfer_id: str,
    step: str,
    part: str,
    from_location: str | None,
    to_location: str | None,
    quantity: int | None,
) -> Event | Rejection:
    """Units SHIPPED from one location or RECEIVED at another, or the end of it: CLOSED."""
    closed, shipped = step == "CLOSED", step == "SHIPPED"
    texts = f"{sku}{event_id}{source}{correlation_id}{transfer_id}{part}{from_location}{to_location}"
    if (
        not (sku and event_id and source and transfer_id)
        or "" in (correlation_id, from_location, to_location)
        or not _usual(texts, occurred_at, revision, 0 if closed else quantity)
        or not (closed or to_location)
        or (shipped and not from_location)
    ):
        problem = problem_with_event(locals(), _TRANSFER_CHECKS[step]) or text_problem((("part", part or None),))
        if problem is not None:
            return problem
    source, origin, receiver = intern(source), _interned(from_location), _interned(to_location)
    fact: Fact
    if closed:
        fact = new(TransferClosed, (transfer_id, revision, source, occurred_at))
    else:
        assert quantity is not None
        assert receiver is not None
        if shipped:
            assert origin is not None
            fact = new(
                TransferShipped, (transfer_id, part, revision, origin, receiver, quantity, source, occurred_at)
            )
        else:
            fact = new(
                TransferReceived, (transfer_id, part, revision, origin, receiver, quantity, source, occurred_at)
            )
    return new(Event, ("transfer-recorded", sku, event_id, correlation_id, fact))


def _usual(texts: str, occurred_at: Micros, revision: int, quantity: int | None) -> bool:
    """Whether what all these messages share is beyond doubt; ``texts`` are all of them in one."""
    return (
        quantity is not None
        and 0 <= quantity <= MAX_QUANTITY
        and EARLIEST <= occurred_at < LATEST
        and 0 <= revision <= MAX_REVISION
        and len(texts) <= MAX_ID_CHARACTERS
        and texts.isprintable()
    )


def _interned(text: str | None) -> str | None:
    return None if text is None else intern(text)
