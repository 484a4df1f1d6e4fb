"""Lets a round step the wall clock of one process: Python imports this by its name when a worker starts.

``CHAOS_CLOCK`` names a file of 8 bytes, a signed number of microseconds that is added to the wall clock. Monotonic
clocks go on undisturbed, as they do when NTP or an administrator steps a real clock.
"""

import mmap
import os
import struct
import time

_OFFSET = struct.Struct("<q")
_path = os.environ.get("CHAOS_CLOCK")

if _path:
    with open(_path, "rb") as _file:
        _shared = mmap.mmap(_file.fileno(), _OFFSET.size, access=mmap.ACCESS_READ)
    _real_ns = time.time_ns

    def _stepped_ns() -> int:
        return _real_ns() + _OFFSET.unpack_from(_shared)[0] * 1_000

    def _stepped() -> float:
        return _stepped_ns() / 1e9

    time.time_ns = _stepped_ns
    time.time = _stepped
