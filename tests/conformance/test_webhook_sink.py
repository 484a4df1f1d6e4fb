from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any, ClassVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from connectors.channels.base import ChannelSink, ChannelUnusable, Outcome
from connectors.channels.kind import CallLimits
from connectors.channels.webhook import WebhookSink
from streams.demo.fake_channel import UPDATES_PATH, FakeChannel, Fault
from tests.conformance.bench import Ability, Bench
from tests.conformance.rig import CHANNEL, Clock, Journal, Lifetime, update
from tests.conformance.suite import SinkConformance

OLD = SecretStr("whsec_b2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZA==")
NEW = SecretStr("whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldw==")


class RecordingChannel(FakeChannel):
    """The demonstration's channel, with a memory of the order, and connections that it can close."""

    def __init__(self) -> None:
        # This receiver knows the old secret only: requests are signed with both.
        super().__init__([OLD], rate_per_s=1000.0, burst=1000)
        self.taken: list[tuple[str, int]] = []
        self.closes = 0

    def app(self) -> web.Application:
        app = super().app()
        app.middlewares.append(self._closing)
        return app

    def _take(self, update: Any) -> dict[str, Any]:
        answer = super()._take(update)
        if answer["status"] == "accepted":
            self.taken.append((update.listing, update.quantity))
        return answer

    @web.middleware
    async def _closing(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self.closes and request.transport is not None:
            self.closes -= 1
            request.transport.abort()
        return await handler(request) if request.transport is not None else web.Response(status=500)


class WebhookBench(Bench):
    not_applicable: ClassVar[Mapping[Ability, str]] = {
        Ability.TOKEN: "requests are signed, there is no token",
        Ability.READ_BACK: "the receiver gets publish_seq, and ignores what is older",
    }
    garbled = (
        '{"results": 7}',
        '{"results": null}',
        '{"results": []}',
        '{"results": [[], 3, {"status": "accepted"}]}',
    )

    def __init__(self, channel: RecordingChannel, server: TestServer) -> None:
        self.channel = channel
        self.server = server
        self.answer_within_s = 5.0

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[ChannelSink]:
        sink = WebhookSink(
            CHANNEL,
            str(self.server.make_url(UPDATES_PATH)),
            [NEW, OLD],
            CallLimits(40, 60_000, 20_000, connect_timeout_s=1.0, call_timeout_s=self.answer_within_s),
        )
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    def taken(self) -> list[tuple[str, int]]:
        return self.channel.taken

    def refuse(self, listing: str) -> None:
        self.channel.refused.add(listing)

    @asynccontextmanager
    async def interrupt(self, calls: int) -> AsyncIterator[None]:
        self.channel.next_faults += [Fault(503)] * calls
        yield
        assert not self.channel.next_faults

    def throttle_once(self, retry_after_s: int) -> None:
        self.channel.next_faults.append(Fault(429, {"Retry-After": str(retry_after_s)}))

    def swallow_answers(self, calls: int) -> None:
        self.answer_within_s = 0.15
        self.channel.next_faults += [Fault(taken=True, delay_s=0.5)] * calls

    def close_once(self) -> None:
        self.channel.closes += 1

    def garble_once(self, body: str) -> None:
        self.channel.next_faults.append(Fault(200, body=body))

    def secrets(self) -> list[str]:
        return [part for one in (OLD, NEW) for part in (one.get_secret_value(), one.get_secret_value()[6:])]


@pytest.fixture
async def bench() -> AsyncIterator[WebhookBench]:
    channel = RecordingChannel()
    async with TestServer(channel.app(), host="127.0.0.1") as server:
        yield WebhookBench(channel, server)


class TestWebhookSink(SinkConformance):
    async def test_a_channel_that_is_not_there_is_an_outage(self, bench: WebhookBench) -> None:
        async with bench.sink() as sink:
            await bench.server.close()
            (result,) = await sink.send([update()])
        assert result.outcome is Outcome.RETRY
        assert result.reason is not None
        assert result.reason.startswith("cannot connect")

    @pytest.mark.parametrize("status", [301, 307, 401, 403, 404, 408, 501, 503])
    async def test_what_no_update_can_cause_is_tried_again(self, bench: WebhookBench, status: int) -> None:
        bench.channel.next_faults.append(Fault(status, {"Location": "/elsewhere"}))
        async with bench.sink() as sink:
            (result,) = await sink.send([update()])
        assert (result.outcome, result.reason) == (Outcome.RETRY, f"HTTP {status}")
        assert bench.channel.ledger.requests == 1

    @pytest.mark.parametrize(
        ("status", "headers"),
        [
            (502, {}),
            (504, {}),
            (520, {}),
            (524, {}),
            (503, {"Via": "1.1 varnish (Varnish/7.4)", "Retry-After": "5"}),
            (503, {"x-varnish": "32770"}),
        ],
    )
    async def test_a_gateway_that_gave_up_does_not_know_what_became_of_the_call(
        self, bench: WebhookBench, status: int, headers: dict[str, str]
    ) -> None:
        bench.channel.next_faults.append(Fault(status, headers))
        async with bench.sink() as sink:
            (result,) = await sink.send([update()])
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, f"HTTP {status}")

    @pytest.mark.parametrize("status", [400, 409, 413, 422])
    async def test_a_batch_refused_as_a_whole_is_split_until_the_bad_update_is_alone(
        self, bench: WebhookBench, status: int
    ) -> None:
        bench.channel.next_faults.append(Fault(status, body="bad\nlisting \x00 L-1"))
        async with bench.sink() as sink:
            results = await sink.send([update("L-1"), update("L-2")])
            assert {one.outcome for one in results} == {Outcome.SPLIT}
            bench.channel.next_faults.append(Fault(status, body="bad\nlisting \x00 L-1"))
            (alone,) = await sink.send([update("L-1")])
        assert (alone.outcome, alone.reason) == (Outcome.REJECTED, f"HTTP {status}: bad listing L-1")

    async def test_an_update_that_breaks_the_receiver_is_given_up_and_the_others_pass(
        self, bench: WebhookBench
    ) -> None:
        bench.channel.breaking.add("L-00")
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), Clock())
            life.arrive(update("L-00", 1, 0, priority="P0"))
            life.arrive(*(update(f"L-{number:02}", 1, 5) for number in range(1, 40)))
            await life.deliver(200)
        assert len(bench.shown()) == 39
        (given_up,) = (one for one in life.journal.acknowledgements if one.outcome != "ACCEPTED")
        assert (given_up.listing, given_up.outcome) == ("L-00", "REJECTED")
        assert given_up.reason == "HTTP 500 again and again, while other updates are taken"

    async def test_a_receiver_that_breaks_over_everything_is_an_outage_and_rejects_nothing(
        self, bench: WebhookBench
    ) -> None:
        bench.channel.next_faults += [Fault(500)] * 60
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), Clock())
            life.arrive(*(update(f"L-{number:02}", 1, 5, priority="P3") for number in range(10)))
            life.arrive(update("L-stop", 1, 0, priority="P0"))
            await life.deliver(200)
        assert {outcome for _, _, outcome in life.journal.outcomes()} == {"ACCEPTED"}
        assert len(bench.shown()) == 11

    async def test_a_date_is_a_wait_too_and_a_wait_without_end_is_bounded(self, bench: WebhookBench) -> None:
        soon = formatdate(Clock().wall_s() + 30, usegmt=True)
        bench.channel.next_faults += [Fault(429, {"Retry-After": soon}), Fault(503, {"Retry-After": "9" * 300})]
        # A clock of our own, which the receiver would call wrong, needs a receiver without signatures.
        bench.channel._wall_clock = Clock().wall_s
        sink = WebhookSink(CHANNEL, str(bench.server.make_url(UPDATES_PATH)), [OLD], wall_clock=Clock().wall_s)
        await sink.open()
        (first,), (second,) = await sink.send([update()]), await sink.send([update()])
        await sink.close()
        assert first.retry_after_s == pytest.approx(30, abs=1)
        assert second.retry_after_s == 300.0

    async def test_every_attempt_of_a_batch_has_the_same_id_also_after_a_restart(
        self, bench: WebhookBench
    ) -> None:
        bench.channel.next_faults += [Fault(502), Fault(502)]
        for _ in range(3):
            async with bench.sink() as sink:
                await sink.send([update("L-1", 1), update("L-2", 1)])
        async with bench.sink() as sink:
            await sink.send([update("L-1", 2), update("L-2", 1)])
        first, second, third, other = bench.channel.webhook_ids
        assert first == second == third != other

    @pytest.mark.parametrize("body", ["", "OK", "[]", '{"taken": 2}', "[" * 10_000])
    async def test_a_2xx_without_results_accepts_everything(self, bench: WebhookBench, body: str) -> None:
        bench.channel.next_faults.append(Fault(202, body=body))
        async with bench.sink() as sink:
            results = await sink.send([update("L-1"), update("L-2")])
        assert {one.outcome for one in results} == {Outcome.ACCEPTED}

    @pytest.mark.parametrize(
        ("results", "reason"),
        [
            (None, "ANSWER_UNREADABLE"),
            ("all", "ANSWER_UNREADABLE"),
            ([], "NOT_IN_ANSWER"),
            ([{"listing": "L-1", "publish_seq": 2, "status": "accepted"}], "NOT_IN_ANSWER"),
            ([{"listing": "L-1", "publish_seq": True, "status": "accepted"}], "NOT_IN_ANSWER"),
            ([{"listing": ["L-1"], "publish_seq": 1, "status": "accepted"}, 7], "NOT_IN_ANSWER"),
            ([{"listing": "L-1", "publish_seq": 1, "status": "maybe"}], "ANSWER_UNREADABLE"),
        ],
    )
    async def test_results_that_do_not_say_what_became_of_an_update_leave_it_unknown(
        self, bench: WebhookBench, results: object, reason: str
    ) -> None:
        bench.channel.next_faults.append(Fault(200, body=json.dumps({"results": results})))
        async with bench.sink() as sink:
            (result,) = await sink.send([update("L-1", 1)])
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, reason)

    async def test_an_answer_longer_than_allowed_is_not_read_to_its_end(self, bench: WebhookBench) -> None:
        bench.channel.next_faults.append(Fault(200, body=" " * 50_000))
        async with bench.sink() as sink:
            (result,) = await sink.send([update()])
        assert (result.outcome, result.reason) == (Outcome.UNKNOWN, "ANSWER_TOO_LARGE")

    async def test_a_stop_sell_that_comes_during_the_back_off_goes_first(self, bench: WebhookBench) -> None:
        bench.channel.next_faults.append(Fault(503))
        async with bench.sink() as sink:
            life = Lifetime(sink, Journal(), Clock())
            life.arrive(*(update(f"L-{number:02}", 1, 5, priority="P3") for number in range(40)))
            await life.delivery.attempt()
            life.arrive(update("L-99", 1, 0, priority="P0"))
            await life.deliver()
        assert life.journal.outcomes()[0] == ("L-99", 1, "ACCEPTED")

    async def test_a_receiver_with_another_secret_takes_nothing(self, bench: WebhookBench) -> None:
        other = SecretStr("whsec_" + "QUJD" * 10)
        sink = WebhookSink(CHANNEL, str(bench.server.make_url(UPDATES_PATH)), [other])
        await sink.open()
        (result,) = await sink.send([update()])
        await sink.close()
        assert (result.outcome, result.reason) == (Outcome.RETRY, "HTTP 401")
        assert (bench.shown(), bench.channel.ledger.unsigned) == ({}, 1)

    @pytest.mark.parametrize("url", ["ftp://x/", "file:///etc/passwd", "", "127.0.0.1:80"])
    def test_an_address_that_is_not_http_is_refused(self, url: str) -> None:
        with pytest.raises(ChannelUnusable, match="http"):
            WebhookSink(CHANNEL, url, [OLD])

    def test_a_malformed_secret_is_refused_without_being_shown(self) -> None:
        with pytest.raises(ChannelUnusable) as refused:
            WebhookSink(CHANNEL, "https://shop.example/hook", [SecretStr("whsec_c2hvcnQ=")])
        assert "c2hvcnQ" not in str(refused.value)
        assert "24 to 64 bytes" in str(refused.value)
