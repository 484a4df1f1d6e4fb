"""Who takes part: workers, one of which dies and is replaced; sinks; a channel that enforces its limit."""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streams.demo.children import Child, Children
from streams.demo.observation import KILLED, RUNNING, STARTING, STOPPED, WorkerSeen
from streams.local.ports import LOOPBACK, free_port
from streams.local.readiness import listens

GUARDED_CHANNEL = "marketplace"
"""The channel behind the fake one; the others are files."""
LIMIT_PER_S, LIMIT_BURST = 12.0, 6
SINK_PER_S, SINK_BURST = 10.0, 4
"""Requests: what the channel allows, and what its sink is configured to use of that. Calls that leave at an even
pace may arrive closer together, hence the margin."""

_HANDLES_PARTITIONS = b"handling partitions ["
_HANDLES_NONE = b"handling partitions []"
_STATE_TIMEOUT_S = 5.0


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

    def __init__(self, children: Children, directory: Path) -> None:
        self._children = children
        self._directory = directory
        self._secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self._channel_port = free_port()
        self.workers: list[Worker] = []

    def start_worker(self) -> Worker:
        """One more worker."""
        name = f"worker-{len(self.workers) + 1}"
        worker = Worker(self._children.start(name, ["streams.cli", "worker"]))
        self.workers.append(worker)
        return worker

    def start_guarded_channel(self) -> Child:
        """The channel that counts what it is asked. It starts before its sink."""
        options = ["--port", str(self._channel_port), "--rate", str(LIMIT_PER_S), "--burst", str(LIMIT_BURST)]
        environment = {"ATSTREAM_FAKE_CHANNEL_SECRET": self._secret}
        return self._children.start("fake-channel", ["streams.demo.fake_channel", *options], environment)

    def start_sink(self, channel: str) -> Child:
        """The sink of a channel: a webhook for the guarded one, a file for any other."""
        if channel == GUARDED_CHANNEL:
            settings = {
                "KIND": "webhook",
                "URL": f"http://{LOOPBACK}:{self._channel_port}/updates",
                "SECRETS": self._secret,
                "RATE_PER_S": str(SINK_PER_S),
                "BURST": str(SINK_BURST),
            }
        else:
            path = self._directory / f"{channel}.jsonl"
            settings = {"KIND": "file", "PATH": str(path), "RATE_PER_S": "100", "BURST": "20"}
        environment = {f"ATSTREAM_SINK__{name}": value for name, value in settings.items()}
        return self._children.start(f"sink-{channel}", ["streams.cli", "sink", channel], environment)

    @property
    def channel_listens(self) -> bool:
        """Whether the guarded channel answers."""
        return listens(f"{LOOPBACK}:{self._channel_port}")

    def ledger(self) -> Mapping[str, int]:
        """What the guarded channel counted. Raises OSError when it does not answer."""
        ledger: Mapping[str, int] = self._channel_state()["ledger"]
        return ledger

    def shown_by_channel(self) -> dict[str, int]:
        """The quantity that the guarded channel shows, per listing. Raises OSError when it does not answer."""
        listings = self._channel_state()["listings"]
        return {listing: shown["quantity"] for listing, shown in listings.items()}

    def seen(self) -> tuple[WorkerSeen, ...]:
        """All workers as they are now."""
        return tuple(worker.seen() for worker in self.workers)

    def _channel_state(self) -> Any:
        url = f"http://{LOOPBACK}:{self._channel_port}/state"
        with urllib.request.urlopen(url, timeout=_STATE_TIMEOUT_S) as answer:
            return json.load(answer)
