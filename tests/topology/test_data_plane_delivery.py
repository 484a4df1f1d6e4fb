"""How a batch reaches its agent's queue: at once while the flow is open, and never across its suspension."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.transport.conductor import ConductorCompiler
from mode.utils.queues import FlowControlEvent, ThrowableQueue

from streams.data_plane.consumer import PlaneConsumer


class Channel:
    """What the conductor wants of an agent's topic."""

    key_type = value_type = None

    def __init__(self, flow: FlowControlEvent) -> None:
        self.queue = ThrowableQueue[str](1_000, flow_control=flow)

    async def decode(self, message: Any, *, propagate: bool) -> str:
        return str(message.value)


async def nothing() -> None:
    """The producer's buffer is always empty."""


class Delivery:
    """A consumer without a broker, and Faust's own way from it into one agent's queue."""

    def __init__(self) -> None:
        self.flow = FlowControlEvent()
        self.channel = Channel(self.flow)
        self.ended = asyncio.Event()
        """The flow is suspended and the consumer knows."""
        app = SimpleNamespace(
            flow_control=self.flow,
            consumer=SimpleNamespace(on_buffer_full=None, on_buffer_drop=None),
            producer=SimpleNamespace(buffer=SimpleNamespace(wait_until_ebb=nothing)),
            sensors=SimpleNamespace(on_topic_buffer_full=None),
        )
        built = ConductorCompiler().build(
            cast(Any, SimpleNamespace(app=app)), cast(Any, ("a", 0)), cast(Any, [self.channel])
        )
        self.waited = 0
        self._consumer: Any = SimpleNamespace(
            app=app, callback=built, suspend_flow=self.ended, wait_first=self._wait_first
        )

    def passing_on(self) -> Any:
        message = SimpleNamespace(value="batch", incref=lambda _: None)
        return PlaneConsumer._pass_on(self._consumer, cast(Any, message))

    async def _wait_first(self, *awaited: Any) -> None:
        self.waited += 1
        tasks = [asyncio.ensure_future(each) for each in awaited]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def test_while_the_flow_is_open_a_batch_waits_for_nothing() -> None:
    delivery = Delivery()
    delivery.flow.resume()
    with pytest.raises(StopIteration):  # had it waited, it would not be over after one step
        delivery.passing_on().send(None)
    assert delivery.channel.queue.get_nowait() == "batch"
    assert delivery.waited == 0


async def test_a_batch_does_not_wait_across_a_suspension_of_the_flow() -> None:
    delivery = Delivery()
    delivery.flow.suspend()
    passing = asyncio.ensure_future(delivery.passing_on())
    while not delivery.waited:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(0)
    delivery.ended.set()
    await asyncio.wait_for(passing, 5)
    assert delivery.channel.queue.empty()
