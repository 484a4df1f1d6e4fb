"""The kinds of channels by name. Adding one is a line here, a module, and a bench in ``tests/conformance``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from connectors.channels.kind import ChannelKind

MODULES: Mapping[str, str] = {
    "adobe-commerce": "connectors.channels.adobe_commerce",
    "amazon": "connectors.channels.amazon",
    "bigcommerce": "connectors.channels.bigcommerce",
    "ebay": "connectors.channels.ebay",
    "file": "connectors.channels.file",
    "salesforce": "connectors.channels.salesforce",
    "shopify": "connectors.channels.shopify",
    "walmart": "connectors.channels.walmart",
    "webhook": "connectors.channels.webhook",
    "woocommerce": "connectors.channels.woocommerce",
    "x12-846": "connectors.channels.x12_846",
}
"""Each module has a ``KIND``. Imported when asked for, so that a sink loads no other vendor's code."""


def kind_named(name: str) -> ChannelKind:
    """The kind with this name. Raises ``KeyError``: there is none."""
    kind = import_module(MODULES[name]).KIND
    if not isinstance(kind, ChannelKind):
        raise TypeError(f"KIND of {MODULES[name]} is not a ChannelKind")
    return kind
