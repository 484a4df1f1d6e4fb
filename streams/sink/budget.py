"""The calls a sink may make, as configured: meters of its own, or budgets shared by all sinks of an account."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from pydantic import SecretStr

from connectors.budgets import SharedBudget
from connectors.budgets_name import MemberName
from connectors.budgets_reads import BudgetedReads
from connectors.budgets_routes import SharedMeters
from connectors.budgets_sink import BudgetedSink, SharedBucket
from connectors.channels.base import ChannelSink
from connectors.channels.capped import CappedSink, OwnRevisions
from connectors.channels.kind import CALLS
from connectors.channels.rate import CallBucket, OwnBucket
from connectors.channels.reading import ReadsBack
from connectors.channels.routes import OwnMeters, RouteMeters, TakesTokens
from connectors.revisions import SharedRevisions
from domain.facts import Micros
from domain.limits import CallBudget
from streams.data_plane.failures import Misconfigured
from streams.sink.settings import SinkConfiguration


@contextmanager
def metered(
    channel: str, bare: ChannelSink, sink: ChannelSink, configuration: SinkConfiguration
) -> Iterator[tuple[ChannelSink, CallBucket, ReadsBack | None]]:
    """The sink, the bucket that delivery is to ask before it uses it, and the reads if it has any.

    ``bare`` is the channel's own sink, whose bulk route and reads take their tokens from the same account;
    ``sink`` is what stands around it.

    Raises ``Misconfigured``: the limits cannot be kept, or the budgets not be shared, as configured.
    """
    settings = configuration.delivery
    reads: ReadsBack | None = bare if isinstance(bare, ReadsBack) else None
    try:
        limits = configuration.call_limits
        budgets = {route: CallBudget.of(stated) for route, stated in limits.items()}
    except ValueError as error:
        raise Misconfigured(f"sink.rate_per_s, sink.burst: {error}") from error
    cap = configuration.own.daily_revisions(secrets.token_hex(8))
    if settings.budget_url is None:
        own = OwnMeters(limits, time.monotonic)
        _take_from(bare, own)
        capped = sink if cap is None else CappedSink(sink, OwnRevisions(cap, _wall_clock))
        yield capped, OwnBucket(own.budget(CALLS)), reads
        return
    account = settings.budget_account or channel
    name = MemberName(account)
    member = settings.budget_member or _claimed(name)
    try:
        shared = _shared(settings.budget_url, account, member, budgets)
        _take_from(bare, SharedMeters(shared))
        others = [budget for route, budget in shared.items() if route != CALLS]
        reads = None if reads is None else BudgetedReads(reads, shared[CALLS])
        budgeted = BudgetedSink(sink, shared[CALLS], *others)
        if cap is None:
            yield budgeted, SharedBucket(shared[CALLS], *others), reads
        else:
            # Outside: a token must be used at once, and asking for revisions takes a moment.
            revisions = SharedRevisions(settings.budget_url.get_secret_value(), account, cap, _wall_clock)
            yield CappedSink(budgeted, revisions), SharedBucket(shared[CALLS], *others, revisions), reads
    finally:
        name.release()


def _take_from(bare: ChannelSink, meters: RouteMeters) -> None:
    if isinstance(bare, TakesTokens):
        bare.metered_by(meters)


def _shared(
    url: SecretStr, account: str, member: str, budgets: Mapping[str, CallBudget]
) -> dict[str, SharedBudget]:
    """A key of the store for each route: each is an account of its own, with its own proof (decision 0014)."""
    try:
        return {
            route: SharedBudget(
                url.get_secret_value(),
                account if route == CALLS else f"{account}/{route}",
                member,
                budget,
                _monotonic,
            )
            for route, budget in budgets.items()
        }
    except ValueError:
        # Its words may hold a part of the URL, and that a part of the password.
        raise Misconfigured("sink.budget_url must be redis://host:port/db, rediss://... or unix://...") from None


def _claimed(name: MemberName) -> str:
    try:
        return name.claim()
    except OSError as error:
        raise Misconfigured(f"no name for this sink ({error}); set sink.budget_member") from error


def _monotonic() -> Micros:
    return time.monotonic_ns() // 1000


def _wall_clock() -> Micros:
    return time.time_ns() // 1000
