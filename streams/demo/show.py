"""Where the observations go: a live screen on a terminal, one line every two seconds anywhere else."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live

from streams.demo.observation import Observation
from streams.demo.view import HEIGHT, screen, short

LINE_EVERY_S = 2.0
FEWEST_COLUMNS = 80


class Show(Protocol):
    """Something observations are shown on, from entering to leaving."""

    def __enter__(self) -> Show: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, seen: Observation) -> None:
        """Show what is true now."""
        ...

    def say(self, message: str) -> None:
        """Tell something that happened once, such as the end of a phase."""
        ...


def choose(console: Console, plain: bool) -> Show:
    """The screen when the console is a terminal that is large enough for it, else lines."""
    large_enough = console.width >= FEWEST_COLUMNS and console.height >= HEIGHT
    return LiveScreen(console) if console.is_terminal and large_enough and not plain else Lines(console)


class LiveScreen:
    """Redraws in place; the last picture stays on the terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> LiveScreen:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def update(self, seen: Observation) -> None:
        """Redraw."""
        self._live.update(screen(seen), refresh=True)

    def say(self, message: str) -> None:
        """Print above the picture."""
        self._console.print(message)


class Lines:
    """Prints a line when the phase changes and every ``LINE_EVERY_S`` seconds of the demo's own clock."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._due_s = 0.0

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def update(self, seen: Observation) -> None:
        """Print a line if one is due."""
        if seen.phase == self._phase and seen.elapsed_s < self._due_s:
            return
        self._phase, self._due_s = seen.phase, seen.elapsed_s + LINE_EVERY_S
        self._console.print(line(seen), markup=False, highlight=False, soft_wrap=True)

    def say(self, message: str) -> None:
        """Print it."""
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)


def line(seen: Observation) -> str:
    """An observation in one line, for logs."""
    fresh = "-" if seen.fresh_p95_ms is None else f"{seen.fresh_p95_ms:.0f} ms"
    channels = " ".join(f"{channel.name}:{channel.behind}" for channel in seen.channels)
    workers = " ".join(f"{worker.name}:{worker.state}" for worker in seen.workers)
    return (
        f"{seen.elapsed_s:6.1f} s  {seen.phase:<28} fed {seen.fed}/{seen.to_feed}  "
        f"applied {short(seen.applied_per_s)}/s  lag {seen.lag} ({seen.behind_s:.1f} s)  fresh 95 % {fresh}  "
        f"dead letters {seen.dead}  behind {channels or '-'}  {workers}"
    )
