"""Our shapes, our requests and the shop's answers, against Amazon's own models and schemas."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft7Validator
from pydantic import SecretStr, ValidationError

from connectors.channels.amazon import AmazonSettings, AmazonSink
from connectors.channels.amazon_calls import STATUSES
from connectors.channels.base import Outcome, Result
from connectors.channels.kind import CallLimits
from streams.demo.shops import amazon_shapes as shapes
from streams.demo.shops.amazon import FakeAmazon
from streams.demo.shops.amazon_feeds import MARKETPLACE, SELLER
from streams.demo.shops.usage_plan import UsagePlan
from streams.demo.shops.vendor import TOKEN_PATH
from tests.conformance.rig import Clock, update
from tests.contracts.vendors.exchanges import Exchange, changed, heard
from tests.vendor_specs import json_of

LISTINGS = "amazon-sp-api/models/listings-items-api-model/listingsItems_2021-08-01.json"
FEEDS = "amazon-sp-api/models/feeds-api-model/feeds_2021-06-30.json"
FEED_SCHEMA = "amazon-sp-api/schemas/feeds/listings-feed-schema-v2"
REPORT_SCHEMA = "amazon-sp-api/schemas/feeds/listings-feed-processing-report-schema-v2"

BODIES: list[tuple[type[shapes.Shape], str, str]] = [
    (shapes.PatchRequest, LISTINGS, "ListingsItemPatchRequest"),
    (shapes.PatchAnswer, LISTINGS, "ListingsItemSubmissionResponse"),
    (shapes.ItemShown, LISTINGS, "Item"),
    (shapes.ErrorList, FEEDS, "ErrorList"),
    (shapes.DocumentRequest, FEEDS, "CreateFeedDocumentSpecification"),
    (shapes.DocumentAnswer, FEEDS, "CreateFeedDocumentResponse"),
    (shapes.FeedRequest, FEEDS, "CreateFeedSpecification"),
    (shapes.FeedAnswer, FEEDS, "CreateFeedResponse"),
    (shapes.FeedShown, FEEDS, "Feed"),
    (shapes.FeedsShown, FEEDS, "GetFeedsResponse"),
    (shapes.ReportDocument, FEEDS, "FeedDocument"),
    (shapes.FeedContent, FEED_SCHEMA, ""),
    (shapes.Report, REPORT_SCHEMA, ""),
]


@cache
def validator(file: str, definition: str) -> Draft4Validator | Draft7Validator:
    """A definition of an OpenAPI 2 model, whose schemas are of draft 4; or a schema of its own."""
    if not definition:
        return Draft7Validator(json_of(f"{file}.json"))
    return Draft4Validator({"definitions": json_of(file)["definitions"], "$ref": f"#/definitions/{definition}"})


def fits(shape: type[shapes.Shape], content: object) -> bool:
    try:
        shape.model_validate(content)
    except ValidationError:
        return False
    return True


class Heard:
    """Every kind of exchange there is, with what the sink made of it."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self.exchanges = exchanges

    def of(self, method: str, beginning: str) -> list[Exchange]:
        found = [one for one in self.exchanges if one.method == method and one.path.startswith(beginning)]
        assert found, f"{method} {beginning} was not called"
        return found

    def documents(self, shape: type[shapes.Shape]) -> list[Any]:
        """What was said and heard that should be of the shape."""
        base = "/feeds/2021-06-30"
        if shape is shapes.PatchRequest:
            return [one.body for one in self.of("PATCH", "/listings")]
        if shape is shapes.PatchAnswer:
            return [one.answer for one in self.of("PATCH", "/listings") if one.status == 200]
        if shape is shapes.ItemShown:
            return [one.answer for one in self.of("GET", "/listings") if one.status == 200]
        if shape is shapes.ErrorList:
            return [one.answer for one in self.exchanges if one.status >= 400]
        if shape is shapes.FeedContent:
            return [json.loads(one.asked) for one in self.of("PUT", "/upload")]
        if shape is shapes.Report:
            return [json.loads(gzip.decompress(one.answered)) for one in self.of("GET", "/download")]
        calls = {
            shapes.DocumentRequest: ("POST", base + "/documents", True),
            shapes.DocumentAnswer: ("POST", base + "/documents", False),
            shapes.FeedRequest: ("POST", base + "/feeds", True),
            shapes.FeedAnswer: ("POST", base + "/feeds", False),
            shapes.FeedShown: ("GET", base + "/feeds/", False),
            shapes.ReportDocument: ("GET", base + "/documents", False),
        }
        if shape is shapes.FeedsShown:
            return [one.answer for one in self.of("GET", base + "/feeds") if one.path == base + "/feeds"]
        method, beginning, asked = calls[shape]
        return [one.body if asked else one.answer for one in self.of(method, beginning)]


@pytest.fixture(scope="module")
def exchanges() -> Heard:
    return asyncio.run(everything())


