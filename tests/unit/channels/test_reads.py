"""What each channel says it shows, as its answers are read: the vendors' documented shapes, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.channels.adobe_commerce_reads import read_source_items, search_path
from connectors.channels.amazon_reads import read_item, read_path
from connectors.channels.amazon_wire import Offer
from connectors.channels.base import Outcome
from connectors.channels.bigcommerce_reads import read_items
from connectors.channels.bigcommerce_reads import read_path as items_path
from connectors.channels.http import Answered, CallFailed
from connectors.channels.reading import Unread, listed, read_json, read_object, whole
from connectors.channels.salesforce_reads import read_records
from connectors.channels.walmart_reads import read_quantities
from connectors.channels.walmart_reads import readable as nodes_of
from connectors.channels.woocommerce_reads import read_objects, readable
from connectors.channels.woocommerce_reads import read_path as objects_path

OFFER = Offer("A1SELLER", "ATVPDKIKX0DER")


def said(content: object, status: int = 200, **headers: str) -> Answered:
    return Answered(status, headers, json.dumps(content).encode(), None)


@pytest.mark.parametrize(
    ("stated", "quantity"), [(3, 3), (3.0, 3), (-2, -2), (3.5, None), ("3", None), (True, None), (None, None)]
)
def test_only_a_whole_number_is_a_quantity(stated: object, quantity: int | None) -> None:
    assert whole(stated) == quantity


@pytest.mark.parametrize(
    ("answer", "reason", "wait_s"),
    [
        (CallFailed(Outcome.UNKNOWN, "TIME_OUT"), "TIME_OUT", None),
        (Answered(429, {}, b"", 7.0), "HTTP 429", 7.0),
        (Answered(500, {}, b"", None), "HTTP 500", None),
        (Answered(404, {}, b"", None), "HTTP 404", None),
        (Answered(200, {}, None, None), "ANSWER_TOO_LARGE", None),
        (Answered(200, {}, b"nonsense", None), "ANSWER_UNREADABLE", None),
    ],
)
def test_an_answer_that_is_none_says_why(answer: Answered | CallFailed, reason: str, wait_s: float | None) -> None:
    assert read_json(answer) == read_object(answer) == Unread(reason, wait_s)


def test_lists_of_objects_and_objects_are_told_from_others() -> None:
    assert read_object(said([])) == Unread("ANSWER_UNREADABLE")
    assert listed([{}, 7]) == Unread("ANSWER_UNREADABLE")
    assert listed({}) == Unread("ANSWER_UNREADABLE")
    assert listed([{"a": 1}]) == [{"a": 1}]


@pytest.mark.parametrize(
    ("availability", "quantity"),
    [
        ([{"fulfillmentChannelCode": "DEFAULT", "quantity": 3}], 3),
        ([{"fulfillmentChannelCode": "AMAZON_NA", "quantity": 3}], None),
        ([{"fulfillmentChannelCode": "DEFAULT"}], None),
        ([{"fulfillmentChannelCode": "DEFAULT", "quantity": number} for number in (3, 4)], None),
        ([], None),
    ],
)
def test_amazon_shows_the_quantity_of_the_sellers_own_fulfilment(availability: Any, quantity: int | None) -> None:
    assert read_item(OFFER, "S", said({"sku": "S", "fulfillmentAvailability": availability})) == {"S": quantity}


def test_amazon_is_asked_for_quantities_only_and_states_its_pace() -> None:
    assert read_path(OFFER, "a/b?").endswith(
        "/a%2Fb%3F?marketplaceIds=ATVPDKIKX0DER&includedData=fulfillmentAvailability"
    )
    assert read_item(OFFER, "S", said({}, 429, **{"x-amzn-RateLimit-Limit": "0.5"})) == Unread("HTTP 429", 2.0)
    assert read_item(OFFER, "S", said({"sku": "T", "fulfillmentAvailability": []})) == Unread("ANSWER_UNREADABLE")


def test_bigcommerce_shows_what_is_on_hand_by_the_identity_that_listings_have() -> None:
    assert items_path(["7", "8"], "variant_id", 3) == "/v3/inventory/locations/3/items?variant_id:in=7,8&limit=2"
    assert items_path(["a,b c"], "sku", 1) == "/v3/inventory/locations/1/items?sku:in=a%2Cb%20c&limit=1"
    one = {
        "identity": {"sku": "A", "variant_id": 7, "product_id": 1},
        "total_inventory_onhand": 5,
        "available_to_sell": 4,
    }
    assert read_items(["7", "8"], "variant_id", said({"data": [one]})) == {"7": 5, "8": None}
    assert read_items(["A"], "sku", said({"data": [one]})) == {"A": 5}
    assert read_items(["A"], "sku", said({"data": [{"identity": 7}]})) == {"A": None}
    assert read_items(["1"], "product_id", said({"data": [one]})) == {"1": 5}
    assert read_items(["1"], "product_id", said({"data": [one, one]})) == {"1": None}


def test_woocommerce_is_asked_by_route_and_shows_stock_that_it_manages() -> None:
    asked = readable(["12/34", "12", "12/35", "13/36", "x"])
    assert list(asked) == ["12/34", "12/35"]
    fields = "_fields=id,manage_stock,stock_quantity"
    assert (
        objects_path([*asked.values()])
        == f"/wp-json/wc/v3/products/12/variations?include=34,35&per_page=2&{fields}"
    )
    assert objects_path([*readable(["12", "12/34", "13"]).values()]) == (
        f"/wp-json/wc/v3/products?include=12,13&per_page=2&{fields}"
    )
    assert readable(["x", "12"]) == {}
    stated = [
        {"id": 34, "manage_stock": True, "stock_quantity": -1},
        {"id": 35, "manage_stock": "parent", "stock_quantity": 9},
    ]
    assert read_objects(asked, said(stated)) == {"12/34": -1, "12/35": None}


def test_walmart_shows_what_was_sent_for_each_node_of_a_sku() -> None:
    asked = nodes_of(["n1/S", "n2/S", "n1/T", "n3/S"], by_node=True)
    assert list(asked) == ["n1/S", "n2/S", "n3/S"]
    nodes = [
        {"shipNode": "n1", "inputQty": {"unit": "EACH", "amount": 4}, "availToSellQty": {"amount": 2}},
        {"shipNode": "n2", "inputQty": 7},
    ]
    assert read_quantities(asked, said({"sku": "S", "nodes": nodes})) == {"n1/S": 4, "n2/S": None, "n3/S": None}
    assert read_quantities(asked, said({"sku": "T", "nodes": nodes})) == Unread("ANSWER_UNREADABLE")
    single = nodes_of(["S/1"], by_node=False)
    assert read_quantities(single, said({"sku": "S/1", "quantity": {"unit": "EACH", "amount": 4}})) == {"S/1": 4}


def test_adobe_shows_the_quantity_of_the_source_and_no_other() -> None:
    assert "%5Bvalue%5D=A%2CB" in search_path(["A", "B"], "default")
    items = [
        {"sku": "A", "source_code": "default", "quantity": 5, "status": 1},
        {"sku": "A", "source_code": "other", "quantity": 8, "status": 1},
        {"sku": "B", "source_code": "default", "quantity": 2.5, "status": 1},
    ]
    assert read_source_items(["A", "B"], "default", said({"items": items})) == {"A": 5, "B": None}


def test_salesforce_shows_what_is_on_hand_at_the_location_and_no_other() -> None:
    def place(name: str, quantity: float) -> dict[str, Any]:
        return {"locationIdentifier": name, "inventoryRecords": [{"stockKeepingUnit": "A", "onHand": quantity}]}

    answer = said({"locations": [place("w5", 5.0), place("w6", 8.0), {"locationIdentifier": "w5"}]})
    assert read_records(["A", "B"], "w5", answer) == {"A": 5, "B": None}
