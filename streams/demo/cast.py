"""Who takes part: workers, one of which dies and is replaced; shops that enforce their limits, and their sinks."""

from __future__ import annotations

import time
from collections.abc import Sequence

from streams.demo.children import Child, Children
from streams.demo.observation import KILLED, RUNNING, STARTING, STOPPED, WorkerSeen
from streams.demo.shopfronts import Shopfront, ShopState
from streams.local.ports import LOOPBACK
from streams.local.readiness import listens

_HANDLES_PARTITIONS = b"handling partitions ["
_HANDLES_NONE = b"handling partitions []"


class Worker:
    """One worker process and when it changed state last."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self._read = 0
        self._state = STARTING
        self._since = time.monotonic()

    def seen(self) -> WorkerSeen:
        """How it is now."""
        state = self._current()
        if state != self._state:
            self._state, self._since = state, time.monotonic()
        return WorkerSeen(self.child.name, self.child.pid, state, time.monotonic() - self._since)

    def _current(self) -> str:
        if not self.child.running:
            return self._state if self._state == KILLED else STOPPED
        if self._state == STARTING and not self._handles_partitions():
            return STARTING
        return RUNNING

    def kill(self) -> None:
        """Crash it."""
        self.child.kill()
        self._state, self._since = KILLED, time.monotonic()

    def _handles_partitions(self) -> bool:
        """Whether its log says that it was given partitions; reads what is new since the last look."""
        with self.child.log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        complete = new[: new.rfind(b"\n") + 1]
        self._read += len(complete)
        lines = complete.splitlines()
        return any(_HANDLES_PARTITIONS in line and _HANDLES_NONE not in line for line in lines)


class Cast:
    """Starts everybody; whoever made ``children`` stops them."""

    def __init__(self, children: Children, shopfronts: Sequence[Shopfront]) -> None:
        self._children = children
        self.shopfronts = shopfronts
        self.workers: list[Worker] = []

    def start_worker(self) -> Worker:
        """One more worker."""
        name = f"worker-{len(self.workers) + 1}"
        worker = Worker(self._children.start(name, ["streams.cli", "worker"]))
        self.workers.append(worker)
        return worker

    def start_shops(self) -> None:
        """The shops behind the channels. They start before their sinks."""
        for front in self.shopfronts:
            self._children.start(f"shop-{front.channel}", front.module, front.environment)

    def start_sinks(self) -> None:
        """The sink of each channel."""
        for front in self.shopfronts:
            environment = {f"ATSTREAM_SINK__{name}": value for name, value in front.sink.items()}
            self._children.start(f"sink-{front.channel}", ["streams.cli", "sink", front.channel], environment)

    @property
    def shops_listen(self) -> bool:
        """Whether every shop answers."""
        return all(listens(f"{LOOPBACK}:{front.port}") for front in self.shopfronts)

    def shop_states(self) -> dict[str, ShopState]:
        """What each channel's shop tells of itself. Raises OSError when one does not answer."""
        return {front.channel: front.state() for front in self.shopfronts}

    def seen(self) -> tuple[WorkerSeen, ...]:
        """All workers as they are now."""
        return tuple(worker.seen() for worker in self.workers)
