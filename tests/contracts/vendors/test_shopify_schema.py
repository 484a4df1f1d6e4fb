"""Our part of the Admin GraphQL schema, our requests and the shop's answers, against Shopify's introspection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    build_client_schema,
    execute_sync,
    parse,
    validate,
)
from graphql.execution.values import get_variable_values
from graphql.type import is_introspection_type, is_required_argument, is_required_input_field

from connectors.channels.base import Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.shopify import ShopifySettings, ShopifySink
from connectors.channels.shopify_wire import API_VERSION, READ_QUANTITIES, SET_QUANTITIES
from streams.demo.shops.shopify import LOCATION, FakeShopify
from streams.demo.shops.shopify_schema import schema
from tests.conformance.rig import update
from tests.contracts.vendors.exchanges import Exchange, changed, heard
from tests.vendor_specs import json_of

OURS = schema()
TYPES = sorted(name for name, kind in OURS.type_map.items() if not is_introspection_type(kind))
TOKEN = "shpat_fixed"


def introspected(version: str) -> GraphQLSchema:
    # Shopify deprecates fields that an interface of theirs has: by the letter such a schema is not valid.
    return build_client_schema(json_of(f"shopify/graphql/admin_{version}.json.gz")["data"], assume_valid=True)


@pytest.fixture(scope="module")
def theirs() -> GraphQLSchema:
    return introspected(API_VERSION)


def type_of(described: Any) -> str:
    return str(described.type)


@pytest.mark.parametrize("name", TYPES)
def test_each_of_our_types_is_a_part_of_shopifys(name: str, theirs: GraphQLSchema) -> None:
    our, their = OURS.type_map[name], theirs.type_map[name]
    assert type(our) is type(their)
    if isinstance(our, GraphQLEnumType):
        assert isinstance(their, GraphQLEnumType)
        assert our.values.keys() <= their.values.keys()
    if isinstance(our, GraphQLInputObjectType):
        assert isinstance(their, GraphQLInputObjectType)
        assert {field: type_of(our.fields[field]) for field in our.fields} == {
            field: type_of(their.fields[field]) for field in our.fields
        }
        needed = {field for field, described in their.fields.items() if is_required_input_field(described)}
        assert needed <= our.fields.keys()
    if isinstance(our, GraphQLObjectType | GraphQLInterfaceType):
        assert isinstance(their, GraphQLObjectType | GraphQLInterfaceType)
        assert {one.name for one in our.interfaces} <= {one.name for one in their.interfaces}
        for field, described in our.fields.items():
            assert type_of(described) == type_of(their.fields[field])
            assert_arguments(described.args, their.fields[field].args)


def assert_arguments(ours: Any, theirs: Any) -> None:
    for name, argument in ours.items():
        assert type_of(argument) == type_of(theirs[name])
        assert argument.default_value == theirs[name].default_value
    assert {name for name, argument in theirs.items() if is_required_argument(argument)} <= ours.keys()


def test_our_directive_and_roots_are_shopifys(theirs: GraphQLSchema) -> None:
    our, their = OURS.get_directive("idempotent"), theirs.get_directive("idempotent")
    assert our is not None
    assert their is not None
    assert set(our.locations) == set(their.locations)
    assert_arguments(our.args, their.args)
    assert str(OURS.query_type) == str(theirs.query_type)
    assert str(OURS.mutation_type) == str(theirs.mutation_type)


@pytest.mark.parametrize("document", [SET_QUANTITIES, READ_QUANTITIES], ids=["set", "read"])
def test_what_is_asked_is_valid_by_shopifys_own_schema(document: str, theirs: GraphQLSchema) -> None:
    assert validate(theirs, parse(document)) == []


def test_a_version_before_idempotency_would_not_take_it() -> None:
    errors = validate(introspected("2025-10"), parse(SET_QUANTITIES))
    assert any("@idempotent" in error.message for error in errors)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("@idempotent(key: $key)", "@idempotent(key: $key, twice: $key)"),
        ("@idempotent(key: $key)", "@idempotent"),
        ("@idempotent(key: $key)", "@idempotentish(key: $key)"),
        ("$key: String!", "$key: String"),
        ("$key: String!", "$key: ID!"),
        ("$input: InventorySetQuantitiesInput!", "$input: InventorySetQuantitiesInput"),
        ("(input: $input)", "(inputs: $input)"),
        ("(input: $input)", ""),
        ("{ id }", ""),
        ("code field message", "code field message reason"),
        ("inventorySetQuantities", "inventoryChangeQuantities"),
    ],
)
def test_a_document_that_is_wrong_is_refused_by_both(part: str, instead: str, theirs: GraphQLSchema) -> None:
    wrong = parse(SET_QUANTITIES.replace(part, instead))
    assert validate(OURS, wrong) != []
    assert validate(theirs, wrong) != []


def told(quantity: int, listing: str, believed: int | None) -> Any:
    return update(listing, 1, quantity)._replace(expected_previous=believed)


async def exchanges() -> list[Exchange]:
    """A value that is set, one that drifted and is read, one that is refused, and one that is throttled."""
    shop = FakeShopify({TOKEN}, maximum=60.0)
    shop.available["gid://shopify/InventoryItem/2"] = 9
    shop.refused.add("gid://shopify/InventoryItem/3")
    async with heard(shop) as (address, found):
        settings = ShopifySettings(url=address, location_id=LOCATION, access_token=TOKEN)  # type: ignore[arg-type]
        sink = ShopifySink("web", settings, CallLimits())
        await sink.open()
        results = await sink.send([told(4, "1", None), told(5, "2", 7), told(6, "3", None)])
        shop.spend(1_000.0)
        results = [*results, *await sink.send([told(1, "4", None)])]
        await sink.close()
    outcomes = [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REJECTED, Outcome.RETRY]
    assert [one.outcome for one in results] == outcomes
    assert shop.malformed == []
    return found


def operation(schema: GraphQLSchema, body: Any) -> tuple[Any, list[Any]]:
    document = parse(body["query"])
    (definition,) = document.definitions
    assert isinstance(definition, OperationDefinitionNode)
    read = get_variable_values(schema, definition.variable_definitions, body["variables"])
    return document, read if isinstance(read, list) else []


async def test_what_the_sink_sends_and_the_shop_answers_is_shopifys(theirs: GraphQLSchema) -> None:
    found = await exchanges()
    answered = [one.answer for one in found if one.answer.get("data")]
    assert {name for each in answered for name in each["data"]} == {"inventorySetQuantities", "nodes"}
    for one in found:
        document, wrong = operation(theirs, one.body)
        assert wrong == []
        assert validate(theirs, document) == []
        if one.answer.get("data"):
            # Shopify's schema, asked the same with our answer behind it, must be able to give that answer.
            again = execute_sync(
                theirs,
                document,
                one.answer["data"],
                variable_values=one.body["variables"],
                type_resolver=lambda *_: "InventoryItem",
            )
            assert again.errors is None
            assert again.data == one.answer["data"]
    assert [one.answer["errors"][0]["extensions"]["code"] for one in found if "errors" in one.answer] == [
        "THROTTLED"
    ]


async def test_variables_are_taken_and_refused_by_both_alike(theirs: GraphQLSchema) -> None:
    taken = 0
    bodies = {json.loads(one.asked)["query"]: one.body for one in await exchanges()}
    assert len(bodies) == 2
    for body in bodies.values():
        for what, variables in changed(body["variables"]):
            ours, their = (bool(operation(side, {**body, "variables": variables})[1]) for side in (OURS, theirs))
            assert ours == their, what
            taken += not their
    assert taken > 0
