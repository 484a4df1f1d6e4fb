"""The text of a policy, YAML or JSON, as plain values: nothing is guessed and nothing is silently dropped.

YAML is read in its core schema: ``NO`` is a text, ``0012`` keeps its zeros, keys are always texts. Keys that occur
twice and aliases are refused; decimals stay exact.
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

import yaml

MAX_DOCUMENT_CHARACTERS = 1_000_000
"""Fits one message; a larger policy is several scopes."""


class UnreadableText(ValueError):
    """The text is neither YAML nor JSON of a mapping; the message says where."""


def mapping_of_text(text: str) -> dict[str, Any]:
    """The mapping that a YAML or JSON text holds. Raises UnreadableText."""
    if len(text) > MAX_DOCUMENT_CHARACTERS:
        raise UnreadableText(f"has {len(text)} characters, {MAX_DOCUMENT_CHARACTERS} are allowed")
    try:
        found = mapping_of_json(text) if text.lstrip().startswith("{") else yaml.load(text, _Loader)
    except RecursionError as error:
        raise UnreadableText("is nested too deeply") from error
    except yaml.YAMLError as error:
        raise UnreadableText(f"is no YAML: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise UnreadableText(f"holds a {type(found).__name__}, not a mapping")
    return found


def mapping_of_json(text: str) -> dict[str, Any]:
    """The object that a JSON text holds; decimals as Decimal. Raises UnreadableText."""
    try:
        found = json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise UnreadableText(f"is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UnreadableText(f"holds a {type(found).__name__}, not an object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {key!r} occurs twice")
        found[key] = value
    return found


class _Loader(yaml.SafeLoader):
    """A safe loader of the core schema without aliases."""

    # The implicit types of YAML 1.1 (sexagesimals, timestamps, yes/no) are left out.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (declared so by PyYAML)

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", self.get_mark())
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        found: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a text", key_node.start_mark)
            if key_node.value in found:
                problem = f"the key {key_node.value!r} occurs twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            found[key_node.value] = self.construct_object(value_node, deep=True)
        return found


def _decimal(_loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
    return Decimal(node.value)


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"^-?[0-9]+\.[0-9]+$"), list("-0123456789"))
_Loader.add_constructor("tag:yaml.org,2002:float", _decimal)
