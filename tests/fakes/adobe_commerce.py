"""A shop on Adobe Commerce: takes source items at once, or bulks of them on which it works from a queue.

Requests and answers are checked by shapes of our own, which a test compares with Adobe's schema of Commerce 2.4.9.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streams.demo.shops.vendor import FakeVendor, Malformed, require

BASE = "/rest/default"
MOST_IN_A_REQUEST = 5_000
MOST_AT_ONCE = 20
TOPIC = "async.magento.inventoryapi.api.sourceitemssaveinterface.execute.post"


class Shape(BaseModel):
    """A body. What is not named is refused, also where the vendor would take it, and nothing is converted."""

    model_config = ConfigDict(strict=True, extra="forbid")


class SourceItem(Shape):
    """What there is of a SKU at a source. The vendor requires no field; a quantity needs all of them."""

    sku: str
    source_code: str
    quantity: int | float
    status: Annotated[int, Field(ge=0, le=1)]


class SourceItems(Shape):
    """The body that sets source items, alone or as one request of a bulk."""

    sourceItems: list[SourceItem]


class Criteria(Shape):
    """What was searched for; our fake does not repeat it."""

    filter_groups: Annotated[list[Any], Field(max_length=0)]


class FoundSourceItems(Shape):
    """What the search for source items answers."""

    items: list[SourceItem]
    search_criteria: Criteria
    total_count: int


class Operation(Shape):
    """One request of a bulk, and how far it is."""

    id: int
    bulk_uuid: str
    topic_name: str
    serialized_data: str
    result_serialized_data: str
    status: int
    result_message: str
    error_code: int


class BulkStatus(Shape):
    """The detailed status of a bulk."""

    operations_list: list[Operation]
    user_type: int
    bulk_id: str
    description: str
    start_time: str
    user_id: int
    operation_count: int


class FakeAdobeCommerce(FakeVendor):
    """``held``: the queue does not move until ``work`` is called. ``forgotten``: bulks that were cleaned up."""

    def __init__(self, token: str) -> None:
        super().__init__(tokens={token})
        self.held = False
        self.refused: set[str] = set()
        self.refused_at_once: set[str] = set()
        self.failing_once: set[str] = set()
        self.forgotten = False
        self.bulks: dict[str, list[dict[str, Any]]] = {}
        self.status_calls = 0
        self.searches = 0

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(BASE + "/V1/inventory/source-items", self._save),
            web.get(BASE + "/V1/inventory/source-items", self._find),
            web.post(BASE + "/async/bulk/V1/inventory/source-items", self._submit),
            web.get(BASE + "/V1/bulk", self._search),
            web.get(BASE + "/V1/bulk/{uuid}/detailed-status", self._status),
        ]

    def work(self) -> None:
        """Go through everything that is open."""
        for operation in [one for operations in self.bulks.values() for one in operations]:
            if operation["status"] == 4:
                self._execute(operation)

    def _execute(self, operation: dict[str, Any]) -> None:
        (source_item,) = operation["request"]["sourceItems"]
        sku = source_item["sku"]
        if sku in self.failing_once:
            self.failing_once.discard(sku)
            operation["status"], operation["message"] = 2, "Lock wait timeout exceeded"
        elif sku in self.refused:
            operation["status"], operation["message"] = 3, f"Product with SKU {sku} does not exist"
        else:
            operation["status"], operation["message"] = 1, "Service execution success"
            self.took(sku, source_item["quantity"])

    async def _save(self, request: web.Request) -> web.Response:
        """All of them, or none."""
        body = await request.json()
        _checked(body)
        if len(body["sourceItems"]) > MOST_AT_ONCE:
            return web.json_response({"message": f"Maximum items of type is {MOST_AT_ONCE}"}, status=400)
        unknown = [one["sku"] for one in body["sourceItems"] if one["sku"] in self.refused]
        if unknown:
            return web.json_response({"message": f"Product with SKU {unknown[0]} does not exist"}, status=400)
        for one in body["sourceItems"]:
            self.took(one["sku"], one["quantity"])
        return web.json_response([])

    async def _find(self, request: web.Request) -> web.Response:
        filters = {}
        for group in (0, 1):
            part = f"searchCriteria[filter_groups][{group}][filters][0]"
            name = request.query[f"{part}[field]"]
            filters[name] = (request.query[f"{part}[condition_type]"], request.query[f"{part}[value]"])
        require(filters.keys() == {"source_code", "sku"}, "a search by source and SKU")
        require(filters["source_code"][0] == "eq" and filters["sku"][0] == "in", "of one source and some SKUs")
        skus = filters["sku"][1].split(",")
        require(len(skus) <= int(request.query["searchCriteria[pageSize]"]) <= 300, "one page holds all")
        source, shown = filters["source_code"][1], self.shown()
        items = [
            {"sku": sku, "source_code": source, "quantity": shown[sku], "status": int(shown[sku] > 0)}
            for sku in skus
            if sku in shown
        ]
        answer = {"items": items, "search_criteria": {"filter_groups": []}, "total_count": len(items)}
        FoundSourceItems.model_validate(answer)
        return web.json_response(answer)

    async def _search(self, request: web.Request) -> web.Response:
        self.searches += 1
        asked = {request.query[f"searchCriteria[filter_groups][{group}][filters][0][field]"] for group in (0, 1)}
        require(asked == {"status", "topic_name"}, "a search by status and topic")
        require(request.query["searchCriteria[filter_groups][0][filters][0][value]"] == "4", "of what is open")
        wanted = request.query["searchCriteria[filter_groups][1][filters][0][value]"].strip("%")
        require(wanted in TOPIC, "of source items")
        count = sum(one["status"] == 4 for operations in self.bulks.values() for one in operations)
        return web.json_response({"items": [], "search_criteria": {}, "total_count": count})

    async def _submit(self, request: web.Request) -> web.Response:
        requests = await request.json()
        require(isinstance(requests, list), "a list of requests")
        if len(requests) > MOST_IN_A_REQUEST:
            return web.json_response({"message": f"Maximum items of type is {MOST_IN_A_REQUEST}"}, status=400)
        for one in requests:
            _checked(one)
            require(len(one["sourceItems"]) == 1, "one source item a request")
        uuid = f"00000000-0000-4000-8000-{len(self.bulks):012}"
        stated = [self._stated(position, one) for position, one in enumerate(requests)]
        self.bulks[uuid] = [
            {"id": position, "request": one, "status": 4, "message": ""}
            for position, one in enumerate(requests)
            if stated[position]["status"] == "accepted"
        ]
        if not self.held:
            self.work()
        errors = any(one["status"] == "rejected" for one in stated)
        return web.json_response({"bulk_uuid": uuid, "request_items": stated, "errors": errors}, status=202)

    def _stated(self, position: int, request: dict[str, Any]) -> dict[str, Any]:
        if request["sourceItems"][0]["sku"] in self.refused_at_once:
            return {"id": position, "data_hash": None, "status": "rejected", "error_message": "Invalid data"}
        return {"id": position, "data_hash": f"hash-{position}", "status": "accepted"}

    async def _status(self, request: web.Request) -> web.Response:
        self.status_calls += 1
        uuid = request.match_info["uuid"]
        if self.forgotten or uuid not in self.bulks:
            return web.json_response({"message": "Requested bulk does not exist"}, status=404)
        operations = [self._shown(uuid, one) for one in self.bulks[uuid]]
        answer = {
            "operations_list": operations,
            "user_type": 1,
            "bulk_id": uuid,
            "description": f"Topic {TOPIC}",
            "start_time": "2026-01-01 00:00:10",
            "user_id": 1,
            "operation_count": len(operations),
        }
        BulkStatus.model_validate(answer)
        return web.json_response(answer)

    def _shown(self, uuid: str, operation: dict[str, Any]) -> dict[str, Any]:
        carried = {
            "entity_id": None,
            "entity_link": "",
            "meta_information": json.dumps(operation["request"]),
        }
        return {
            # A number of the database: not the position in the bulk.
            "id": 9_000 + operation["id"],
            "bulk_uuid": uuid,
            "topic_name": TOPIC,
            "serialized_data": json.dumps(carried),
            "result_serialized_data": "",
            "status": operation["status"],
            "result_message": operation["message"],
            "error_code": 0,
        }


def _checked(body: object) -> None:
    """Raise ``Malformed`` when a request does not set source items."""
    try:
        read = SourceItems.model_validate(body)
    except ValidationError as error:
        raise Malformed(str(error)) from None
    for one in read.sourceItems:
        require(one.status == (1 if one.quantity > 0 else 0), "in stock exactly when there is some")
