from __future__ import annotations

from domain.explain import Explanation, Waterfall, explain
from domain.facts import Fact
from domain.policy import EXCLUSIVE, ChannelPolicy, Held, LocationPolicy, Policy, PoolPolicy
from domain.steps import MOVEMENTS, steps_of
from tests.builders import adjustment, balance, line, reservation, seconds, shipment, state_of

POLICY = Policy(
    locations={"A": LocationPolicy(Held(3))},
    pools={"default": PoolPolicy(network_safety_stock=Held(1))},
    channels={"web": ChannelPolicy(mode=EXCLUSIVE, quota=5), "shop": ChannelPolicy(buffer=Held(2), pack_size=2)},
)
FACTS: list[Fact] = [
    balance(20, 10, basis="NET_OF_OPEN_ORDERS"),
    line(4, 5),
    shipment(3, 20),
    line(2, 15, "O2"),
    line(1, 15, "O3", location=None),
    reservation(2),
    adjustment(5, 30),
    line(9, 15, "O4", location="B"),
]


def explained() -> Explanation:
    return explain(state_of(FACTS), POLICY, seconds(50))


def waterfall(explanation: Explanation, scope: str, name: str) -> Waterfall:
    (found,) = [one for one in explanation.waterfalls if (one.scope, one.name) == (scope, name)]
    return found


def check(found: Waterfall) -> None:
    """Each total of a location is the one before it with the steps between."""
    running = 0
    for term in found.terms:
        if term.is_total and term.name in ("on_hand", "net"):
            assert term.units == running, (found.name, term)
        elif not term.is_total:
            running += term.units


def test_the_steps_of_a_location_add_up_to_its_totals() -> None:
    check(waterfall(explained(), "location", "A"))
    check(waterfall(explained(), "location", "B"))


def test_the_steps_end_with_the_numbers_that_are_told() -> None:
    explanation = explained()
    assessment = explanation.assessment
    for name, numbers in assessment.locations.items():
        assert waterfall(explanation, "location", name).terms[-1].units == numbers.available_to_sell
    for name, pool in assessment.pools.items():
        assert waterfall(explanation, "pool", name).terms[-1].units == pool.available_to_sell
    for name, quantity in assessment.channels.items():
        assert waterfall(explanation, "channel", name).terms[-1].units == quantity


def test_orders_that_a_net_balance_had_deducted_are_added_back_visibly() -> None:
    steps = {term.name: term.units for term in waterfall(explained(), "location", "A").terms}
    assert (steps["balance"], steps["open_orders_added_back"]) == (20, 4)
    assert (steps["shipments"], steps["adjustments"], steps["on_hand"]) == (-3, 5, 26)


def test_documents_behind_a_step_are_named() -> None:
    terms = {term.name: term for term in waterfall(explained(), "location", "A").terms}
    assert terms["shipments"].refs == ("S1",)
    assert terms["reserved"].refs
    assert terms["soft_reserved"].refs
    assert terms["balance"].at == seconds(10)
    assert terms["withheld"].note.startswith("3 of safety stock")


def test_a_shortage_that_is_not_re_sourced_is_counted_in_its_note() -> None:
    policy = Policy(pools={"default": PoolPolicy(re_sourcing=False)})
    told = explain(state_of([balance(1), line(4)]), policy, 0)
    (short,) = [term for term in waterfall(told, "pool", "default").terms if term.name == "demand_shortage"]
    assert (short.units, short.note) == (0, "3 short, but demand is not re-sourced")


def test_a_message_says_the_same_with_the_movements_in_one_step() -> None:
    state = state_of(FACTS)
    for steps, told in zip(steps_of(state, POLICY, explained().assessment), explained().waterfalls, strict=True):
        said = dict(zip(steps.layout.names, steps.units, strict=True))
        terms = {term.name: term.units for term in told.terms}
        moved = sum(terms.pop(kind, 0) for kind in ("shipments", "adjustments"))
        assert said.pop(MOVEMENTS, 0) == moved
        assert (steps.scope, steps.name, said) == (told.scope, told.name, terms)


def test_a_location_that_sells_nothing_says_why() -> None:
    closed = Policy(locations={"A": LocationPolicy(status="CLOSED")})
    told = explain(state_of([balance(5)]), closed, 0)
    assert "CLOSED" in waterfall(told, "location", "A").terms[-1].note
    bootstrap = explain(state_of([adjustment(5)]), Policy(), 0)
    assert "no balance yet" in waterfall(bootstrap, "location", "A").terms[-1].note
    negative = explain(state_of([balance(1), line(4)]), Policy(), 0)
    assert "less than nothing" in waterfall(negative, "location", "A").terms[-1].note
