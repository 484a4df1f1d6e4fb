"""Workers and sinks as processes under a supervisor, which starts again what ended and notes why it ended."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.chaos.evidence import ProgramExit
from tests.integration.worker.deployment import Program

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.3, 2.0
HEALTHY_S = 5.0
"""Whoever ran for so long starts again after the shortest pause."""
_LOOK_EVERY_S = 0.05
_STOPS_S = 30.0


class Member:
    """One place in the crew, and the program that fills it now."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], logs: Path) -> None:
        self.name = name
        self.cause = ""
        """The fault that was done to the program that runs now."""
        self.leaving = False
        """Whether it is not to be started again."""
        self.stopped = False
        """Whether SIGSTOP holds it."""
        self._arguments = arguments
        self._environment = environment
        self._logs = logs
        self._numbers = itertools.count()
        self._pause_s = FIRST_PAUSE_S
        self._start_at: float | None = None
        self.program = self._start()

    @property
    def running(self) -> bool:
        """Whether there is a program in this place."""
        return self._start_at is None and self.program.running

    def signal(self, number: signal.Signals, cause: str) -> None:
        """Send a signal and remember why."""
        self.cause = cause
        self.stopped = number is signal.SIGSTOP or (self.stopped and number is not signal.SIGCONT)
        self.program.signal(number)

    def look(self, on_exit: Callable[[ProgramExit], None], on_start: Callable[[Member], None]) -> None:
        """Note an exit; start again when the pause is over."""
        if self._start_at is None:
            if self.program.running:
                return
            on_exit(ProgramExit(self.name, self.program.wait(0), self.cause, self.program.log))
            if time.monotonic() - self._started_at > HEALTHY_S:
                self._pause_s = FIRST_PAUSE_S
            self._start_at = time.monotonic() + self._pause_s
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            self.cause, self.stopped = "", False
        if not self.leaving and time.monotonic() >= self._start_at:
            self._start_at = None
            self.program = self._start()
            on_start(self)

    @property
    def gone(self) -> bool:
        """Whether it left for good."""
        return self.leaving and self._start_at is not None

    def _start(self) -> Program:
        self._started_at = time.monotonic()
        return Program(self._arguments, self._environment, self._logs / f"{self.name}-{next(self._numbers)}.log")


class Crew:
    """All members. Methods may be called from any thread."""

    def __init__(self, environment: Mapping[str, str], logs: Path, on_start: Callable[[Member], None]) -> None:
        self._environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._environment |= environment
        self._logs = logs
        self._on_start = on_start
        self._lock = threading.RLock()
        self._members: list[Member] = []
        self._closing = threading.Event()
        self.exits: list[ProgramExit] = []
        self._thread = threading.Thread(target=self._watch, name="chaos-supervisor", daemon=True)
        self._thread.start()

    def join(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> Member:
        """A new member, started now."""
        with self._lock:
            member = Member(name, arguments, {**self._environment, **environment}, self._logs)
            self._members.append(member)
            return member

    def members(self, kind: str) -> list[Member]:
        """Those of a kind (the beginning of their names) that run and are not stopped or leaving."""
        with self._lock:
            return [
                member
                for member in self._members
                if member.name.startswith(kind) and member.running and not (member.stopped or member.leaving)
            ]

    def act(self, member: Member, number: signal.Signals, cause: str, leaving: bool = False) -> bool:
        """Do something to a member. False when its program had just ended by itself."""
        with self._lock:
            if not member.running:
                return False
            member.leaving = member.leaving or leaving
            member.signal(number, cause)
            return True

    def dismiss(self, kind: str) -> bool:
        """Stop all of a kind in order, for good. False when one did not end in time and had to be killed."""
        with self._lock:
            leaving = [member for member in self._members if member.name.startswith(kind)]
            for member in leaving:
                if member.running:
                    member.signal(signal.SIGCONT, member.cause)
                    member.signal(signal.SIGTERM, "end")
                member.leaving = True
        deadline = time.monotonic() + _STOPS_S
        while time.monotonic() < deadline:
            with self._lock:
                if all(member.gone for member in leaving):
                    return True
            time.sleep(_LOOK_EVERY_S)
        return False

    def close(self) -> None:
        """End whatever is left."""
        self._closing.set()
        self._thread.join(_STOPS_S)
        for member in self._members:
            if member.program.running:
                member.program.kill()

    def _watch(self) -> None:
        while not self._closing.wait(_LOOK_EVERY_S):
            with self._lock:
                for member in self._members:
                    if not member.gone:
                        member.look(self.exits.append, self._on_start)
