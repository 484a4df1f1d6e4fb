"""The part of an Admin GraphQL schema that the Shopify-shaped shop answers, as far as it is used here.

Written by us: names, types and nullability are those of Admin API 2026-10. That it is a part of the vendor's own
schema is tested against that schema where it is at hand.
"""

from __future__ import annotations

from graphql import GraphQLSchema, build_schema

SDL = """
directive @idempotent(key: String!) on FIELD

schema { query: QueryRoot mutation: Mutation }

type QueryRoot { nodes(ids: [ID!]!): [Node]! }

type Mutation {
  inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
}

interface Node { id: ID! }

type InventoryItem implements Node {
  id: ID!
  inventoryLevel(includeInactive: Boolean = false, locationId: ID!): InventoryLevel
}

type InventoryLevel implements Node {
  id: ID!
  quantities(names: [String!]!): [InventoryQuantity!]!
}

type InventoryQuantity implements Node { id: ID! name: String! quantity: Int! }

input InventorySetQuantitiesInput {
  name: String!
  quantities: [InventoryQuantityInput!]!
  reason: String!
  referenceDocumentUri: String
}

input InventoryQuantityInput {
  changeFromQuantity: Int
  inventoryItemId: ID!
  locationId: ID!
  quantity: Int!
}

type InventorySetQuantitiesPayload {
  inventoryAdjustmentGroup: InventoryAdjustmentGroup
  userErrors: [InventorySetQuantitiesUserError!]!
}

type InventoryAdjustmentGroup implements Node { id: ID! }

interface DisplayableError { field: [String!] message: String! }

type InventorySetQuantitiesUserError implements DisplayableError {
  code: InventorySetQuantitiesUserErrorCode
  field: [String!]
  message: String!
}

enum InventorySetQuantitiesUserErrorCode {
  CHANGE_FROM_QUANTITY_STALE
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED
  INVALID_INVENTORY_ITEM
  INVALID_LOCATION
  INVALID_NAME
  INVALID_QUANTITY_TOO_HIGH
  NON_MUTABLE_INVENTORY_ITEM
  NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
}
"""


def schema() -> GraphQLSchema:
    """The schema, ready to validate and answer with."""
    return build_schema(SDL)
