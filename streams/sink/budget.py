"""The calls a sink may make, as configured: a bucket of its own, or a budget for all sinks of an account."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

from connectors.budgets import SharedBudget
from connectors.budgets_name import MemberName
from connectors.budgets_sink import BudgetedSink, SharedBucket
from connectors.channels.base import ChannelSink
from connectors.channels.rate import CallBucket, TokenBucket
from domain.facts import SECOND, Micros
from domain.limits import CallBudget, CallLimit, RateAndBurst, SerialOnly
from streams.data_plane.failures import Misconfigured
from streams.sink.settings import SinkSettings


@contextmanager
def metered(
    channel: str, sink: ChannelSink, settings: SinkSettings, attempt_s: float
) -> Iterator[tuple[ChannelSink, CallBucket]]:
    """The sink, and the bucket that delivery is to ask before it uses it.

    Raises ``Misconfigured``: the budget cannot be shared as configured.
    """
    if settings.budget_url is None:
        yield sink, TokenBucket(settings.rate_per_s, settings.burst)
        return
    account = settings.budget_account or channel
    name = MemberName(account)
    limits, member = _limits(settings, attempt_s), settings.budget_member or _claimed(name)
    try:
        budget = SharedBudget(settings.budget_url.get_secret_value(), account, member, limits, _monotonic)
    except ValueError:
        # Its words may hold a part of the URL, and that a part of the password.
        raise Misconfigured("sink.budget_url must be redis://host:port/db, rediss://... or unix://...") from None
    try:
        yield BudgetedSink(sink, budget), SharedBucket(budget)
    finally:
        name.release()


def _claimed(name: MemberName) -> str:
    try:
        return name.claim()
    except OSError as error:
        raise Misconfigured(f"no name for this sink ({error}); set sink.budget_member") from error


def _limits(settings: SinkSettings, attempt_s: float) -> CallBudget:
    limits: list[CallLimit] = [RateAndBurst.per_second(Fraction(str(settings.rate_per_s)), settings.burst)]
    if settings.budget_serial:
        limits.append(SerialOnly(int(attempt_s * SECOND)))
    try:
        return CallBudget.of(limits)
    except ValueError as error:
        raise Misconfigured(f"sink.rate_per_s, sink.burst: {error}") from error


def _monotonic() -> Micros:
    return time.monotonic_ns() // 1000
