"""Records of output topics are tuples in the order of their schemas, and say what the core says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.causes import Cause
from agents.outputs import (
    AtsChanged,
    InventoryFinding,
    StockVariance,
    ats_changed,
    channel_update,
    inventory_finding,
    stock_variance,
    weakest_grade,
)
from domain.availability import assess
from domain.findings import KINDS, OVER_SHIPMENT
from domain.numbers import BOOTSTRAP, Finding, LocationNumbers, PoolNumbers, Variance
from domain.policy import ChannelPolicy, Policy
from domain.steps import steps_of
from domain.updates import ChannelUpdate
from schemas import avro_files
from schemas.codec import Decoder, Encoder
from tests.builders import SKU, balance, line, reservation, seconds, state_of

NOW = seconds(50)


class OwnSchema:
    def __init__(self, name: str) -> None:
        self.text = avro_files.text(name)

    def by_id(self, _schema_id: int) -> str:
        return self.text

    def by_guid(self, _guid: object) -> str:
        return self.text


def read_back(topic: str, record: Any) -> Any:
    return Decoder(OwnSchema(topic)).decode_fields(topic, Encoder(topic, 7).encode(record))


def fields(schema: Any) -> list[str]:
    return [field["name"] for field in schema["fields"]]


def schema_of(name: str) -> Any:
    return json.loads(avro_files.text(name))


@pytest.mark.parametrize(
    ("topic", "record"),
    [
        ("ats-changed", AtsChanged),
        ("stock-variances", StockVariance),
        ("inventory-findings", InventoryFinding),
        ("channel-updates", ChannelUpdate),
    ],
)
def test_a_record_has_the_fields_of_its_schema_in_their_order(topic: str, record: Any) -> None:
    assert list(record._fields) == fields(schema_of(topic))


@pytest.mark.parametrize(("field", "record"), [("locations", LocationNumbers), ("pools", PoolNumbers)])
def test_numbers_have_the_fields_of_their_schema_in_their_order(field: str, record: Any) -> None:
    (values,) = [each["type"]["values"] for each in schema_of("ats-changed")["fields"] if each["name"] == field]

    assert list(record._fields) == fields(values)


def test_ats_changed_says_the_numbers_their_steps_and_what_caused_them() -> None:
    policy = Policy(channels={"web": ChannelPolicy()})
    state = state_of([balance(20), line(4), reservation(2), line(3, order_id="O2", location="B")])
    assessment = assess(state, policy, NOW)
    cause = Cause()
    cause.add("ev-1", seconds(40))
    cause.add("ev-2", seconds(30))

    record = ats_changed(assessment, steps_of(state, policy, assessment), 5 << 32, NOW, cause)
    said = read_back("ats-changed", record)

    assert said["locations"] == {name: one._asdict() for name, one in assessment.locations.items()}
    assert said["pools"] == {name: one._asdict() for name, one in assessment.pools.items()}
    assert said["channels"] == assessment.channels
    assert said["findings"] == sorted({finding.code for finding in assessment.findings})
    assert (said["sku"], said["version"], said["computed_at"]) == (SKU, 5 << 32, NOW)
    assert (said["causes"], said["cause_count"]) == (["ev-1", "ev-2"], 2)
    assert (said["oldest_cause_at"], said["newest_cause_at"]) == (seconds(30), seconds(40))
    assert said["confidence"] == BOOTSTRAP == weakest_grade(assessment)
    last = {(term["scope"], term["location"]): term["units"] for term in said["explain"]}
    assert last["location", "A"] == assessment.locations["A"].available_to_sell
    assert last["pool", "default"] == assessment.pools["default"].available_to_sell
    assert last["channel", "web"] == assessment.channels["web"]


def test_a_sku_of_which_nothing_is_known_is_told_as_bootstrap() -> None:
    state = state_of([])
    assessment = assess(state, Policy(), NOW)

    said = read_back("ats-changed", ats_changed(assessment, [], 1, NOW, Cause()))

    assert (said["confidence"], said["locations"], said["explain"]) == (BOOTSTRAP, {}, [])
    assert (said["oldest_cause_at"], said["newest_cause_at"]) == (None, None)


def test_a_variance_keeps_every_number_in_its_place() -> None:
    said = read_back("stock-variances", stock_variance(SKU, Variance("A", 1, 2, "erp", 30, 40), ("S-1",), NOW))

    assert (said["location"], said["as_of"], said["sequence"], said["source"]) == ("A", 1, 2, "erp")
    assert (said["quantity"], said["predicted"], said["units"]) == (30, 40, -10)
    assert (said["attribution"], said["computed_at"]) == (["S-1"], NOW)


def test_a_finding_says_who_looks_after_it_and_what_it_means() -> None:
    said = read_back("inventory-findings", inventory_finding(SKU, Finding(OVER_SHIPMENT, "A", ("O1",)), NOW, None))

    kind = KINDS[OVER_SHIPMENT]
    assert (said["code"], said["owner"], said["note"]) == (OVER_SHIPMENT, kind.owner, kind.meaning)
    assert (said["refs"], said["opened_at"], said["event_id"]) == (["O1"], NOW, None)


def test_a_channel_update_is_its_own_record() -> None:
    update = ChannelUpdate("web", "L", SKU, 3, 9, NOW, None, "web:L:9", "P0", "SOLD_OUT", ("ev-1",), NOW, NOW)

    said = read_back("channel-updates", channel_update(update))

    assert said == update._asdict() | {"caused_by": ["ev-1"]}
