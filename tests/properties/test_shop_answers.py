"""Whatever a shop answers, each update gets one result, and none is accepted that the answer does not show."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connectors.channels import bigcommerce_wire, walmart_feed_wire, walmart_wire, woocommerce_wire
from connectors.channels.base import REASON_CHARS, Outcome, Result, Update
from connectors.channels.http import Answered, UnreadableAnswer
from tests.conformance.rig import update

WORDS = st.sampled_from([
    "update", "id", "error", "code", "data", "status", "message", "stock_quantity", "transaction_id", "title",
    "nodes", "shipNode", "errors", "category", "SYSTEM", "quantity", "amount", "sku", "feedId", "feedStatus",
    "itemDetails", "itemIngestionStatus", "ingestionStatus", "ingestionErrors", "ingestionError", "index", "feed",
    "results", "feedType", "inventory", "10001", "1", "2", "S-1",
])  # fmt: skip
SCALARS = st.one_of(
    WORDS, st.integers(-2, 7), st.none(), st.booleans(), st.floats(allow_nan=False), st.text(max_size=5)
)
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=4)),
    max_leaves=25,
)


def mostly(likely: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """This, and now and then anything."""
    return st.integers(0, 7).flatmap(lambda draw: likely if draw else DOCUMENTS)


def entries(
    fields: dict[str, st.SearchStrategy[Any]], optional: dict[str, st.SearchStrategy[Any]] | None = None
) -> st.SearchStrategy[Any]:
    """Lists of what a vendor says of each update."""
    entry = st.fixed_dictionaries({name: mostly(field) for name, field in fields.items()}, optional=optional)
    return mostly(st.lists(mostly(entry), max_size=4))


FAILED = st.fixed_dictionaries({"code": WORDS, "data": st.fixed_dictionaries({"status": st.integers(399, 501)})})
ERRORS = entries({"code": WORDS, "category": st.sampled_from(["SYSTEM", "DATA"])})
STATUSES = st.sampled_from(["SUCCESS", "Success", "DATA_ERROR", "SYSTEM_ERROR", "INPROGRESS", "FAILED"])
NODES = st.sampled_from(["10001", "1", 1])
INGESTED = entries(
    {"sku": st.sampled_from(["S-1", "2", "?"]), "index": st.integers(0, 2), "ingestionStatus": STATUSES}
)
SHAPED = st.fixed_dictionaries(
    {
        "transaction_id": mostly(st.just("tr-1")),
        "update": entries({"id": st.integers(1, 3), "stock_quantity": st.sampled_from([3, 5])}, {"error": FAILED}),
        "quantity": mostly(st.fixed_dictionaries({"amount": st.integers(4, 6)})),
        "nodes": entries({"shipNode": NODES, "status": STATUSES}, {"errors": ERRORS}),
        "itemDetails": mostly(st.fixed_dictionaries({"itemIngestionStatus": INGESTED})),
        "feedStatus": mostly(st.sampled_from(["PROCESSED", "ERROR"])),
        "results": mostly(st.fixed_dictionaries({"feed": entries({"feedId": WORDS, "feedType": WORDS})})),
    }
)
BODIES = st.one_of(st.none(), st.binary(max_size=30), SHAPED.map(lambda shown: json.dumps(shown).encode()))
STATUS_CODES = st.sampled_from([204, 301, 400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 520])
ANSWERS = st.builds(
    lambda usual, status, body: Answered(200 if usual else status, {}, body, None),
    st.integers(0, 3),
    STATUS_CODES,
    mostly(BODIES).map(
        lambda body: body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    ),
)
BATCH = [update("1"), update("2", quantity=3)]


def one_for_each(batch: list[Update], results: list[Result]) -> None:
    assert [(one.listing, one.publish_seq) for one in results] == [(one.listing, one.publish_seq) for one in batch]
    assert all(one.outcome is Outcome.ACCEPTED or one.reason for one in results)
    assert all(len(one.reason or "") <= REASON_CHARS for one in results)


def document(answer: Answered) -> dict[str, Any]:
    try:
        return answer.json_object() if 200 <= answer.status < 300 else {}
    except UnreadableAnswer:
        return {}


@given(ANSWERS)
def test_bigcommerce(answer: Answered) -> None:
    results = bigcommerce_wire.read_answer(BATCH, answer)
    one_for_each(BATCH, results)
    if any(one.outcome is Outcome.ACCEPTED for one in results):
        assert document(answer)["transaction_id"]


@given(ANSWERS)
def test_woocommerce(answer: Answered) -> None:
    named = [(one, woocommerce_wire.Target(int(one.listing), None)) for one in BATCH]
    results = woocommerce_wire.read_answer(named, answer)
    one_for_each(BATCH, results)
    for one, told in zip(BATCH, results, strict=True):
        if told.outcome is Outcome.ACCEPTED:
            shown = [
                each
                for each in document(answer)["update"]
                if isinstance(each, dict) and each.get("id") == int(one.listing)
            ]
            assert one.quantity in [each.get("stock_quantity") for each in shown]


@given(ANSWERS)
def test_walmart_for_one_sku(answer: Answered) -> None:
    results = walmart_wire.read_single(BATCH[0], answer)
    one_for_each(BATCH[:1], results)
    if results[0].outcome is Outcome.ACCEPTED:
        assert document(answer)["quantity"]["amount"] == BATCH[0].quantity


@given(ANSWERS)
def test_walmart_by_node(answer: Answered) -> None:
    results = walmart_wire.read_nodes([(BATCH[0], "10001"), (BATCH[1], "1")], answer)
    one_for_each(BATCH, results)
    if any(one.outcome is Outcome.ACCEPTED for one in results):
        assert any(
            str(one.get("status")).upper() == "SUCCESS"
            for one in document(answer)["nodes"]
            if isinstance(one, dict)
        )


@given(ANSWERS)
def test_walmarts_feeds(answer: Answered) -> None:
    carried = [(BATCH[0], walmart_wire.Place("S-1", None)), (BATCH[1], walmart_wire.Place("2", None))]
    for read in (walmart_feed_wire.feed_status, walmart_feed_wire.unfinished_feeds, walmart_feed_wire.feed_id):
        with suppress(UnreadableAnswer):
            read(answer)
    try:
        ingested = walmart_feed_wire.details(answer)
    except UnreadableAnswer:
        return
    results = walmart_feed_wire.results_of(carried, ingested)
    one_for_each(BATCH, results)
    if any(one.outcome is Outcome.ACCEPTED for one in results):
        assert any(one.outcome is Outcome.ACCEPTED for one in ingested)
