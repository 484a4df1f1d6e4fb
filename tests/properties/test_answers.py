"""Latency, velocity and exposure against what they stand for: a look at everything that happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from math import ceil
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from domain import latency, velocity
from domain.availability import tally_of
from domain.exposure import ExposureBook, ExposureTotals
from domain.facts import SECOND, Fact, Micros
from domain.guarding import guards_of
from domain.latency import LATENCY_BOUNDS, MILLISECOND, LatencyWindow
from domain.policy import ChannelPolicy, Policy
from domain.prices import Price
from domain.velocity import Sales
from tests.builders import state_of
from tests.properties.histories import histories, instants

samples = st.lists(
    st.tuples(st.integers(0, 30 * latency.SLOT), st.integers(0, 10**12) | st.integers(0, 3 * SECOND)), max_size=60
)
parts = st.builds(Fraction, st.integers(1, 100), st.just(100))


@given(samples, st.randoms(use_true_random=False), st.integers(0, 60), parts)
def test_latencies_count_in_any_order_and_in_any_parts(
    taken: list[tuple[int, int]], chance: Random, cut: int, part: Fraction
) -> None:
    whole = LatencyWindow(taken)
    shuffled = list(taken)
    chance.shuffle(shuffled)
    one, other = LatencyWindow(shuffled[:cut]), LatencyWindow(shuffled[cut:])
    one.merge(other)

    assert LatencyWindow(shuffled) == whole
    assert one == whole
    assert one.quantile(part) == whole.quantile(part)


@given(samples.filter(bool), parts)
def test_a_quantile_is_at_least_the_true_one_and_little_more(taken: list[tuple[int, int]], part: Fraction) -> None:
    newest = max(at // latency.SLOT for at, _ in taken)
    counted = sorted(each for at, each in taken if at // latency.SLOT > newest - latency.SLOTS)
    true = min(counted[ceil(len(counted) * part) - 1], LATENCY_BOUNDS[-1])

    told = LatencyWindow(taken).quantile(part)

    assert told is not None
    assert true <= told <= 1.19 * true + MILLISECOND


NOW = 10**6 * velocity.SLOT
sales = st.lists(
    st.tuples(
        st.sampled_from(["web", "amazon"]),
        st.integers(NOW - 300 * velocity.SLOT, NOW + 3 * velocity.SLOT),
        st.integers(1, 9),
    ),
    max_size=60,
)


@given(sales, st.randoms(use_true_random=False), st.integers(0, 400))
def test_velocity_is_of_the_set_of_sales_whenever_it_is_asked(
    made: list[tuple[str, int, int]], chance: Random, later: int
) -> None:
    """Also when it was asked in between, and when sales were taken back and made again."""
    now = NOW + later * velocity.SLOT
    slot = now // velocity.SLOT
    tracked = Sales()
    shuffled = [*made, *made]
    chance.shuffle(shuffled)
    seen: defaultdict[tuple[str, int, int], int] = defaultdict(int)
    for each in shuffled:
        tracked.add(*each)
        seen[each] += 1
        tracked.per_hour("web", NOW)
    for channel, at, units in made:
        tracked.add(channel, at, -units)
    for channel in ("web", "amazon"):
        counted = [
            (at // velocity.SLOT, units)
            for name, at, units in made
            if name == channel and at // velocity.SLOT <= slot + velocity.AHEAD_SLOTS
        ]
        hour = sum(units for at, units in counted if at >= slot - velocity.RECENT_SLOTS)
        day = sum(units for at, units in counted if at >= slot - velocity.DAILY_SLOTS)
        assert tracked.per_hour(channel, now) == max(Fraction(hour), Fraction(day, 24))


changes = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.none() | st.integers(0, 9), st.none() | st.integers(0, 9), st.booleans()
    ),
    max_size=60,
)


prices_of_some = st.builds(Price, st.integers(0, 100), st.sampled_from(["EUR", "JPY"]))


@given(changes, st.dictionaries(st.sampled_from("abcd"), prices_of_some))
def test_exposure_adds_up_to_a_look_at_every_listing(
    made: list[tuple[str, int | None, int | None, bool]], prices: dict[str, Price]
) -> None:
    book = ExposureBook()
    shown: dict[str, tuple[int | None, int | None]] = {}
    since: dict[str, int] = {}
    for now, (listing, accepted, safe, gone) in enumerate(made):
        if gone:
            book.forget(listing)
            shown.pop(listing, None)
        else:
            book.observe(listing, accepted, safe, now, price=prices.get(listing))
            shown[listing] = accepted, safe
        exposed = not gone and accepted is not None and safe is not None and accepted > safe
        if not exposed:
            since.pop(listing, None)
        else:
            since.setdefault(listing, now)
    excess = {
        listing: accepted - safe
        for listing, (accepted, safe) in shown.items()
        if accepted is not None and safe is not None and accepted > safe
    }

    values: Counter[str] = Counter()
    for listing, units in excess.items():
        if listing in prices:
            values[prices[listing].currency] += units * prices[listing].amount
    totals = book.totals()

    assert totals._replace(
        values={name: value for name, value in totals.values.items() if value}
    ) == ExposureTotals(
        len(excess),
        sum(excess.values()),
        {name: value for name, value in values.items() if value},
        sum(units for listing, units in excess.items() if listing not in prices),
        min(since.values(), default=None),
    )
    [largest] = book.largest(9)
    assert {each.listing: each.units for each in largest} == excess
    assert {each.listing: each.since for each in largest} == since


GUARDED = Policy(channels={name: ChannelPolicy(service_level=Fraction(99, 100)) for name in ("web", "shop")})
HOURLY = {"web": 3600 * SECOND, "shop": 60 * SECOND}


@given(
    known=histories(), nows=st.lists(instants, min_size=1, max_size=4), chance=st.randoms(use_true_random=False)
)
def test_guards_are_of_the_set_of_facts_whatever_the_order(
    known: list[Fact], nows: list[Micros], chance: Random
) -> None:
    state = state_of([], GUARDED)
    for index, fact in enumerate(known):
        state.fold(fact)
        guards_of(tally_of(state, GUARDED), HOURLY, nows[index % len(nows)])
    again = list(state.facts())
    chance.shuffle(again)
    fresh = state_of([*again, *again])
    now = max(nows)

    assert guards_of(tally_of(state, GUARDED), HOURLY, now) == guards_of(tally_of(fresh, GUARDED), HOURLY, now)
