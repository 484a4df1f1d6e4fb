"""Where each channel of the demo sells: the shop behind it, its limits, and how its sink is set up to keep them.

The web shop is shaped like Shopify, the marketplace like Amazon, the outlet takes signed webhooks. All three are
processes of their own that enforce their limits and count what goes beyond.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import secrets
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from streams.local.ports import LOOPBACK, free_port

_STATE_TIMEOUT_S = 5.0


class ShopsMissing(RuntimeError):
    """A package that a shop needs is not installed; the message says how to install it."""


class ShopState(NamedTuple):
    """What a shop tells of itself: the quantity of each listing, all it was given in order, and counts.

    ``taken`` has nothing of a shop that is told versions and looks at their order itself.
    """

    shown: Mapping[str, int]
    taken: Mapping[str, Sequence[int]]
    ledger: Mapping[str, int]


class Shopfront(NamedTuple):
    """A channel's shop. ``module`` and ``environment`` start it, ``sink`` are its sink's settings.

    ``prefix`` is what the shop puts before the id of a listing.
    """

    channel: str
    kind: str
    port: int
    module: Sequence[str]
    environment: Mapping[str, str]
    sink: Mapping[str, str]
    prefix: str = ""

    def state(self) -> ShopState:
        """What the shop tells now. Raises OSError when it does not answer."""
        with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/state", timeout=_STATE_TIMEOUT_S) as answer:
            told: Any = json.load(answer)
        listings = {listing.removeprefix(self.prefix): one for listing, one in told["listings"].items()}
        return ShopState(
            {listing: one["quantity"] for listing, one in listings.items()},
            {listing: one["taken"] for listing, one in listings.items() if "taken" in one},
            told["ledger"],
        )


def shopfronts() -> tuple[Shopfront, ...]:
    """The shops of the demo, on free ports and with secrets of their own. Raises ``ShopsMissing``."""
    if importlib.util.find_spec("graphql") is None:
        raise ShopsMissing(
            "a shop of the demo needs the package graphql-core; install it with: uv sync --extra demo"
            "   (or: pip install graphql-core)"
        )
    return _web(free_port()), _marketplace(free_port()), _outlet(free_port())


def _web(port: int) -> Shopfront:
    """Half of the points a second of Shopify's standard plan and a small bucket, so that it is felt."""
    token = secrets.token_urlsafe(24)
    return Shopfront(
        "web",
        "shopify",
        port,
        ["streams.demo.shops", "shopify", "--port", str(port), "--points", "200", "--restore", "50"],
        {"ATSTREAM_SHOP_SECRET": token},
        {
            "KIND": "shopify",
            "URL": _address(port),
            "LOCATION_ID": "71",
            "ACCESS_TOKEN": token,
            "RATE_PER_S": "10",
            "BURST": "5",
        },
        "gid://shopify/InventoryItem/",
    )


def _marketplace(port: int) -> Shopfront:
    """Three times the patches that Amazon allows a seller by default, so that a minute is enough; no feeds.

    A sink that stands still between counting a call and making it may make its burst twice at once: hence a burst
    of 6 where 15 are allowed.
    """
    secret = secrets.token_urlsafe(24)
    return Shopfront(
        "marketplace",
        "amazon",
        port,
        ["streams.demo.shops", "amazon", "--port", str(port), "--rate", "15", "--burst", "15"],
        {"ATSTREAM_SHOP_SECRET": secret},
        {
            "KIND": "amazon",
            "ENDPOINT": _address(port),
            "TOKEN_URL": _address(port) + "/token",
            "SELLER_ID": "A1SELLER",
            "MARKETPLACE_IDS": "ATVPDKIKX0DER",
            "CLIENT_ID": "atstream-demo",
            "CLIENT_SECRET": secret,
            "REFRESH_TOKEN": secrets.token_urlsafe(24),
            "RATE_PER_S": "12",
            "BURST": "6",
        },
    )


def _outlet(port: int) -> Shopfront:
    """Calls that leave at an even pace may arrive closer together: hence the margin between the two rates."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    return Shopfront(
        "outlet",
        "webhook",
        port,
        ["streams.demo.fake_channel", "--port", str(port), "--rate", "12", "--burst", "6"],
        {"ATSTREAM_FAKE_CHANNEL_SECRET": secret},
        {
            "KIND": "webhook",
            "URL": _address(port) + "/updates",
            "SECRETS": secret,
            "RATE_PER_S": "10",
            "BURST": "3",
        },
    )


def _address(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
