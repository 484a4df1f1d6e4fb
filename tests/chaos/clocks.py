"""Wall clocks that a round can step, one for each program (see ``injected/sitecustomize.py``)."""

from __future__ import annotations

import struct
from pathlib import Path

INJECTED = Path(__file__).with_name("injected")
_OFFSET = struct.Struct("<q")


class SteppedClock:
    """The wall clock of one program, in a file that the program maps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.write_bytes(_OFFSET.pack(0))

    def step(self, seconds: float) -> None:
        """From now on the wall clock is this much ahead (behind, if negative) of the machine's."""
        with self._path.open("r+b") as file:
            file.write(_OFFSET.pack(round(seconds * 1_000_000)))

    def environment(self) -> dict[str, str]:
        """What a program must be started with."""
        return {"PYTHONPATH": str(INJECTED), "CHAOS_CLOCK": str(self._path)}
