"""The one question that builders ask about all fields never accepts what the examination would refuse."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from domain.facts import Event
from schemas import checks
from schemas.checks import Checks, problem_with_event
from schemas.intake import builders
from schemas.limits import EARLIEST, LATEST, MAX_ORDINAL, MAX_QUANTITY, MAX_REVISION, text_problem, time_problem
from schemas.rejections import MISSING_AS_OF, Rejection
from tests.unit.schemas.samples import LINES, fields_of_line

EVENTS = sorted(name for name in LINES if LINES[name]["type"] in builders())
CHECKS: dict[tuple[str, str | None], Checks] = {
    ("stock-adjusted", "BALANCE"): checks.BALANCE,
    ("stock-adjusted", "DELTA"): checks.DELTA,
    ("order-released", None): checks.ORDER_LINE,
    ("shipment-confirmed", None): checks.SHIPMENT,
    ("reservation-changed", "REQUESTED"): checks.RESERVATION_REQUESTED,
    ("reservation-changed", "RELEASED"): checks.RESERVATION_RELEASED,
    ("return-recorded", "RECEIVED"): checks.RETURN_RECEIVED,
    ("return-recorded", "DISPOSED"): checks.RETURN_DISPOSED,
    ("transfer-recorded", "SHIPPED"): checks.TRANSFER_SHIPPED,
    ("transfer-recorded", "RECEIVED"): checks.TRANSFER_RECEIVED,
    ("transfer-recorded", "CLOSED"): checks.TRANSFER_CLOSED,
}
TEXTS = ["", "x", "x" * 200, "x" * 256, "x" * 257, "\n", "\ud800", "\u00a0", "é"]
REQUIRED = {
    "sku",
    "event_id",
    "source",
    "order_id",
    "line_id",
    "shipment_id",
    "reservation_id",
    "return_id",
    "part",
}
TIMES = {"occurred_at", "as_of", "expires_at"}
INTEGERS = [
    -1,
    0,
    1,
    MAX_QUANTITY,
    MAX_QUANTITY + 1,
    -MAX_QUANTITY - 1,
    MAX_REVISION,
    MAX_REVISION + 1,
    MAX_ORDINAL,
]
INSTANTS = [EARLIEST - 1, EARLIEST, LATEST - 1, LATEST, 0, -1]
NEVER_NULL = {"occurred_at", "revision", "version", "sequence", "cancelled_quantity", "transfer_id"} | REQUIRED


def odd(topic: str, field: str, value: Any) -> st.SearchStrategy[Any]:
    """What else may come in a field, of the type that its schema gives it."""
    if field in ("state", "bucket", "kind", "step", "action", "final", "reason", "basis", "ext", "includes"):
        return st.just(value)
    known = INSTANTS if field in TIMES else INTEGERS if field in NUMBERS else TEXTS
    others = [] if field in NEVER_NULL or (topic, field) in REQUIRED_HERE else [None]
    return st.sampled_from([*known, *others])


NUMBERS = {"revision", "version", "sequence", "quantity", "cancelled_quantity", "restocked", "scrapped"}
REQUIRED_HERE = {
    ("stock-adjusted", "location"),
    ("stock-adjusted", "quantity"),
    ("order-released", "quantity"),
    ("shipment-confirmed", "location"),
    ("shipment-confirmed", "quantity"),
    ("reservation-changed", "quantity"),
    ("return-recorded", "location"),
}


def examined(topic: str, fields: dict[str, Any]) -> Rejection | None:
    """What the exact and slow examination says."""
    kind = fields.get("kind") or fields.get("step") or fields.get("action")
    problem = problem_with_event(fields, CHECKS[topic, kind])
    if problem is None and topic == "transfer-recorded":
        problem = text_problem((("part", fields["part"] or None),))
    if problem is None and kind == "BALANCE" and fields["as_of"] is not None:
        problem = time_problem("as_of", fields["as_of"])
    return problem


@given(st.sampled_from(EVENTS), st.data())
def test_builders_refuse_exactly_what_the_examination_refuses(name: str, data: st.DataObject) -> None:
    topic, fields = str(LINES[name]["type"]), fields_of_line(LINES[name])
    for field in data.draw(st.sets(st.sampled_from(sorted(fields)), min_size=1, max_size=2)):
        fields[field] = data.draw(odd(topic, field, fields[field]))

    outcome: Any = builders()[topic](fields)

    expected = examined(topic, fields)
    event("refused" if expected else "accepted")
    if isinstance(outcome, Rejection):
        assert outcome == expected or (outcome.code == MISSING_AS_OF and fields["as_of"] is None)
        return
    assert expected is None
    assert isinstance(outcome, Event)
    assert (outcome.topic, outcome.sku, outcome.event_id) == (topic, fields["sku"], fields["event_id"])
    said = outcome.fact._asdict()
    assert said | {"includes": None} == {field: fields[field] for field in said} | {"includes": None}
