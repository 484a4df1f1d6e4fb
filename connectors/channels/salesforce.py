"""Salesforce Omnichannel Inventory: batches of up to 100 records for one location, and imports of many.

The sink sets the quantity on hand of a location whose safety stock it keeps at 0: what may be sold has been worked
out before. Each record carries an id that is the same in every attempt, which the inventory takes once. With
``import_url`` set, what is not urgent goes by import when a thousand listings wait (``salesforce_import``).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from connectors.channels.authorized import AuthorizedCaller
from connectors.channels.base import Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.bulk import BulkRoute
from connectors.channels.http import CallFailed, HttpCaller, UnreadableAnswer
from connectors.channels.http_status import not_taken, succeeded
from connectors.channels.kind import CALLS, USUAL, CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.reading import Shown, Unread
from connectors.channels.routes import BULK, USUAL_BULK, OwnMeters, RoutedCaller, RouteMeters
from connectors.channels.salesforce_import import ImportPlan, SalesforceImports
from connectors.channels.salesforce_reads import MOST_READ, read_body, read_path, read_records
from connectors.channels.salesforce_wire import encode, path, read_answer, unfit
from connectors.channels.tokens import OAuthToken
from domain.limits import CallLimit


class SalesforceSettings(KindSettings):
    """``url`` is the org's (``https://shop.my.salesforce.com``), ``token_url`` its ``/services/oauth2/token``.

    The client is a connected app with the client credentials flow. ``api_version`` is 62.0 or later.
    ``import_url`` ends with ``/inventory/impex/v1/organizations/<tenant group>``; ``import_token_url`` issues the
    tokens for it where the org's are not taken.
    """

    usual_updates: ClassVar[int] = 100
    most_updates: ClassVar[int] = 100

    url: HttpAddress
    token_url: HttpAddress
    client_id: Annotated[str, Field(min_length=1, max_length=500)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    location: Annotated[str, Field(min_length=1, max_length=255)]
    api_version: Annotated[str, Field(pattern=r"^[0-9]{2,3}\.0$")] = "62.0"
    import_url: HttpAddress | None = None
    import_token_url: HttpAddress | None = None
    import_scope: str = ""
    import_worth: Annotated[int, Field(ge=1, le=1_000_000)] = ImportPlan().worth
    import_records: Annotated[int, Field(ge=1, le=100_000)] = ImportPlan().records
    import_poll_s: Annotated[float, Field(ge=1, le=3_600)] = ImportPlan().poll_s
    import_patience_s: Annotated[float, Field(gt=0, le=86_400)] = ImportPlan().patience_s
    import_settle_s: Annotated[float, Field(ge=0, le=3_600)] = ImportPlan().settle_s

    def attempt_s(self, calls: CallLimits) -> float:
        """A call, with a new token and again when the token is refused."""
        return 3 * calls.call_timeout_s

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """The org's edition sets them, by the day; ours are for the second."""
        return {CALLS: USUAL} | ({} if self.import_url is None else {BULK: USUAL_BULK})


class SalesforceSink:
    """Updates the records of one location."""

    def __init__(
        self,
        settings: SalesforceSettings,
        calls: CallLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        calls = calls or CallLimits(max_updates=settings.usual_updates)
        self._url = settings.url.rstrip("/") + path(settings.api_version)
        self._read_url = settings.url.rstrip("/") + read_path(settings.api_version)
        self._location = settings.location
        self._limits = Limits(calls.max_updates, calls.max_request_bytes)
        self._http = HttpCaller(calls)
        self._caller = AuthorizedCaller(self._http, _token(self._http, settings, settings.token_url, ""))
        self._routed: RoutedCaller | None = None
        self._bulk = (
            None if settings.import_url is None else self._imports(settings, settings.import_url, monotonic)
        )

    @property
    def bulk(self) -> BulkRoute | None:
        """Imports; None when they are switched off."""
        return self._bulk

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens for imports from these."""
        if self._routed is not None:
            self._routed.meters = meters

    async def open(self) -> None:
        """Prepare the connection pool. Connects with the first call: a channel that is down is an outage."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One call. A SKU that the inventory cannot know is rejected without one."""
        body = encode(batch, self._location)
        if len(body) > self._limits.max_bytes:
            return too_large(batch)
        results = {result.listing: result for result in same_answer(batch, Outcome.REJECTED, "SKU_CHARACTERS")}
        sent = [update for update in batch if not unfit(update)]
        if sent:
            results.update((result.listing, result) for result in await self._call(sent))
        return [results[update.listing] for update in batch]

    @property
    def most_read(self) -> int:
        """How many SKUs one read can ask for."""
        return MOST_READ

    async def shown(self, listings: Sequence[str]) -> Shown | Unread:
        """Read what is on hand at the location."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        body = read_body(listings, self._location)
        return read_records(
            listings, self._location, await self._caller.call("POST", self._read_url, headers=headers, body=body)
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()

    def _imports(
        self, settings: SalesforceSettings, url: str, monotonic: Callable[[], float]
    ) -> SalesforceImports:
        caller = self._caller
        if settings.import_token_url is not None:
            token = _token(self._http, settings, settings.import_token_url, settings.import_scope)
            caller = AuthorizedCaller(self._http, token)
        plan = ImportPlan(
            settings.import_worth,
            settings.import_records,
            settings.import_poll_s,
            settings.import_patience_s,
            settings.import_settle_s,
        )
        self._routed = RoutedCaller(caller, OwnMeters({BULK: USUAL_BULK}, monotonic))
        return SalesforceImports(self._routed, url, settings.location, plan, monotonic)

    async def _call(self, batch: Sequence[Update]) -> list[Result]:
        headers = {"content-type": "application/json", "accept": "application/json"}
        body = encode(batch, self._location)
        answer = await self._caller.call("POST", self._url, headers=headers, body=body)
        if isinstance(answer, CallFailed) or not succeeded(answer):
            return not_taken(batch, answer)
        try:
            return read_answer(batch, answer)
        except UnreadableAnswer as error:
            return same_answer(batch, Outcome.UNKNOWN, str(error))


def _token(http: HttpCaller, settings: SalesforceSettings, url: str, scope: str) -> OAuthToken:
    form = {"grant_type": "client_credentials", "client_id": settings.client_id}
    secrets = {"client_secret": settings.secret("client_secret")}
    return OAuthToken(http, url, form | ({"scope": scope} if scope else {}), secrets)


def _make(channel: str, settings: SalesforceSettings, calls: CallLimits) -> SalesforceSink:
    return SalesforceSink(settings, calls)


KIND = ChannelKind(SalesforceSettings, _make)
