"""The fake channel catches what it is there to catch; otherwise its zeros would prove nothing."""

from __future__ import annotations

import asyncio
import json
import sys
import time

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from pydantic import SecretStr

from connectors.channels.signing import SigningSecret, signed_headers
from connectors.channels.webhook import encode
from streams.demo.fake_channel import UPDATES_PATH, FakeChannel
from streams.local.ports import free_port
from tests.conformance.rig import CHANNEL, Clock, update

SECRET = SecretStr("whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldw==")


def signed(body: bytes, now: int) -> dict[str, str]:
    return signed_headers([SigningSecret(SECRET)], "msg_1", now, body)


async def test_an_older_value_after_a_newer_one_is_taken_and_counted() -> None:
    clock = Clock()
    channel = FakeChannel([SECRET], 100.0, 100, clock=clock.monotonic, wall_clock=clock.wall_s)
    async with TestClient(TestServer(channel.app())) as client:
        for publish_seq, quantity in ((2, 7), (2, 7), (1, 9)):
            body = encode(CHANNEL, [update("L-1", publish_seq, quantity)])
            answer = await client.post(UPDATES_PATH, data=body, headers=signed(body, int(clock.wall_s())))
            assert (await answer.json())["results"][0]["status"] == "accepted"
        state = await (await client.get("/state")).json()
    assert state["listings"]["L-1"] == {"quantity": 9, "publish_seq": 1, "accepted_at": clock.wall_s()}
    assert (state["ledger"]["accepted_older"], state["ledger"]["repeated"]) == (1, 1)


async def test_a_request_above_the_limit_is_refused_with_a_wait_and_counted() -> None:
    clock = Clock()
    channel = FakeChannel([SECRET], 0.5, 1, clock=clock.monotonic, wall_clock=clock.wall_s)
    body = encode(CHANNEL, [update()])
    headers = signed(body, int(clock.wall_s()))
    async with TestClient(TestServer(channel.app())) as client:
        assert (await client.post(UPDATES_PATH, data=body, headers=headers)).status == 200
        refused = await client.post(UPDATES_PATH, data=body, headers=headers)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "3")
        clock.advance(3)
        assert (await client.post(UPDATES_PATH, data=body, headers=headers)).status == 200
    assert channel.ledger.above_limit == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"updates": [{}]}', b'{"updates": 3}', b"\xff"])
async def test_a_signed_request_that_is_no_batch_is_refused(body: bytes) -> None:
    clock = Clock()
    channel = FakeChannel([SECRET], clock=clock.monotonic, wall_clock=clock.wall_s)
    async with TestClient(TestServer(channel.app())) as client:
        answer = await client.post(UPDATES_PATH, data=body, headers=signed(body, int(clock.wall_s())))
        assert answer.status == 400
    assert (channel.ledger.malformed, channel.listings) == (1, {})


async def test_it_runs_as_a_program_and_ends_when_asked() -> None:
    port = free_port()
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "streams.demo.fake_channel", "--port", str(port), "--rate", "5", "--burst", "5"),
        *("--secret", SECRET.get_secret_value()),
    )
    try:
        body = encode(CHANNEL, [update("L-1", 3, 4)])
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            answer = await _post(session, f"http://127.0.0.1:{port}", body)
            assert json.loads(answer)["results"] == [{"listing": "L-1", "publish_seq": 3, "status": "accepted"}]
    finally:
        program.terminate()
        assert await program.wait() == 0


async def _post(session: aiohttp.ClientSession, address: str, body: bytes) -> str:
    while True:
        try:
            headers = signed(body, int(time.time()))
            async with session.post(address + UPDATES_PATH, data=body, headers=headers) as answer:
                return await answer.text()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
