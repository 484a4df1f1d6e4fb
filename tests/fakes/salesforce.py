"""Omnichannel Inventory: batch updates of at most 100 records, each taken once by its id."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from aiohttp import web

from streams.demo.shops.vendor import FakeVendor, require

CLIENT_SECRET = "connected-app-secret-1b7e"
LOCATION = "warehouse5"
MOST_RECORDS = 100
BATCH_PATH = "/services/data/v62.0/commerce/oci/availability-records/actions/batch-update"
READ_PATH = "/services/data/v62.0/commerce/oci/availability/availability-records/actions/get-availability"


class FakeSalesforce(FakeVendor):
    """``names_successes``: the answer names what was taken, too, and not only what failed."""

    def __init__(self) -> None:
        super().__init__(client_secrets={CLIENT_SECRET})
        # Tokens of an org say nothing about when they expire.
        self.token_lifetime_s = None
        self.refused: set[str] = set()
        self.busy_once: set[str] = set()
        self.names_successes = False
        self.request_ids: list[str] = []
        self._seen: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        return [web.post(BATCH_PATH, self._batch), web.post(READ_PATH, self._see)]

    async def _see(self, request: web.Request) -> web.Response:
        body = await request.json()
        require(set(body) == {"locationIdentifiers", "stockKeepingUnits", "useCache"}, "locations and SKUs")
        require(body["useCache"] is False, "what is true now")
        require(0 < len(body["stockKeepingUnits"]) <= MOST_RECORDS, "at most 100 SKUs")
        shown = self.shown()
        records = [
            {"stockKeepingUnit": sku, "onHand": float(shown[sku]), "safetyStockCount": 0.0}
            for sku in body["stockKeepingUnits"]
            if sku in shown
        ]
        places = [
            {"locationIdentifier": one, "inventoryRecords": records if one == LOCATION else []}
            for one in body["locationIdentifiers"]
        ]
        return web.json_response({"locations": places, "locationGroups": []})

    async def _batch(self, request: web.Request) -> web.Response:
        body = await request.json()
        records = body["records"]
        if not 0 < len(records) <= MOST_RECORDS:
            return web.json_response([{"errorCode": "INVALID_INPUT", "message": "at most 100"}], status=400)
        failures = [(one, failure) for one in records if (failure := self._take(one)) is not None]
        failed_ids = {one["actionRequestId"] for one, _ in failures}
        answer: dict[str, Any] = {"errors": [failure for _, failure in failures]}
        if self.names_successes:
            answer["records"] = [
                {"actionRequestId": one["actionRequestId"]}
                for one in records
                if one["actionRequestId"] not in failed_ids
            ]
        return web.json_response(answer)

    def _take(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """None when the record was taken, or had been taken before."""
        key, sku = record["actionRequestId"], record["stockKeepingUnit"]
        assert str(uuid.UUID(key)) == key
        assert datetime.fromisoformat(record["effectiveDate"]).tzinfo is not None
        assert type(record["onHand"]) is int
        self.request_ids.append(key)
        if sku in self.busy_once:
            self.busy_once.discard(sku)
            return {"actionRequestId": key, "errorCode": "BUSY", "message": "try later", "httpCode": 503}
        if sku in self.refused or record["locationIdentifier"] != LOCATION:
            return {"actionRequestId": key, "errorCode": "NotFound", "message": f"{sku} is not known"}
        if key not in self._seen:
            self._seen.add(key)
            self.took(sku, record["onHand"])
        return None
