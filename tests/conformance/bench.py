"""What a sink brings to the conformance suite: a channel, sinks connected to it, and ways to make it misbehave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from functools import cached_property
from typing import ClassVar

import pytest
from aiohttp.test_utils import TestServer

from connectors.channels.base import ChannelSink, Update
from streams.demo.shops.vendor import FakeVendor, Fault
from tests.conformance import rig


class Ability(Enum):
    """What a channel can do that not every channel can."""

    REFUSE_ONE = "refuses one update of a batch"
    OUTAGE = "can be out, or full"
    THROTTLE = "says how long to leave it alone"
    SILENCE = "can take an update without answering"
    CLOSE = "can close the connection"
    GARBLE = "can answer something else than documented"
    TOKEN = "issues tokens that expire"
    OVERSIZE = "takes a bounded number of bytes"
    READ_BACK = "can let a call without answer come through late, and say what it shows"


class Bench(ABC):
    """A channel and sinks connected to it. Sinks of one bench speak to the same channel.

    ``not_applicable`` names the abilities that this channel lacks, each with the reason, which is printed.
    """

    not_applicable: ClassVar[Mapping[Ability, str]] = {}

    @abstractmethod
    def sink(self) -> AbstractAsyncContextManager[ChannelSink]:
        """An open sink; leaving the context closes it, as the end of a process would."""

    @abstractmethod
    def taken(self) -> list[tuple[str, int]]:
        """Every (listing, quantity) that the channel took, in the order in which it did."""

    @abstractmethod
    def secrets(self) -> list[str]:
        """Texts that must not appear in logs, reprs, reasons or errors."""

    # -- for channels with the ability

    def refuse(self, listing: str) -> None:
        """From now on the channel refuses this listing."""
        raise AssertionError(Ability.REFUSE_ONE)

    def interrupt(self, calls: int) -> AbstractAsyncContextManager[None]:
        """The channel takes nothing inside this context, in which exactly ``calls`` attempts are made."""
        raise AssertionError(Ability.OUTAGE)

    def throttle_once(self, retry_after_s: int) -> None:
        """The channel answers the next call with this wait."""
        raise AssertionError(Ability.THROTTLE)

    def swallow_answers(self, calls: int) -> None:
        """The channel takes what the next calls bring but the sink never hears of it. Before ``sink()``."""
        raise AssertionError(Ability.SILENCE)

    def delay(self, calls: int) -> None:
        """The channel reads the next calls and neither answers nor takes them yet. Before ``sink()``."""
        raise AssertionError(Ability.READ_BACK)

    def delay_behind_gateway(self, calls: int) -> None:
        """As ``delay``, but a gateway in front of it gives up on the calls and says so."""
        raise AssertionError(Ability.READ_BACK)

    async def come_through(self) -> None:
        """The channel takes what the delayed calls bring."""
        raise AssertionError(Ability.READ_BACK)

    def close_once(self) -> None:
        """The channel reads the next call and closes the connection, without taking it."""
        raise AssertionError(Ability.CLOSE)

    garbled: ClassVar[tuple[str, ...]] = ("", "nonsense", "[]", "{}", "null", "7", "[" * 10_000, '{"data": 3}')
    """Bodies with status 200 that tell nothing about what became of the updates."""

    def garble_once(self, body: str) -> None:
        """The channel answers the next call with status 200 and this body, without taking anything."""
        raise AssertionError(Ability.GARBLE)

    def expire_tokens(self) -> None:
        """Every token that was issued is refused from now on."""
        raise AssertionError(Ability.TOKEN)

    def revoke_credentials(self) -> None:
        """No token is issued any more, and those that were are refused."""
        raise AssertionError(Ability.TOKEN)

    def tokens_issued(self) -> int:
        """How many tokens the channel was asked for."""
        raise AssertionError(Ability.TOKEN)

    def oversized(self, sink: ChannelSink) -> list[Update]:
        """Two updates or more that are within the number of updates but above the number of bytes."""
        return [self.update(1)._replace(listing="L" * sink.limits.max_bytes), self.update(2)]

    # -- for everybody

    @cached_property
    def clock(self) -> rig.Clock:
        """The clock of the delivery, which a sink or a channel that needs one may use, too."""
        return rig.Clock()

    def listing(self, number: int) -> str:
        """A listing id as the channel forms them; the channel knows all of them."""
        return f"L-{number:04}"

    def update(
        self,
        number: int,
        publish_seq: int = 1,
        quantity: int = 5,
        *,
        priority: str = "P2",
        expires_in_s: int = 3600,
    ) -> Update:
        """An update for the listing with this number."""
        return rig.update(
            self.listing(number), publish_seq, quantity, priority=priority, expires_in_s=expires_in_s
        )

    def shown(self) -> dict[str, int]:
        """What the channel shows now."""
        return dict(self.taken())

    def needs(self, ability: Ability) -> None:
        """Skip the test, with the reason, when the channel cannot do this."""
        if ability in self.not_applicable:
            pytest.skip(f"not applicable ({ability.value}): {self.not_applicable[ability]}")


class VendorBench(Bench):
    """A bench on a fake vendor: everything but ``sink``, ``refuse`` and the form of listings is done here.

    ``answer_within_s`` is what ``sink()`` must use as ``call_timeout_s``.
    """

    def __init__(self, vendor: FakeVendor, server: TestServer) -> None:
        self.vendor = vendor
        self.server = server
        self.answer_within_s = 5.0

    def address(self, path: str = "") -> str:
        """Where the fake listens."""
        return str(self.server.make_url("/")).rstrip("/") + path

    def taken(self) -> list[tuple[str, int]]:
        return self.vendor.taken

    @asynccontextmanager
    async def interrupt(self, calls: int) -> AsyncIterator[None]:
        self.vendor.next_faults += [Fault(503)] * calls
        yield
        assert not self.vendor.next_faults

    def throttle_once(self, retry_after_s: int) -> None:
        self.vendor.next_faults.append(self.vendor.throttling(retry_after_s))

    def swallow_answers(self, calls: int) -> None:
        self.answer_within_s = 0.15
        self.vendor.next_faults += [Fault(taken=True, silent=True)] * calls

    def delay(self, calls: int) -> None:
        self.answer_within_s = 0.15
        self.vendor.next_faults += [Fault(silent=True, late=True)] * calls

    def delay_behind_gateway(self, calls: int) -> None:
        self.vendor.next_faults += [Fault(504, late=True)] * calls

    async def come_through(self) -> None:
        await self.vendor.come_through()

    def close_once(self) -> None:
        self.vendor.next_faults.append(Fault(closed=True))

    def garble_once(self, body: str) -> None:
        self.vendor.next_faults.append(Fault(200, {"content-type": "application/json"}, body))

    def expire_tokens(self) -> None:
        self.vendor.expire_tokens()

    def revoke_credentials(self) -> None:
        self.vendor.expire_tokens()
        self.vendor.client_secrets.clear()

    def tokens_issued(self) -> int:
        return self.vendor.token_requests
