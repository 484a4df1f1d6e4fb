"""A shop on Shopify: absolute quantities of inventory items at one location, compared before they are set.

One attempt takes a call, and up to ``ROUNDS`` when entries are refused: then the others are set without them.
Where the shop shows something else than we believe, its value is read and taken over as the expected one, and the
result says so. What the most urgent update needs comes first, because the first call is always paid for.
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
from connectors.channels.routes import SOON, OwnMeters, RouteMeters
from connectors.channels.shopify_answer import (
    EntryErrors,
    NewKeyNeeded,
    quantities_read,
    set_result,
)
from connectors.channels.shopify_calls import POINTS_OF_TOKEN, PricedCalls
from connectors.channels.shopify_drift import Drifted
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
UNREAD = "CHANGE_FROM_QUANTITY_STALE: more items than one attempt can read"
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
        """A mutation, the same with a new key, and a read for each round, with the wait for their points."""
        return 3 * ROUNDS * (calls.call_timeout_s + SOON / SECOND)

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """Points, in tokens of a mutation's: an attempt takes one, and more for each further call."""
        of_one = POINTS_OF_TOKEN
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

    def leave(self, changes: Sequence[Change]) -> None:
        """What the attempt does not get to. It has failed only where nothing came of the others either."""
        for_others = NotTaken(Outcome.LATER, UNREAD)
        self.refuse(changes, for_others if self.results else NotTaken(Outcome.RETRY, RESTLESS))

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
        own = OwnMeters(settings.call_limits(calls), monotonic)
        self._calls = PricedCalls(authorized, endpoint, calls.longest_retry_after_s, monotonic, own)
        self._drifted = Drifted()
        self._failed_request = b""

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens of every further call of an attempt from these; before the first call."""
        self._calls.meters = meters

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
            if item is None:
                attempt.settle(Change(position, update, "", None), Outcome.REJECTED, NOT_AN_ITEM)
            else:
                changes.append(self._as_found(Change(position, update, item, update.expected_previous)))
        if len(set_quantities(changes, self._location, self._channel)) > self._limits.max_bytes:
            return too_large(batch)
        for _ in range(2 * ROUNDS):
            if not changes:
                break
            if self._drifted.is_unread(changes[0].inventory_item):
                changes = await self._adopt(changes, attempt)
            else:
                changes = await self._set(changes, attempt)
        attempt.leave(changes)
        return attempt.in_order()

    def _as_found(self, change: Change) -> Change:
        """The change, expecting what an attempt before has read."""
        if change.expected is None:
            self._drifted.forget(change.inventory_item)
        shown = self._drifted.shown(change.inventory_item)
        return change if shown is None else _adopted(change, shown)

    async def _set(self, changes: list[Change], attempt: _Attempt) -> list[Change]:
        """Set what need not be read before. Returns what is to be done after that."""
        unread = [one for one in changes if self._drifted.is_unread(one.inventory_item)]
        changes = [one for one in changes if not self._drifted.is_unread(one.inventory_item)]
        answer = await self._ask_to_set(changes)
        if isinstance(answer, NewKeyNeeded):
            answer = await self._ask_to_set(changes)
        if isinstance(answer, NewKeyNeeded):
            answer = NotTaken(Outcome.RETRY, answer.reason)
        if isinstance(answer, NotTaken):
            attempt.refuse(changes, answer)
            attempt.leave(unread)
            return []
        if answer is None:
            for change in changes:
                self._settle(attempt, change, Outcome.ACCEPTED, change.reason)
            return unread
        for position, reason in answer.rejected.items():
            self._settle(attempt, changes[position], Outcome.REJECTED, reason)
        for position in answer.stale:
            self._drifted.found(changes[position].inventory_item, None)
        left = [one for at, one in enumerate(changes) if at not in answer.rejected]
        return sorted(left + unread, key=lambda one: one.position)

    async def _adopt(self, changes: list[Change], attempt: _Attempt) -> list[Change]:
        """Read what the shop shows for the unread ones, and expect that. What it shows already is accepted.

        Returns what is to be done after that.
        """
        unread = [one for one in changes if self._drifted.is_unread(one.inventory_item)]
        asked, content = await self._calls.read(
            len(unread), lambda items: read_quantities(unread[:items], self._location)
        )
        shown = quantities_read(content) if isinstance(content, dict) else None
        if shown is None:
            unknown = content if isinstance(content, NotTaken) else NotTaken(Outcome.RETRY, "ANSWER_UNREADABLE")
            # Reading changes nothing: whatever happened to it, the quantities are as they were.
            attempt.refuse(changes, unknown._replace(outcome=Outcome.RETRY))
            return []
        read = {one.position for one in unread[:asked]}
        left = []
        for change in changes:
            current = shown.get(change.inventory_item)
            if change.position not in read:
                left.append(change)
            elif current is None:
                reason = "NOT_STOCKED: the item has no level at the location"
                self._settle(attempt, change, Outcome.REJECTED, reason)
            elif current == change.update.quantity:
                reason = f"DRIFT: it showed {current} already"
                self._settle(attempt, change._replace(expected=current), Outcome.ACCEPTED, reason)
            else:
                self._drifted.found(change.inventory_item, current)
                left.append(_adopted(change, current))
        return left

    def _settle(self, attempt: _Attempt, change: Change, outcome: Outcome, reason: str | None) -> None:
        self._drifted.forget(change.inventory_item)
        attempt.settle(change, outcome, reason)

    async def _ask_to_set(self, changes: Sequence[Change]) -> EntryErrors | NewKeyNeeded | NotTaken | None:
        """Ask with the key that follows from the changes; with a new one after that failed with the same."""
        body = request = set_quantities(changes, self._location, self._channel)
        if request == self._failed_request:
            body = set_quantities(changes, self._location, self._channel, self._new_key())
        content = await self._calls.mutate(body, len(changes))
        result = content if isinstance(content, NotTaken) else set_result(content, len(changes))
        if isinstance(result, NewKeyNeeded):
            self._failed_request = request
        return result


def _adopted(change: Change, shown: int) -> Change:
    reason = f"DRIFT: it showed {shown}, we believed {change.update.expected_previous}"
    return change._replace(expected=shown, reason=reason)


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
