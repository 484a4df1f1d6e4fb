"""Our shapes, our requests and the shop's answers, against Adobe's own schema of Commerce 2.4.9."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from jsonschema import Draft4Validator
from pydantic import BaseModel, SecretStr, ValidationError

from connectors.channels.adobe_commerce import AdobeCommerceSettings, AdobeCommerceSink
from connectors.channels.base import Outcome
from connectors.channels.kind import CallLimits
from tests.conformance.rig import Clock, update
from tests.contracts.vendors.exchanges import Exchange, changed, heard
from tests.fakes.adobe_commerce import BASE, BulkStatus, FakeAdobeCommerce, FoundSourceItems, SourceItems
from tests.vendor_specs import yaml_of

SAVE, STATUS, SEARCH = "/V1/inventory/source-items", "/V1/bulk/{bulkUuid}/detailed-status", "/V1/bulk"
TOKEN = "integration-token"


@pytest.fixture(scope="module")
def specification() -> Any:
    return yaml_of("adobe-commerce/admin-schema-2.4.9.yaml")


def request_of(specification: Any, path: str) -> Draft4Validator:
    (body,) = [one for one in specification["paths"][path]["post"]["parameters"] if one["in"] == "body"]
    return Draft4Validator({"definitions": specification["definitions"], **body["schema"]})


def answer_of(specification: Any, path: str) -> Draft4Validator:
    answer = specification["paths"][path]["get"]["responses"]["200"]["schema"]
    return Draft4Validator({"definitions": specification["definitions"], **answer})


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    return asyncio.run(everything())


async def everything() -> list[Exchange]:
    """Source items at once, and a bulk that is taken, looked for and looked at."""
    clock, shop = Clock(), FakeAdobeCommerce(TOKEN)
    shop.refused = {"D"}
    async with heard(shop) as (address, found):
        settings = AdobeCommerceSettings(url=address + BASE, access_token=SecretStr(TOKEN), bulk_worth=1)
        sink = AdobeCommerceSink(settings, CallLimits(20), clock.monotonic)
        await sink.open()
        results = [*await sink.send([update("A", 1, 7), update("B", 1, 0)])]
        assert await sink.shown(["A", "B", "E"]) == {"A": 7, "B": 0, "E": None}
        bulks = sink.bulk
        assert bulks is not None
        bulks.taken_over()
        for listings in ("", "CD"):
            if listings:
                bulks.submit([update(listing, 1, 3) for listing in listings])
            for _ in range(200):
                results += await bulks.go_on()
                clock.advance(1.0)
        await sink.close()
    assert {one.listing: one.outcome for one in results} == {
        "A": Outcome.ACCEPTED,
        "B": Outcome.ACCEPTED,
        "C": Outcome.ACCEPTED,
        "D": Outcome.REJECTED,
    }
    assert shop.malformed == []
    return found


def fits(shape: type[BaseModel], content: object) -> bool:
    try:
        shape.model_validate(content)
    except ValidationError:
        return False
    return True


def test_what_is_saved_is_adobes_and_we_take_nothing_that_adobe_refuses(
    specification: Any, exchanges: list[Exchange]
) -> None:
    theirs = request_of(specification, SAVE)
    bodies = [one.body for one in exchanges if (one.method, one.path) == ("POST", BASE + SAVE)]
    bodies += [one for call in exchanges if call.path == f"{BASE}/async/bulk{SAVE}" for one in call.body]
    assert len(bodies) == 3
    for body in bodies:
        theirs.validate(body)
        assert fits(SourceItems, body)
        for what, other in changed(body):
            assert theirs.is_valid(other) or not fits(SourceItems, other), what


def test_the_status_of_a_bulk_is_adobes_and_every_change_is_judged_alike(
    specification: Any, exchanges: list[Exchange]
) -> None:
    theirs = answer_of(specification, STATUS)
    answers = [one.answer for one in exchanges if one.path.endswith("/detailed-status")]
    assert answers
    for answer in answers:
        theirs.validate(answer)
    for what, other in changed(answers[-1]):
        assert fits(BulkStatus, other) == theirs.is_valid(other), what


def test_the_search_for_open_operations_is_adobes(specification: Any, exchanges: list[Exchange]) -> None:
    declared = {one["name"] for one in specification["paths"][SEARCH]["get"]["parameters"]}
    calls = [one for one in exchanges if one.path == BASE + SEARCH]
    assert calls
    for call in calls:
        assert {_plain(name) for name in call.query} <= {_plain(name) for name in declared}
        assert {"items", "total_count"} <= json.loads(call.answered).keys()


def test_the_search_for_source_items_is_adobes_and_so_is_its_answer(
    specification: Any, exchanges: list[Exchange]
) -> None:
    declared = {one["name"] for one in specification["paths"][SAVE]["get"]["parameters"]}
    calls = [one for one in exchanges if (one.method, one.path) == ("GET", BASE + SAVE)]
    assert calls
    theirs = answer_of(specification, SAVE)
    for call in calls:
        assert {_plain(name) for name in call.query} <= {_plain(name) for name in declared}
        theirs.validate(call.answer)
        for what, other in changed(call.answer):
            assert theirs.is_valid(other) or not fits(FoundSourceItems, other), what


def _plain(name: str) -> str:
    """A parameter without the numbers of groups and filters; the shop takes snake and camel case alike."""
    return re.sub(r"_|\[\d\]", "", name).lower()
