"""A shop on Shopify: absolute quantities of inventory items at one location, compared before they are set.

One attempt takes a call, and up to ``ROUNDS`` when entries are refused: then the others are set without them.
Where the shop shows something else than we believe, its value is read and taken over as the expected one, and the
result says so.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Limits, Outcome, Result, Update, too_large
from connectors.channels.http import HttpCaller
from connectors.channels.http_status import NotTaken
from connectors.channels.kind import CALLS, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.shopify_answer import (
    EntryErrors,
    NewKeyNeeded,
    quantities_read,
    set_result,
)
from connectors.channels.shopify_calls import PricedCalls
from connectors.channels.shopify_cost import FIRST_MUTATION_COST
from connectors.channels.shopify_wire import (
    API_VERSION,
    LOCATION_GID,
    MOST_QUANTITIES,
    Change,
    inventory_item,
    read_quantities,
    set_quantities,
)
from connectors.channels.tokens import OAuthToken, StaticToken, TokenSource
from domain.facts import SECOND
from domain.limits import CallLimit, RateAndBurst

ROUNDS = 3
NOT_AN_ITEM = "NOT_AN_INVENTORY_ITEM: neither its number nor its global id"
UNREAD = "CHANGE_FROM_QUANTITY_STALE: more items than the bucket lets us read in one attempt"
RESTLESS = "CHANGE_FROM_QUANTITY_STALE: it changes faster than we set it"


class ShopifySettings(KindSettings):
    """``url`` is the shop (``https://<name>.myshopify.com``), ``location_id`` a global id or its number.

    Calls carry ``access_token``, or tokens got with ``client_id`` and ``client_secret`` (client credentials).
    ``points_per_s`` is what the shop's plan restores of the bucket of query costs, ``points_burst`` what it holds:
    a single query may cost 1,000 points, so that no bucket is smaller ("Shopify API limits").
    """

    usual_updates: ClassVar[int] = MOST_QUANTITIES
    most_updates: ClassVar[int] = MOST_QUANTITIES
    optional_secrets: ClassVar[frozenset[str]] = frozenset({"access_token", "client_secret"})

    url: HttpAddress
    location_id: str
    access_token: SecretStr | None = None
    access_token_file: Path | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    points_per_s: Annotated[int, Field(ge=10, le=100_000)] = 100
    points_burst: Annotated[int, Field(ge=10, le=1_000_000)] = 1_000

    @field_validator("location_id")
    @classmethod
    def _global(cls, given: str) -> str:
        location = f"gid://shopify/Location/{given}" if given.isdigit() else given
        if not LOCATION_GID.fullmatch(location):
            raise ValueError("must be a number or gid://shopify/Location/<number>")
        return location

    @model_validator(mode="after")
    def _one_way_in(self) -> ShopifySettings:
        with_client = self.client_id is not None and self.has_secret("client_secret")
        if self.has_secret("access_token") == with_client:
            raise ValueError("needs either access_token, or client_id and client_secret")
        return self

    def attempt_s(self, calls: CallLimits) -> float:
        """A mutation, a read and a token for each round."""
        return 3 * ROUNDS * calls.call_timeout_s

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """Points, in attempts: each reserves those of one mutation. What it costs more is seen in the answers."""
        of_one = round(FIRST_MUTATION_COST)
        return {CALLS: (RateAndBurst(self.points_per_s, of_one * SECOND, self.points_burst // of_one),)}


@dataclass(slots=True)
class _Attempt:
    """What is known of each update of a batch so far."""

    batch: Sequence[Update]
    results: dict[int, Result] = field(default_factory=dict)

    def settle(self, change: Change, outcome: Outcome, reason: str | None, wait_s: float | None = None) -> None:
        """``previous`` is what the shop showed: what it was compared with, where it was compared."""
        told, previous = change.update, change.expected if outcome is Outcome.ACCEPTED else None
        self.results[change.position] = Result(told.listing, told.publish_seq, outcome, reason, wait_s, previous)

    def refuse(self, changes: Sequence[Change], refusal: NotTaken) -> None:
        for change in changes:
            self.settle(change, *refusal)

    def in_order(self) -> list[Result]:
        return [self.results[position] for position in range(len(self.batch))]


class ShopifySink:
    """Sets what is available at one location. ``monotonic`` gives seconds, ``new_key`` a random key."""

    def __init__(
        self,
        channel: str,
        settings: ShopifySettings,
        calls: CallLimits,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        new_key: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._channel = channel
        self._location = settings.location_id
        self._limits = Limits(min(calls.max_updates, MOST_QUANTITIES), calls.max_request_bytes)
        self._new_key = new_key
        self._http = HttpCaller(calls)
        authorized = AuthorizedCaller(
            self._http, _tokens(settings, self._http), header="X-Shopify-Access-Token", prefix=""
        )
        endpoint = f"{settings.url.rstrip('/')}/admin/api/{API_VERSION}/graphql.json"
        self._calls = PricedCalls(authorized, endpoint, calls.longest_retry_after_s, monotonic)

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    async def open(self) -> None:
        """Prepare the connection pool."""
        await self._http.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Set the quantities; what was refused is corrected or left out, and the rest set again."""
        attempt = _Attempt(batch)
        self._calls.begin()
        changes: list[Change] = []
        for position, update in enumerate(batch):
            item = inventory_item(update.listing)
            change = Change(position, update, item or "", update.expected_previous)
            if item is None:
                attempt.settle(change, Outcome.REJECTED, NOT_AN_ITEM)
            else:
                changes.append(change)
        if len(set_quantities(changes, self._location, self._channel)) > self._limits.max_bytes:
            return too_large(batch)
        for _ in range(ROUNDS):
            if not changes:
                break
            changes = await self._set(changes, attempt)
        attempt.refuse(changes, NotTaken(Outcome.RETRY, RESTLESS))
        return attempt.in_order()

    async def _set(self, changes: list[Change], attempt: _Attempt) -> list[Change]:
        """One round. Returns what is to be set in the next one."""
        answer = await self._ask_to_set(changes, None)
        if isinstance(answer, NewKeyNeeded):
            answer = await self._ask_to_set(changes, self._new_key())
        if isinstance(answer, NewKeyNeeded):
            answer = NotTaken(Outcome.RETRY, answer.reason)
        if isinstance(answer, NotTaken):
            attempt.refuse(changes, answer)
            return []
        if answer is None:
            for change in changes:
                attempt.settle(change, Outcome.ACCEPTED, change.reason)
            return []
        for position, reason in answer.rejected.items():
            attempt.settle(changes[position], Outcome.REJECTED, reason)
        again = [one for at, one in enumerate(changes) if at not in answer.rejected and at not in answer.stale]
        return again + await self._adopt([changes[at] for at in sorted(answer.stale)], attempt)

    async def _adopt(self, stale: list[Change], attempt: _Attempt) -> list[Change]:
        """Read what the shop shows for these and expect that. What it shows already is accepted."""
        if not stale:
            return []
        readable = self._calls.readable
        attempt.refuse([one for at, one in enumerate(stale) if at >= readable], NotTaken(Outcome.RETRY, UNREAD))
        stale = [one for at, one in enumerate(stale) if at < readable]
        content = await self._calls.read(read_quantities(stale, self._location), len(stale))
        shown = quantities_read(content) if isinstance(content, dict) else None
        if shown is None:
            unread = content if isinstance(content, NotTaken) else NotTaken(Outcome.RETRY, "ANSWER_UNREADABLE")
            # Reading changes nothing: whatever happened to it, the quantities are as they were.
            attempt.refuse(stale, unread._replace(outcome=Outcome.RETRY))
            return []
        adopted = []
        for change in stale:
            current = shown.get(change.inventory_item)
            if current is None:
                attempt.settle(change, Outcome.REJECTED, "NOT_STOCKED: the item has no level at the location")
            elif current == change.update.quantity:
                reason = f"DRIFT: it showed {current} already"
                attempt.settle(change._replace(expected=current), Outcome.ACCEPTED, reason)
            else:
                believed = change.update.expected_previous
                reason = f"DRIFT: it showed {current}, we believed {believed}"
                adopted.append(change._replace(expected=current, reason=reason))
        return adopted

    async def _ask_to_set(
        self, changes: Sequence[Change], new_key: str | None
    ) -> EntryErrors | NewKeyNeeded | NotTaken | None:
        body = set_quantities(changes, self._location, self._channel, new_key)
        content = await self._calls.mutate(body, len(changes))
        return content if isinstance(content, NotTaken) else set_result(content, len(changes))


def _tokens(settings: ShopifySettings, http: HttpCaller) -> TokenSource:
    if settings.has_secret("access_token"):
        return StaticToken(settings.secret("access_token"))
    return OAuthToken(
        http,
        f"{settings.url.rstrip('/')}/admin/oauth/access_token",
        {"grant_type": "client_credentials", "client_id": settings.client_id or ""},
        {"client_secret": settings.secret("client_secret")},
    )


def _make(channel: str, settings: ShopifySettings, calls: CallLimits) -> ShopifySink:
    return ShopifySink(channel, settings, calls)


KIND = ChannelKind(ShopifySettings, _make)
