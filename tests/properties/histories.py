"""Strategies: facts of every kind about one SKU, with so few names and instants that everything collides."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from hypothesis import strategies as st

from domain import facts as domain_facts
from domain.facts import BASES, BUCKETS, LINE_STATES, OPEN, Fact, Micros
from domain.policy import (
    EXCLUSIVE,
    PERCENT,
    SHARED,
    ChannelPolicy,
    Held,
    LocationPolicy,
    Policy,
    PoolPolicy,
    SourcePolicy,
)
from tests.builders import seconds

LAST_SECOND = 12
MOST_FACTS = 24

places = st.sampled_from(["A", "A", "B"])
origins = st.sampled_from(["erp", "wms"])
instants = st.integers(0, LAST_SECOND).map(seconds)
units = st.integers(0, 6)
revisions = st.sampled_from([0, 0, 0, 1])
buckets = st.sampled_from([BUCKETS[0], *BUCKETS])
documents = st.sampled_from(["D1", "D2", "D3"])
"""Shipments, returns, transfers and the adjustments that echo them share these ids."""
parts = st.sampled_from(["1", "2"])
orders = st.sampled_from(["O1", "O1", "O2"])
reservations = st.sampled_from(["V1", "V2"])
channels = st.sampled_from(["web", "shop", None])
listed = st.none() | st.lists(documents | st.just("a1"), max_size=2, unique=True).map(tuple)


def a_fact(at: st.SearchStrategy[Micros] = instants) -> st.SearchStrategy[Fact]:
    """A fact of any kind, about something that happened ``at``."""
    return st.one_of(
        a_balance(at),
        an_adjustment(at),
        a_line(at),
        a_shipment(at),
        *_of_reservations(at),
        *_of_returns(at),
        *_of_transfers(at),
    )


def an_adjustment(at: st.SearchStrategy[Micros] = instants) -> st.SearchStrategy[domain_facts.Adjustment]:
    return st.builds(
        domain_facts.Adjustment,
        source=origins,
        adjustment_id=st.sampled_from(["a1", "a2"]),
        revision=revisions,
        location=places,
        bucket=buckets,
        quantity=st.integers(-4, 4),
        reason=st.just("OTHER"),
        document_ref=st.none() | documents,
        occurred_at=at,
    )


def _of_reservations(at: st.SearchStrategy[Micros]) -> tuple[st.SearchStrategy[Fact], ...]:
    return (
        st.builds(
            domain_facts.Reservation,
            reservation_id=reservations,
            revision=revisions,
            quantity=units,
            location=st.none() | places,
            channel=channels,
            expires_at=instants,
            source=origins,
            occurred_at=at,
        ),
        st.builds(
            domain_facts.ReservationRelease,
            reservation_id=reservations,
            release_id=st.sampled_from(["X1", "X2"]),
            revision=revisions,
            quantity=units,
            source=origins,
            occurred_at=at,
        ),
    )


def _of_returns(at: st.SearchStrategy[Micros]) -> tuple[st.SearchStrategy[Fact], ...]:
    return (
        st.builds(
            domain_facts.ReturnReceived,
            return_id=documents,
            revision=revisions,
            location=places,
            quantity=units,
            source=origins,
            occurred_at=at,
        ),
        st.builds(
            domain_facts.ReturnDisposed,
            return_id=documents,
            revision=revisions,
            location=places,
            restocked=units,
            scrapped=st.integers(0, 2),
            source=origins,
            occurred_at=at,
        ),
    )


def _of_transfers(at: st.SearchStrategy[Micros]) -> tuple[st.SearchStrategy[Fact], ...]:
    return (
        st.builds(
            domain_facts.TransferShipped,
            transfer_id=documents,
            part=parts,
            revision=revisions,
            from_location=places,
            to_location=places,
            quantity=units,
            source=origins,
            occurred_at=at,
        ),
        st.builds(
            domain_facts.TransferReceived,
            transfer_id=documents,
            part=parts,
            revision=revisions,
            from_location=st.none() | places,
            to_location=places,
            quantity=units,
            source=origins,
            occurred_at=at,
        ),
        st.builds(
            domain_facts.TransferClosed, transfer_id=documents, revision=revisions, source=origins, occurred_at=at
        ),
    )


def a_balance(at: st.SearchStrategy[Micros] = instants) -> st.SearchStrategy[domain_facts.Balance]:
    return st.builds(
        domain_facts.Balance,
        location=places,
        bucket=st.sampled_from([BUCKETS[0], BUCKETS[0], BUCKETS[0], *BUCKETS]),
        source=origins,
        as_of=at,
        sequence=st.integers(0, 1),
        revision=revisions,
        quantity=st.integers(-3, 20),
        basis=st.sampled_from(BASES),
        includes=st.none() | listed,
        occurred_at=at,
    )


def a_line(at: st.SearchStrategy[Micros] = instants) -> st.SearchStrategy[domain_facts.LineVersion]:
    return st.builds(
        domain_facts.LineVersion,
        order_id=orders,
        line_id=st.just("1"),
        version=st.integers(1, 3),
        revision=revisions,
        quantity=st.sampled_from([6, 5, 3, 2, 1, 0]),
        cancelled_quantity=st.sampled_from([0, 0, 2]),
        state=st.sampled_from([OPEN, OPEN, OPEN, *LINE_STATES]),
        location=st.sampled_from(["A", "A", "B", None]),
        channel=channels,
        reservation_id=st.none() | reservations,
        kit_ref=st.none(),
        source=origins,
        occurred_at=at,
    )


def a_shipment(at: st.SearchStrategy[Micros] = instants) -> st.SearchStrategy[domain_facts.Shipment]:
    return st.builds(
        domain_facts.Shipment,
        shipment_id=documents,
        order_id=orders,
        line_id=st.just("1"),
        revision=revisions,
        location=places,
        quantity=units,
        final=st.sampled_from([False, False, True]),
        source=origins,
        occurred_at=at,
    )


def histories(min_size: int = 0) -> st.SearchStrategy[list[Fact]]:
    """Facts in an order of arrival that has nothing to do with when they happened; some arrive twice."""
    fact = st.one_of(a_line(), a_shipment(), a_balance(), a_fact(), a_fact())
    # The first alternative is what examples shrink to, the second is where collisions are.
    return st.lists(fact, min_size=min_size, max_size=6) | st.lists(fact, min_size=8, max_size=MOST_FACTS)


@st.composite
def orders_of(draw: st.DrawFn, known: Sequence[Fact]) -> list[Fact]:
    """The same facts in another order, some of them delivered again."""
    again = draw(st.lists(st.sampled_from(known), max_size=3)) if known else []
    return list(draw(st.permutations([*known, *again])))


helds = st.builds(Held, st.integers(0, 4), st.sampled_from([Fraction(0), Fraction(10), Fraction(25, 2)]))
lags = st.dictionaries(
    st.sampled_from(["shipment", "return", "transfer", "adjustment"]), st.integers(0, 3).map(seconds), max_size=2
)
source_policies = st.builds(
    SourcePolicy,
    posting_lag=lags,
    order_lag=st.integers(0, 2).map(seconds),
    clock_skew=st.integers(0, 2).map(seconds),
)
location_policies = st.builds(
    LocationPolicy,
    safety_stock=helds,
    base=st.sampled_from(["ON_HAND", "NET"]),
    status=st.sampled_from(["OPEN", "OPEN", "EXCLUDED", "CLOSED"]),
)
pool_policies = st.builds(
    PoolPolicy,
    locations=st.sampled_from([None, None, ("A",), ("B", "A"), ("A", "C")]),
    re_sourcing=st.booleans(),
    network_safety_stock=helds,
)
channel_policies = st.builds(
    ChannelPolicy,
    pool=st.sampled_from(["default", "default", "store"]),
    mode=st.sampled_from([SHARED, EXCLUSIVE, PERCENT]),
    quota=st.integers(0, 12),
    quota_from=st.none() | instants,
    priority=st.integers(0, 2),
    percent=st.sampled_from([Fraction(33), Fraction(100), Fraction(25, 2)]),
    ring_fenced=st.booleans(),
    guard_units=st.integers(0, 2),
    buffer=helds,
    stop_sell_at=st.integers(0, 2),
    pack_size=st.integers(1, 3),
    cap=st.none() | st.integers(0, 9),
    blocked=st.sampled_from([False, False, True]),
)
policies = st.builds(
    Policy,
    sources=st.dictionaries(origins, source_policies, max_size=2),
    default_location=location_policies,
    locations=st.dictionaries(places, location_policies, max_size=1),
    pools=st.dictionaries(st.sampled_from(["default", "store"]), pool_policies, max_size=2),
    channels=st.dictionaries(st.sampled_from(["web", "shop"]), channel_policies, max_size=2),
    max_lateness=st.sampled_from([0, seconds(3), seconds(100)]),
    closed_line_retention=st.sampled_from([0, seconds(3)]),
)
