"""Half a minute of random kills, pauses, stops and starts from a seed; then everything is recomputed."""

from __future__ import annotations

import random
import signal
import time

import pytest

from streams.data_plane.failures import Fenced
from tests.integration.data_plane.rig import Rig, Worker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SECONDS = 30.0


class Fleet:
    """At least two running workers, whatever happens to them."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self._random = random.Random(seed)
        self._started = 0
        self._paused: list[Worker] = []
        self.alive: list[Worker] = []
        self.codes: list[int] = []

    def fill(self) -> None:
        while len([worker for worker in self.alive if worker not in self._paused]) < 2:
            self.alive.append(self._rig.worker(f"w{self._started}"))
            self._started += 1

    def bury(self) -> None:
        for worker in [worker for worker in self.alive if worker.child.poll() is not None]:
            self.alive.remove(worker)
            self.codes.append(worker.ends())
        self._paused = [worker for worker in self._paused if worker in self.alive]

    def act(self) -> None:
        victim = self._random.choice([worker for worker in self.alive if worker not in self._paused])
        deed = self._random.choice(["kill", "stop", "pause", "blink", "wake"])
        if deed == "kill":
            victim.signal(signal.SIGKILL)
            victim.ends()
            self.alive.remove(victim)
        elif deed == "stop":
            victim.signal(signal.SIGTERM)
        elif deed == "pause":
            victim.signal(signal.SIGSTOP)
            self._paused.append(victim)
        elif deed == "blink":
            victim.signal(signal.SIGSTOP)
            time.sleep(self._random.uniform(0.1, 2))
            victim.signal(signal.SIGCONT)
        elif self._paused:
            self._paused.pop(0).signal(signal.SIGCONT)

    def wake_all(self) -> None:
        while self._paused:
            self._paused.pop().signal(signal.SIGCONT)

    def nap(self) -> float:
        return self._random.uniform(0.2, 3)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost_and_nothing_stale_wins_whatever_happens(rig: Rig, seed: int) -> None:
    feeder = rig.feeder(1_500).start()
    fleet = Fleet(rig, seed)
    fleet.fill()
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        time.sleep(fleet.nap())
        fleet.bury()
        fleet.fill()
        fleet.act()
        fleet.bury()
        fleet.fill()
    fleet.wake_all()
    rig.worker("last")
    rig.all_committed(feeder.stop())
    for worker in fleet.alive:
        worker.signal(signal.SIGTERM)
        fleet.codes.append(worker.ends())
    # A worker told to stop before it can listen (still importing) ends by the signal itself.
    assert set(fleet.codes) <= {0, Fenced.exit_code, -signal.SIGTERM}
    rig.verify()
