"""Omnichannel Inventory with imports: a link for the upload, a status that goes on look by look, a result file."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from aiohttp import BodyPartReader, web

from tests.fakes.salesforce import LOCATION, FakeSalesforce

TENANT = "/inventory/impex/v1/organizations/tenant-group"
MOST_FILE_BYTES = 100_000_000
LOOKS_BEFORE_THE_LINK_EXPIRES = 20
_FIELDS = {"recordId", "onHand", "sku", "effectiveDate", "safetyStockCount", "locationId"}


class FakeSalesforceImports(FakeSalesforce):
    """``course``: the statuses that an import with a file shows, look by look; the last one stays.

    ``foreign_links``: the links lead to another host. ``result_body``: a result file as it should not be.
    """

    def __init__(self) -> None:
        super().__init__()
        self.course = ["PENDING", "RUNNING", "COMPLETED"]
        self.foreign_links = False
        self.result_body: str | None = None
        self.uploads: list[list[dict[str, Any]]] = []
        self.looks = 0
        self._files: dict[str, list[dict[str, Any]]] = {}
        self._imports = 0
        self._steps: dict[str, int] = {}
        self._waited: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        base = TENANT + "/availability-records/imports"
        return [
            *super().routes(),
            web.post(base, self._initiate),
            web.post(base + "/uploadlink/{number}", self._upload),
            web.get(base + "/{number}/status", self._status),
            web.get(base + "/{number}/file-content", self._results),
        ]

    async def _initiate(self, request: web.Request) -> web.Response:
        body = await request.json()
        assert body["fileFormat"] == "JSON"
        assert body["fileName"]
        self._imports += 1
        base = (
            ("https://elsewhere.example" if self.foreign_links else "") + TENANT + "/availability-records/imports"
        )
        return web.json_response(
            {
                "importId": str(self._imports),
                "importStatusLink": f"{base}/{self._imports}/status",
                "uploadLink": f"{base}/uploadlink/{self._imports}",
                "uploadMethod": "POST",
            },
            status=201,
        )

    async def _upload(self, request: web.Request) -> web.Response:
        part = await (await request.multipart()).next()
        assert isinstance(part, BodyPartReader)
        assert part.name == "fileUpload"
        content = bytes(await part.read())
        assert len(content) <= MOST_FILE_BYTES
        records = [json.loads(line) for line in content.splitlines()]
        assert all(set(one) == _FIELDS and one["locationId"] == LOCATION for one in records)
        skus = [one["sku"] for one in records]
        assert len(set(skus)) == len(skus)
        self.uploads.append(records)
        self._files[request.match_info["number"]] = records
        return web.json_response({"message": "uploaded"})

    async def _status(self, request: web.Request) -> web.Response:
        self.looks += 1
        number = request.match_info["number"]
        if number not in self._files:
            self._waited[number] += 1
            expired = self._waited[number] > LOOKS_BEFORE_THE_LINK_EXPIRES
            return web.json_response({"importId": number, "status": "EXPIRED" if expired else "WAITING"})
        step = self._steps.get(number, 0)
        self._steps[number] = step + 1
        status = self.course[min(step, len(self.course) - 1)]
        answer: dict[str, Any] = {"importId": number, "status": status}
        if status == "COMPLETED":
            answer["import"] = {"fullResults": {"href": request.path.replace("/status", "/file-content")}}
            for record in self._files[number]:
                if record["sku"] not in self.refused:
                    self.took(record["sku"], record["onHand"])
        return web.json_response(answer)

    async def _results(self, request: web.Request) -> web.Response:
        if self.result_body is not None:
            return web.Response(text=self.result_body)
        records = self._files[request.match_info["number"]]
        failures = [
            {"recordId": one["recordId"], "locationId": LOCATION, "sku": one["sku"], "message": "SKU is not known"}
            for one in records
            if one["sku"] in self.refused
        ]
        status = "COMPLETED_WITH_PARTIAL_FAILURES" if failures else "COMPLETED_WITHOUT_ERRORS"
        if len(failures) == len(records):
            status = "FAILED"
        return web.Response(text="\n".join(json.dumps(one) for one in [{"status": status}, *failures]))
