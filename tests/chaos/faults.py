"""Each fault as a deed on the running round. Two on the same part wait for each other; others overlap."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.chaos.backstage import Backstage
from tests.chaos.clocks import SteppedClock
from tests.chaos.crew import Crew, Member
from tests.chaos.disk import SmallDisk
from tests.chaos.plan import Deed, Fault
from tests.chaos.proxy import Proxy
from tests.chaos.stage import Stage
from tests.chaos.writing import Writing

VICTIM_S = 10.0
WRITES_S = 60.0
"""Within so long an epoch is long enough to be struck in the middle."""


class Mischief:
    """Does the deeds of a plan. ``done`` tells what happened: (fault, when it struck, when it was over)."""

    def __init__(
        self,
        stage: Stage,
        crew: Crew,
        backstage: Backstage,
        proxy: Proxy,
        clocks: Mapping[str, SteppedClock],
        disk: SmallDisk,
        hire: Callable[[], Member],
        policies: list[Mapping[str, Any]],
        speak_newest: Callable[[], None],
        writing: Writing,
        clock: Callable[[], float],
    ) -> None:
        self._stage, self._crew, self._backstage, self._proxy = stage, crew, backstage, proxy
        self._clocks, self._disk, self._hire, self._policies = clocks, disk, hire, policies
        self._speak_newest, self._writing, self._clock = speak_newest, writing, clock
        self._broker, self._registry, self._redis, self._network = (threading.Lock() for _ in range(4))
        self._filling, self._striking = threading.Lock(), threading.Lock()
        self.done: list[tuple[Fault, float, float]] = []
        self.skipped: list[Fault] = []
        """Faults that found nobody to do it to."""
        self.rows_written: list[int] = []
        """Rows of an epoch that were written, and not committed, when a worker was killed in the middle of it."""
        self.failure: BaseException | None = None
        self._deeds: dict[Fault, Callable[[Deed], bool | None]] = {
            Fault.KILL: lambda deed: self._signal(deed, "worker", signal.SIGKILL),
            Fault.ZOMBIE: self._freeze,
            Fault.BLINK: self._freeze,
            Fault.RESTART: lambda deed: self._signal(deed, "worker", signal.SIGTERM),
            Fault.SCALE_OUT: self._scale_out,
            Fault.SCALE_IN: self._scale_in,
            Fault.SINK_KILL: lambda deed: self._signal(deed, "sink", signal.SIGKILL),
            Fault.BROKER_RESTART: lambda deed: self._restart_broker(self._stage.kafka.stop),
            Fault.BROKER_KILL: lambda deed: self._restart_broker(self._stage.kafka.kill),
            Fault.BROKER_STALL: self._stall_broker,
            Fault.BROKER_LONG_STALL: self._stall_broker,
            Fault.CUT: lambda deed: self._backstage.run(self._proxy.cut()),
            Fault.REFUSE: self._refuse,
            Fault.DELAY: self._delay,
            Fault.SILENCE: self._silence,
            Fault.REDIS_LOSS: self._lose_redis,
            Fault.REGISTRY_LOSS: self._lose_registry,
            Fault.NEW_SCHEMA: lambda deed: self._speak_newest(),
            Fault.NEW_SCHEMA_WITHOUT_REGISTRY: self._lose_registry,
            Fault.CLOCK_STEP: self._step_clock,
            Fault.POLICY_CHANGE: lambda deed: self._change_policy(),
            Fault.DISK_FULL: self._fill_disk,
            Fault.KILL_WRITING: self._kill_writing,
        }

    def perform(self, deed: Deed) -> None:
        """Do one deed and return when it is over. A failure of the harness is kept for ``failure``."""
        struck = self._clock()
        try:
            missed = self._deeds[deed.fault](deed) is False
        except BaseException as error:  # noqa: BLE001 - in a thread: the round raises it
            self.failure = error
            return
        if missed:
            self.skipped.append(deed.fault)
        else:
            self.done.append((deed.fault, struck, self._clock()))

    # -- programs

    def _chosen(self, deed: Deed, kind: str) -> Member | None:
        """Who it is done to: waits a while if they all happen to be away."""
        deadline = time.monotonic() + VICTIM_S
        while not (there := self._crew.members(kind)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return there[deed.victim % len(there)] if there else None

    def _signal(self, deed: Deed, kind: str, number: signal.Signals) -> bool:
        member = self._chosen(deed, kind)
        return member is not None and self._crew.act(member, number, deed.fault.value)

    def _kill_writing(self, deed: Deed) -> bool:
        with self._striking:
            rows = self._writing.wait(int(deed.amount), WRITES_S)
            if not rows or not self._signal(deed, "worker", signal.SIGKILL):
                return False
            self.rows_written.append(rows)
            return True

    def _freeze(self, deed: Deed) -> bool:
        member = self._chosen(deed, "worker")
        if member is None or not self._crew.act(member, signal.SIGSTOP, deed.fault.value):
            return False
        time.sleep(deed.lasts_s)
        self._crew.act(member, signal.SIGCONT, deed.fault.value)
        return True

    def _scale_out(self, deed: Deed) -> None:
        self._hire()

    def _scale_in(self, deed: Deed) -> bool:
        there = self._crew.members("worker")
        if len(there) < 2:
            return False
        return self._crew.act(there[deed.victim % len(there)], signal.SIGTERM, deed.fault.value, leaving=True)

    def _step_clock(self, deed: Deed) -> bool:
        member = self._chosen(deed, "worker")
        if member is None:
            return False
        clock = self._clocks[member.name]
        clock.step(deed.amount)
        time.sleep(deed.lasts_s)
        clock.step(0)
        return True

    def _fill_disk(self, deed: Deed) -> bool:
        if not self._disk.can_be_filled:
            return False
        with self._filling, self._disk.full():
            time.sleep(deed.lasts_s)
        return True

    # -- servers

    def _restart_broker(self, end: Callable[[], object]) -> None:
        with self._broker:
            end()
            self._stage.kafka.start()

    def _stall_broker(self, deed: Deed) -> None:
        with self._broker:
            self._stage.kafka.pause()
            time.sleep(deed.lasts_s)
            self._stage.kafka.resume()

    def _lose_redis(self, deed: Deed) -> None:
        with self._redis:
            self._stage.redis.kill()
            time.sleep(deed.lasts_s)
            self._stage.redis.start()

    def _lose_registry(self, deed: Deed) -> None:
        with self._registry:
            self._stage.registry.kill()
            if deed.fault is Fault.NEW_SCHEMA_WITHOUT_REGISTRY:
                self._speak_newest()
            time.sleep(deed.lasts_s)
            self._stage.registry.start()

    def _change_policy(self) -> bool:
        if not self._policies:
            return False
        with self._broker, self._registry:  # publishing needs both
            self._stage.publish(self._policies.pop(0))
        return True

    # -- the network of the workers

    def _delay(self, deed: Deed) -> None:
        with self._network:
            self._proxy.delay_s = deed.amount
            time.sleep(deed.lasts_s)
            self._proxy.delay_s = 0.0

    def _refuse(self, deed: Deed) -> None:
        with self._network:
            self._proxy.refusing = True
            self._backstage.run(self._proxy.cut())
            time.sleep(deed.lasts_s)
            self._proxy.refusing = False

    def _silence(self, deed: Deed) -> None:
        with self._network:
            self._backstage.run(self._proxy.silence())
            time.sleep(deed.lasts_s)
            self._backstage.run(self._proxy.speak())
