"""A shop that answers as Shopify's Admin GraphQL API 2026-10 does for inventory quantities at one location.

Every request is validated against the schema of the API before anything else. Enforced: the cost bucket, 250
entries an array, a required ``changeFromQuantity`` (null opts out) that must match, an idempotency key that
belongs to its variables, unique items, and that a request with an error sets nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web
from graphql import GraphQLResolveInfo, get_directive_values, graphql_sync

from streams.demo.shops.shopify_schema import schema
from streams.demo.shops.vendor import FakeVendor, Fault, Malformed, require

LOCATION = "gid://shopify/Location/71"
PATH = "/admin/api/2026-10/graphql.json"
MOST_ENTRIES = 250
MUTATION_COST = 10.0
ITEM_COST = 3.0
HIGHEST = 1_000_000_000


class FakeShopify(FakeVendor):
    """``clock`` gives seconds; the bucket holds ``maximum`` points and gets ``restore_per_s`` back a second.

    ``available`` is what the shop shows; an item is there once it is asked for, with 0, unless in ``gone``.
    ``refused`` items cannot be adjusted. ``sales`` are applied before the next mutations are looked at, one each.
    """

    credential_header = "X-Shopify-Access-Token"
    credential_prefix = ""
    token_path = "/admin/oauth/access_token"

    def __init__(
        self,
        tokens: set[str] | None = None,
        client_secrets: set[str] | None = None,
        *,
        clock: Callable[[], float] = lambda: 0.0,
        maximum: float = 1_000_000.0,
        restore_per_s: float = 100.0,
    ) -> None:
        super().__init__(tokens, client_secrets)
        self.available: dict[str, int] = {}
        self.gone: set[str] = set()
        self.refused: set[str] = set()
        self.sales: list[dict[str, int]] = []
        self.mutations = 0
        self.queries = 0
        self.stale = 0
        self.keys: dict[str, tuple[str, dict[str, Any]]] = {}
        self._schema = schema()
        self._clock = clock
        self.maximum = maximum
        self.restore_per_s = restore_per_s
        self._points = maximum
        self._filled_at = clock()

    def routes(self) -> list[web.RouteDef]:
        """One address for everything."""
        return [web.post(PATH, self._graphql)]

    def throttling(self, retry_after_s: int) -> Fault:
        """THROTTLED inside HTTP 200, with an empty bucket that is full enough after so many seconds."""
        answer = self._throttled(MUTATION_COST, 0.0)
        answer["extensions"]["cost"]["throttleStatus"]["restoreRate"] = MUTATION_COST / retry_after_s
        return Fault(200, {"content-type": "application/json"}, json.dumps(answer))

    def shown(self) -> Mapping[str, int]:
        """Also of items that nobody set, once they were asked for."""
        return self.available

    def spend(self, points: float) -> None:
        """Another app of the shop, or another process of ours, uses the bucket too."""
        self._fill()
        self._points -= points

    async def _graphql(self, request: web.Request) -> web.Response:
        source, variables = _asked(await request.read())
        is_mutation = source.startswith("mutation")
        cost = MUTATION_COST if is_mutation else ITEM_COST * len(variables.get("ids", []))
        self._fill()
        if self._points < cost:
            self.throttled.append(f"{cost:g} points, {self._points:.1f} there")
            return web.json_response(self._throttled(cost, self._points))
        if is_mutation and self.sales:
            self.available |= self.sales.pop(0)
        root = {"inventorySetQuantities": self._set, "nodes": self._nodes}
        result = graphql_sync(self._schema, source, root, variable_values=variables)
        if result.errors:
            self.malformed.append("; ".join(error.message for error in result.errors))
            errors = [{"message": error.message, "extensions": {"code": "BAD_REQUEST"}} for error in result.errors]
            return web.json_response({"errors": errors, "extensions": self._extensions(cost, self._points)})
        self._points -= cost
        return web.json_response({"data": result.data, "extensions": self._extensions(cost, self._points)})

    def _set(self, info: GraphQLResolveInfo[Any], input: dict[str, Any]) -> dict[str, Any]:
        self.mutations += 1
        directive = self._schema.get_directive("idempotent")
        assert directive is not None
        given = get_directive_values(directive, info.field_nodes[0], info.variable_values) or {}
        require(bool(given.get("key", "").strip()), "since 2026-04 @idempotent with a key is required")
        entries = input["quantities"]
        require(len(entries) <= MOST_ENTRIES, "an input array has at most 250 entries")
        complete = all("changeFromQuantity" in one for one in entries)
        require(complete, "since 2026-04 changeFromQuantity is required")
        content = json.dumps(input, sort_keys=True)
        if given["key"] in self.keys:
            before, answered = self.keys[given["key"]]
            if before != content:
                return _refused(["key"], "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")
            if answered["userErrors"]:
                return _refused(["key"], "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED")
            return answered
        answer = self._set_anew(input)
        self.keys[given["key"]] = (content, answer)
        return answer

    def _set_anew(self, input: dict[str, Any]) -> dict[str, Any]:
        if input["name"] not in ("available", "on_hand"):
            return _refused(["input", "name"], "INVALID_NAME")
        entries = input["quantities"]
        errors = [error for at, one in enumerate(entries) for error in self._errors(at, one)]
        if len({one["inventoryItemId"] for one in entries}) < len(entries):
            errors.append(_error(["input", "quantities"], "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"))
        if errors:
            return {"inventoryAdjustmentGroup": None, "userErrors": errors}
        for one in entries:
            self.available[one["inventoryItemId"]] = one["quantity"]
            self.took(one["inventoryItemId"], one["quantity"])
        group = {"id": f"gid://shopify/InventoryAdjustmentGroup/{self.mutations}"}
        return {"inventoryAdjustmentGroup": group, "userErrors": []}

    def _errors(self, at: int, entry: dict[str, Any]) -> list[dict[str, Any]]:
        path, listing = ["input", "quantities", str(at)], entry["inventoryItemId"]
        if entry["locationId"] != LOCATION:
            return [_error([*path, "locationId"], "INVALID_LOCATION")]
        if listing in self.gone:
            return [_error([*path, "inventoryItemId"], "INVALID_INVENTORY_ITEM")]
        if listing in self.refused:
            return [_error([*path, "inventoryItemId"], "NON_MUTABLE_INVENTORY_ITEM")]
        if entry["quantity"] > HIGHEST:
            return [_error([*path, "quantity"], "INVALID_QUANTITY_TOO_HIGH")]
        expected = entry["changeFromQuantity"]
        if expected is not None and expected != self.available.get(listing, 0):
            self.stale += 1
            return [_error([*path, "changeFromQuantity"], "CHANGE_FROM_QUANTITY_STALE")]
        return []

    def _nodes(self, info: GraphQLResolveInfo[Any], ids: list[str]) -> list[dict[str, Any] | None]:
        self.queries += 1
        require(len(ids) <= MOST_ENTRIES, "an input array has at most 250 entries")
        return [None if one in self.gone else self._item(one) for one in ids]

    def _item(self, listing: str) -> dict[str, Any]:
        def level(info: GraphQLResolveInfo[Any], locationId: str, **_: Any) -> dict[str, Any] | None:
            if locationId != LOCATION:
                return None
            quantity = {"name": "available", "quantity": self.available.setdefault(listing, 0)}
            return {"quantities": lambda info, names: [quantity] if "available" in names else []}

        return {"__typename": "InventoryItem", "id": listing, "inventoryLevel": level}

    def _fill(self) -> None:
        now = self._clock()
        self._points = min(self.maximum, self._points + (now - self._filled_at) * self.restore_per_s)
        self._filled_at = now

    def _throttled(self, cost: float, points: float) -> dict[str, Any]:
        error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
        return {"errors": [error], "extensions": self._extensions(cost, max(0.0, points))}

    def _extensions(self, cost: float, points: float) -> dict[str, Any]:
        status = {
            "maximumAvailable": self.maximum,
            "currentlyAvailable": points,
            "restoreRate": self.restore_per_s,
        }
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": cost, "throttleStatus": status}}


def _asked(body: bytes) -> tuple[str, dict[str, Any]]:
    """The document and the variables of a request."""
    try:
        asked = json.loads(body)
        source, variables = asked["query"], asked.get("variables") or {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Malformed(f"no GraphQL request: {error!r}") from None
    require(isinstance(source, str) and isinstance(variables, dict), "query is a text, variables an object")
    return source, variables


def _error(path: list[str], code: str) -> dict[str, Any]:
    return {"code": code, "field": path, "message": f"refused: {code.lower()}"}


def _refused(path: list[str], code: str) -> dict[str, Any]:
    return {"inventoryAdjustmentGroup": None, "userErrors": [_error(path, code)]}