async def everything() -> Heard:
    """Patches that are accepted, refused and too many; feeds that are found, worked on, reported and cancelled."""
    clock = Clock()
    shop = FakeAmazon(clock.monotonic, {"s3cret"})
    shop.refused = {"B", "F-2"}
    async with heard(shop) as (address, found):
        settings = AmazonSettings(
            endpoint=address,
            token_url=address + TOKEN_PATH,
            seller_id=SELLER,
            marketplace_ids=MARKETPLACE,
            client_id="client",
            client_secret=SecretStr("s3cret"),
            refresh_token=SecretStr("refresh"),
            feeds=True,
            feed_from=1,
        )
        sink = AmazonSink(settings, CallLimits(5), monotonic=clock.monotonic)
        await sink.open()
        results = [*await sink.send([update("A", 1, 7), update("B", 1, 0)])]
        results += await sink.send([update(f"C-{number}", 1, number) for number in range(4)])
        assert [await sink.shown([sku]) for sku in ("A", "C-0")] == [{"A": 7}, {"C-0": 0}]
        feeds = sink.bulk
        assert feeds is not None
        feeds.taken_over()
        results += await step(feeds, clock)
        assert feeds.room(3) == settings.feed_messages
        feeds.submit([update(f"F-{number}", 1, number) for number in range(1, 4)])
        results += await step(feeds, clock, 4)
        feeds.taken_over()
        results += await step(feeds, clock, 2)
        shop.work_on_all()
        results += await step(feeds, clock, 60)
        feeds.submit([update("G", 1, 1)])
        results += await step(feeds, clock, 4)
        feeds.hurry("G")
        results += await step(feeds, clock, 60)
        await sink.close()
    outcomes = Counter(one.outcome for one in results)
    assert outcomes == {Outcome.ACCEPTED: 6, Outcome.REJECTED: 2, Outcome.RETRY: 2}
    assert shop.malformed == []
    return Heard(found)


async def step(feeds: Any, clock: Clock, steps: int = 1) -> list[Result]:
    results: list[Result] = []
    for _ in range(steps):
        results += await feeds.go_on()
        clock.advance(1.0)
    return results


@pytest.mark.parametrize(("shape", "file", "definition"), BODIES, ids=lambda value: getattr(value, "__name__", ""))
def test_what_is_said_and_answered_is_amazons_and_every_change_is_judged_alike(
    shape: type[shapes.Shape], file: str, definition: str, exchanges: Heard
) -> None:
    theirs = validator(file, definition)
    said = exchanges.documents(shape)
    for document in said:
        theirs.validate(document)
    document = max(said, key=lambda one: len(json.dumps(one)))
    refused = 0
    for what, other in changed(document):
        assert fits(shape, other) == theirs.is_valid(other), what
        refused += not fits(shape, other)
    assert fits(shape, document)
    assert refused > 0


def parameters(file: str, operation: str) -> tuple[str, Mapping[str, Any]]:
    """The path of an operation and its query parameters."""
    for path, methods in json_of(file)["paths"].items():
        for described in methods.values():
            if isinstance(described, dict) and described.get("operationId") == operation:
                found = {one["name"]: one for one in described["parameters"] if one["in"] == "query"}
                return path, found
    raise AssertionError(operation)


@pytest.mark.parametrize(
    ("file", "operation", "method"),
    [
        (LISTINGS, "patchListingsItem", "PATCH"),
        (LISTINGS, "getListingsItem", "GET"),
        (FEEDS, "createFeedDocument", "POST"),
        (FEEDS, "createFeed", "POST"),
        (FEEDS, "getFeed", "GET"),
        (FEEDS, "getFeeds", "GET"),
        (FEEDS, "cancelFeed", "DELETE"),
        (FEEDS, "getFeedDocument", "GET"),
    ],
)
def test_each_call_has_the_path_and_the_parameters_of_its_operation(
    file: str, operation: str, method: str, exchanges: Heard
) -> None:
    path, declared = parameters(file, operation)
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)))
    calls = [one for one in exchanges.exchanges if one.method == method and pattern.fullmatch(one.path)]
    assert calls
    for call in calls:
        assert call.query.keys() <= declared.keys()
        assert {name for name, one in declared.items() if one["required"]} <= call.query.keys()
        for name, value in call.query.items():
            parts = value.split(",") if declared[name]["type"] == "array" else [value]
            allowed = declared[name].get("items", {}).get("enum") or declared[name].get("enum") or parts
            assert set(parts) <= set(allowed)
            assert len(parts) <= declared[name].get("maxItems", len(parts))
            if declared[name]["type"] == "integer":
                assert declared[name]["minimum"] <= int(value) <= declared[name]["maximum"]


def test_the_statuses_of_a_feed_are_amazons() -> None:
    declared = json_of(FEEDS)["definitions"]["Feed"]["properties"]["processingStatus"]["enum"]
    assert set(STATUSES) == set(declared)


@pytest.mark.parametrize("file", [FEEDS, LISTINGS])
def test_the_usage_plans_are_those_that_the_models_state(file: str) -> None:
    stated = {}
    for methods in json_of(file)["paths"].values():
        for described in methods.values():
            text = described.get("description", "") if isinstance(described, dict) else ""
            found = re.search(r"\| *Rate.*\n\|[- |]+\n\| *([\d.]+) *\| *(\d+) *\|", text)
            if found:
                stated[described["operationId"]] = (float(found[1]), float(found[2]))
    ours = FakeAmazon(lambda: 0.0, set()).plans
    shared = stated.keys() & ours.keys()
    assert shared
    for operation in shared:
        assert ours[operation] == UsagePlan(*stated[operation])


def test_a_feed_holds_as_many_messages_as_amazon_allows() -> None:
    schema = json_of(f"{FEED_SCHEMA}.json")["properties"]["messages"]
    assert schema["maxItems"] == shapes.MOST_MESSAGES
    assert schema["items"]["properties"]["messageId"]["maximum"] == shapes.HIGHEST_MESSAGE_ID


@pytest.mark.parametrize("file", [FEED_SCHEMA, REPORT_SCHEMA])
def test_amazons_own_example_fits_amazons_schema(file: str) -> None:
    validator(file, "").validate(json_of(f"{file}.example.json"))
