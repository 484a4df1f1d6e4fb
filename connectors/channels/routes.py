"""The routes into a channel: kinds of calls that the channel counts apart, each with limits and meters of its own.

``kind.CALLS`` is the route of single calls, whose tokens delivery takes before an attempt. What a bulk submission
needs besides (documents, polls, lists) are routes named after the vendor's operation; each of their calls takes a
token here. A call for which there is none soon is not made and says so, as one that certainly did not arrive:
whatever made it tries again. So bulk waits, and what is urgent never waits for a token that bulk used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Protocol, TypeAlias, runtime_checkable

from connectors.channels.base import Outcome
from connectors.channels.http import Answered, Caller, CallFailed
from domain.facts import SECOND, Micros
from domain.limits import CallBudget, CallLimit, RateAndBurst, SerialOnly
from domain.limits_own import OwnBudget

Limits: TypeAlias = Mapping[str, tuple[CallLimit, ...]]
"""The limits of each route."""

BULK = "bulk"
"""The route of everything that a bulk needs, where the vendor documents no limits of its operations."""
NO_TOKEN = "NO_TOKEN"

SOON: Micros = SECOND // 2
"""How long a call may wait for its tokens."""
CLOCK_STEP_S = 0.001

USUAL_BULK: tuple[CallLimit, ...] = (RateAndBurst(5, SECOND, 10),)
"""Ours, for it."""


class RouteMeters(Protocol):
    """The meters of a channel account, as one process may use them. A route without limits is never asked for."""

    def wait_s(self, route: str) -> float:
        """Seconds until there will be a token, unless others take it first. Takes none."""
        ...

    async def take(self, route: str, wanted: int = 1, least: int = 1) -> int:
        """Use up to ``wanted`` calls, to be made at once. 0: there are fewer tokens than ``least`` soon."""
        ...

    def lower(self, route: str, left: int) -> None:
        """The channel says that no more than ``left`` calls are left. Never raises what is left; no refusal."""
        ...

    def refused(self, route: str, wait_s: float) -> None:
        """The channel refused a call of the route as too fast, and asked to wait."""
        ...


@runtime_checkable
class TakesTokens(Protocol):
    """A sink that makes other calls than those for which delivery takes a token."""

    def metered_by(self, meters: RouteMeters) -> None:
        """Take the tokens for them from these; before the first call."""
        ...


class OwnMeters:
    """The meters of a process that shares them with nobody. ``monotonic`` gives seconds.

    Raises ``ValueError``: a limit that cannot be kept.
    """

    def __init__(self, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._budgets = {route: OwnBudget(CallBudget.of(stated)) for route, stated in limits.items()}
        self._monotonic = monotonic

    def wait_s(self, route: str) -> float:
        """Seconds until there will be a token."""
        return self._budgets[route].wait(self._now()) / SECOND

    async def take(self, route: str, wanted: int = 1, least: int = 1) -> int:
        """Use calls when there are tokens within ``SOON``."""
        budget = self._budgets[route]
        wait = budget.wait(self._now(), least)
        if wait > SOON:
            return 0
        if wait > 0:
            await asyncio.sleep(wait / SECOND + CLOCK_STEP_S)
        return budget.take(self._now(), wanted, least)

    def lower(self, route: str, left: int) -> None:
        """No more is left than the channel says."""
        self._budgets[route].lower(self._now(), left)

    def budget(self, route: str) -> OwnBudget:
        """The budget of a route, for whoever takes tokens of it besides."""
        return self._budgets[route]

    def refused(self, route: str, wait_s: float) -> None:
        """Nothing is left, and the rate is halved for a while."""
        self._budgets[route].refused(self._now(), round(wait_s * SECOND))

    def _now(self) -> Micros:
        return round(self._monotonic() * SECOND)


class RoutedCaller:
    """Makes calls with a token of their route each. ``wait_of`` reads the wait that a 429 asks for, in seconds."""

    def __init__(
        self,
        caller: Caller,
        meters: RouteMeters,
        wait_of: Callable[[Answered], float | None] = lambda answer: answer.retry_after_s,
    ) -> None:
        self.meters = meters
        self._caller = caller
        self._wait_of = wait_of

    async def call(
        self, route: str, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answered | CallFailed:
        """One request and its answer; ``NO_TOKEN`` when it must not be made now."""
        if not await self.meters.take(route):
            return CallFailed(Outcome.RETRY, NO_TOKEN)
        answer = await self._caller.call(method, url, headers=headers, body=body)
        if isinstance(answer, Answered) and answer.status == 429:
            self.meters.refused(route, self._wait_of(answer) or 0.0)
        return answer


def as_told(
    documented: tuple[CallLimit, ...], rate_per_s: float | None, burst: int | None, serial: SerialOnly | None
) -> tuple[CallLimit, ...]:
    """The limits of single calls with what the operator says instead. None: as documented.

    Raises ``ValueError``: a limit that cannot be kept.
    """
    limits = [limit for limit in documented if not isinstance(limit, SerialOnly)]
    if rate_per_s is not None or burst is not None:
        meter = CallBudget.of(limits).meters[0]
        at_once = meter.burst if burst is None else burst
        if rate_per_s is None:
            limits = [RateAndBurst(1, meter.interval, at_once)]
        else:
            limits = [RateAndBurst.per_second(Fraction(str(rate_per_s)), at_once)]
    return (*limits, *(() if serial is None else (serial,)))
