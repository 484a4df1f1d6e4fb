"""What holds of the planner whatever happens: order, budget, sequence, coalescing, convergence, joins."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from domain.budget import TokenBucket
from domain.facts import SECOND
from domain.listings import ACCEPTED, P4, REJECTED, UNKNOWN, Listing, classify, join
from domain.planner import ChannelUpdate, Planner
from domain.policy import Held, PublishPolicy
from tests.publishing import CHANNEL, Account, Change, sequence

LISTINGS = "abcd"
AFTER_ALL = 10**6 * SECOND

publish_policies = st.builds(
    PublishPolicy,
    rate_per_s=st.builds(Fraction, st.integers(1, 5), st.integers(1, 7)),
    burst=st.integers(1, 3),
    rise_debounce=st.sampled_from([0, 5 * SECOND, 30 * SECOND]),
    min_delta=st.builds(Held, st.integers(0, 5), st.builds(Fraction, st.integers(0, 20))),
    low_band=st.integers(0, 5),
    heartbeat=st.sampled_from([SECOND, 60 * SECOND]),
    resend_after=st.sampled_from([0, 10 * SECOND, 60 * SECOND]),
)
quantities = st.integers(0, 20) | st.integers(0, 1000)


class Want(NamedTuple):
    listing: str
    quantity: int
    force: bool


class Tick(NamedTuple):
    budget: int


class Answer(NamedTuple):
    """The channel answers the update that was told that many updates ago; ``ahead``: one nobody here told."""

    back: int
    outcome: str
    ahead: int


class FullSync(NamedTuple):
    pass


class Wait(NamedTuple):
    micros: int


wants = st.builds(Want, st.sampled_from(LISTINGS), quantities, st.sampled_from([False, False, False, True]))
ticks = st.builds(Tick, st.integers(0, 4))
waits = st.builds(Wait, st.sampled_from([1, SECOND, 9 * SECOND, 60 * SECOND]))
outcomes = st.sampled_from([ACCEPTED, ACCEPTED, REJECTED, UNKNOWN])
answers = st.builds(Answer, st.integers(1, 6), outcomes, st.sampled_from([0, 0, 0, 7]))
steps = st.lists(wants | ticks | answers | waits | st.builds(FullSync), max_size=60)


class Told(NamedTuple):
    """An update beside what the planner knew of the listing just before the tick."""

    update: ChannelUpdate
    before: Listing


class Run:
    """A planner driven step by step, with everything it told."""

    def __init__(self, publish: PublishPolicy) -> None:
        self.next_seq = sequence()
        self.planner = Planner(CHANNEL, publish, self.next_seq)
        self.began_seq: int | None = None
        self.now = 0
        self.ticks: list[list[Told]] = []
        self.wanted: dict[str, int] = {}
        self.wants = 0

    @property
    def told(self) -> list[Told]:
        return [told for tick in self.ticks for told in tick]

    def step(self, step: Want | Tick | Answer | FullSync | Wait) -> None:
        match step:
            case Want(listing, quantity, force):
                self.planner.want(listing, quantity, self.now, force=force)
                self.wanted[listing] = quantity
                self.wants += 1
            case Tick(budget):
                self.tick(budget)
            case Answer(back, outcome, ahead):
                self.answer(back, outcome, ahead)
            case FullSync():
                self.full_sync()
            case Wait(micros):
                self.now += micros

    def full_sync(self) -> None:
        """From now on ticks tell every listing once more with what is left of their budget."""
        self.began_seq = self.next_seq()

    def tick(self, budget: int) -> None:
        before = dict(self.planner.listings)
        updates = self.planner.tick(self.now, budget)
        if self.began_seq is not None:
            for listing in sorted(before):
                if len(updates) < budget:
                    updates += self.planner.tell_once_more([(listing, self.began_seq)], self.now)
        self.ticks.append([Told(update, before[update.listing]) for update in updates])

    def answer(self, back: int, outcome: str, ahead: int) -> None:
        if len(self.told) >= back:
            update = self.told[-back].update
            quantity = update.quantity + ahead
            self.planner.acknowledged(update.listing, update.publish_seq + ahead, outcome, quantity, self.now)


def run_of(publish: PublishPolicy, script: list[Want | Tick | Answer | FullSync | Wait]) -> Run:
    run = Run(publish)
    for step in script:
        run.step(step)
    return run


@given(publish_policies, steps)
def test_the_backlog_is_at_most_one_per_listing(publish, script) -> None:
    run = run_of(publish, script)
    run.ticks.clear()
    run.full_sync()
    run.tick(10**6)

    changes = [told.update.listing for told in run.told if told.update.priority != P4]
    assert len(changes) == len(set(changes)) <= len(LISTINGS)
    # A repetition has its old number, and a sink may know that one: it does not stand for the full sync.
    anew = [told.update.listing for told in run.told if told.update.reason != "UNANSWERED"]
    assert len(anew) == len(set(anew)) <= len(LISTINGS)


@given(publish_policies, steps)
def test_a_tick_keeps_to_its_budget_and_to_the_order_of_classes(publish, script) -> None:
    run = Run(publish)
    for step in script:
        run.step(step)
        if isinstance(step, Tick):
            told = run.ticks[-1]
            assert len(told) <= step.budget
            priorities = [entry.update.priority for entry in told]
            assert priorities == sorted(priorities)


@given(publish_policies, steps)
def test_the_sequence_of_a_listing_grows_except_for_a_repetition_word_for_word(publish, script) -> None:
    last: dict[str, ChannelUpdate] = {}
    for update, before in run_of(publish, script).told:
        if update.reason == "UNANSWERED":
            assert update.publish_seq == before.publish_seq
            assert update.quantity == before.last_quantity
        else:
            assert update.publish_seq > before.publish_seq
            assert update.listing not in last or update.publish_seq > last[update.listing].publish_seq
        last[update.listing] = update


@given(publish_policies, steps)
def test_the_same_value_is_told_again_only_for_a_reason(publish, script) -> None:
    for update, before in run_of(publish, script).told:
        if update.quantity == before.last_quantity:
            assert update.priority == P4 or update.reason in {"REPEATED", "UNANSWERED", "REFUSED"}


@given(publish_policies, steps)
def test_a_change_is_told_in_its_class(publish, script) -> None:
    for update, before in run_of(publish, script).told:
        if update.priority != P4 and update.reason not in {"REPEATED", "UNANSWERED", "REFUSED"}:
            assert update.priority == classify(before.last_quantity, update.quantity, publish)


@given(publish_policies, steps, st.sampled_from(LISTINGS), quantities, quantities)
def test_a_fall_never_waits_for_a_debounce(publish, script, listing, high, low) -> None:
    run = run_of(publish, script)
    run.now += AFTER_ALL
    run.planner.want(listing, max(high, low), run.now)
    run.now += AFTER_ALL
    run.tick(10**6)
    run.planner.want(listing, min(high, low), run.now)
    run.ticks.clear()
    run.tick(10**6)

    if classify(max(high, low), min(high, low), publish) in {"P0", "P1", "P2"}:
        assert [told.update.quantity for told in run.told if told.update.listing == listing] == [min(high, low)]


@given(publish_policies, steps)
def test_with_budget_time_and_answers_the_channel_ends_with_what_it_should_show(publish, script) -> None:
    run = run_of(publish, script)
    for _ in range(20):
        run.now += AFTER_ALL
        run.tick(10**6)
        for update, _ in run.ticks[-1]:
            run.planner.acknowledged(update.listing, update.publish_seq, ACCEPTED, update.quantity, run.now)

    listings = run.planner.listings
    assert {name: listings[name].last_quantity for name in run.wanted} == run.wanted
    unanswered_for_good = {name for name in listings if not listings[name].is_settled}
    assert not unanswered_for_good or publish.resend_after == 0
    assert run.ticks[-1] == []


@given(publish_policies, steps)
def test_the_next_wake_misses_nothing(publish, script) -> None:
    run = run_of(publish, script)
    for _ in range(200):
        wake = run.planner.next_wake()
        if wake is None or wake > run.now:
            break
        run.tick(10**6)
    wake = run.planner.next_wake()
    assert wake is None or wake > run.now
    run.now = 10**15 if wake is None else wake - 1

    assert run.planner.ready(run.now) == 0
    assert run.planner.tick(run.now, 10**6) == []


@given(publish_policies, steps)
def test_a_successor_that_restores_the_rows_tells_the_same(publish, script) -> None:
    run = run_of(publish, script)
    successor = Planner(CHANNEL, publish, sequence(first=10**6))
    for name, listing in run.planner.listings.items():
        successor.restore(name, listing, run.now)

    def tell(planner: Planner) -> list[tuple[str, int, str]]:
        updates = planner.tick(run.now, 10**6)
        return [(update.listing, update.quantity, update.priority) for update in updates if update.priority != P4]

    assert tell(successor) == tell(run.planner)


changes = st.lists(
    st.builds(Change, st.integers(0, 100 * SECOND), st.sampled_from(LISTINGS), quantities), max_size=40
)


@given(publish_policies, changes, st.booleans())
def test_no_more_than_rate_times_time_plus_burst_is_told_in_any_window(publish, script, answers) -> None:
    account = Account(publish, answers=answers)
    times = [update.planned_at for update in account.run(sorted(script), 300 * SECOND)]
    for index, start in enumerate(times):
        for count, end in enumerate(times[index:], 1):
            assert count <= publish.burst + publish.rate_per_s * (end - start) / SECOND


@given(publish_policies, changes)
def test_the_latest_values_are_told_in_the_end(publish, script) -> None:
    account = Account(publish)
    script = sorted(script)
    account.run(script, AFTER_ALL)

    shown = {update.listing: update.quantity for update in account.updates}
    assert shown == {change.listing: change.quantity for change in script}


takes = st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(0, 5), st.integers(0, 3)), max_size=30)


@given(st.builds(Fraction, st.integers(0, 9), st.integers(1, 9)), st.integers(0, 5), takes)
def test_a_bucket_grants_exactly_what_its_rate_allows(rate, burst, script) -> None:
    bucket = TokenBucket.filled(rate, burst, 0)
    tokens, at = Fraction(burst), 0
    for now, wanted, keep in sorted(script):
        granted, bucket = bucket.take(now, wanted, keep)
        tokens = min(Fraction(burst), tokens + rate * (now - at) / SECOND)
        assert granted == max(0, min(wanted, int(tokens) - keep))
        tokens, at = tokens - granted, now
        next_at = bucket.next_at()
        if next_at is not None:
            assert bucket.take(next_at, 1)[0] == 1
            assert next_at == now or bucket.take(next_at - 1, 1)[0] == 0


# -- joins -------------------------------------------------------------------------------------------------------

small = st.integers(0, 3)
listings = st.builds(
    Listing,
    last_quantity=st.none() | small,
    last_sent_at=st.none() | small,
    publish_seq=small,
    desired=st.none() | small,
    pending_since=st.none() | small,
    rise_since=st.none() | small,
    acked_seq=small,
    acked_quantity=st.none() | small,
    resends=small,
    forced=st.booleans(),
    sku=st.sampled_from(["", "s"]),
)


@given(listings, listings, listings)
def test_joining_rows_is_commutative_associative_and_idempotent(a, b, c) -> None:
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)
    assert join(a, a) == a


@given(listings, listings)
def test_a_join_keeps_the_newest_number_and_the_newest_answer(a, b) -> None:
    joined = join(a, b)

    assert joined.publish_seq == max(a.publish_seq, b.publish_seq)
    assert joined.acked_seq == max(a.acked_seq, b.acked_seq)


@given(publish_policies, steps, st.data())
def test_old_rows_change_nothing(publish, script, data) -> None:
    run = Run(publish)
    rows: dict[str, list[Listing]] = {}
    for step in script:
        run.step(step)
        for name, listing in run.planner.listings.items():
            rows.setdefault(name, []).append(listing)
    for history in rows.values():
        joined = Listing()
        for row in data.draw(st.permutations(history)):
            joined = join(joined, row)
        newest = history[-1]
        assert joined[:3] == newest[:3]
        assert (joined.acked_seq, joined.acked_quantity) == (newest.acked_seq, newest.acked_quantity)
