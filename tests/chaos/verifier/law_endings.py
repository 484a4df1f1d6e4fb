"""Law: programs end with the codes that are documented, and never with a traceback."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

from streams.cli import outcome
from streams.data_plane import failures
from tests.chaos.evidence import Evidence, ProgramExit, Violation

LAW = "exit code"
TRACEBACK = "no traceback"

_BY_DESIGN = (failures.Unavailable, failures.StorageFailed, failures.Fenced)
DOCUMENTED = {outcome.DONE, outcome.OUTAGE} | {failure.exit_code for failure in _BY_DESIGN}
"""What faults of a round may lead to. None explains misconfigured (2), failed (70), gap (76) or stalled (77)."""
_CUT_SHORT = "stopping took longer"
_HEADING = "Traceback (most recent call last)"
_GIVES_UP = ("worker ends: ", *(f"Crashed reason={failure.__name__}(" for failure in _BY_DESIGN))


def violations(evidence: Evidence) -> Iterator[Violation]:
    """Endings that nobody could explain."""
    for ended in evidence.exits:
        if not _explained(ended):
            cause = ended.cause or "nothing was done to it"
            yield Violation(LAW, ended.program, f"ended with {ended.code} ({cause}); see {ended.log.name}")
    for log in sorted({*evidence.logs.rglob("*.log"), *(ended.log for ended in evidence.exits)}):
        found = traceback_in(log)
        if found:
            yield Violation(TRACEBACK, log.name, found)
        if not evidence.outage and log.exists() and _CUT_SHORT in log.read_text(errors="replace"):
            yield Violation(LAW, log.name, f"{_CUT_SHORT}, though the broker answered all the time")


def figures(evidence: Evidence) -> dict[str, int]:
    """Endings by code."""
    codes = [ended.code for ended in evidence.exits]
    return {f"endings with {code}": codes.count(code) for code in sorted(set(codes))}


def _explained(ended: ProgramExit) -> bool:
    # A program that is told to stop while it still imports ends by the signal itself.
    return ended.code in DOCUMENTED or (bool(ended.cause) and ended.code in (-signal.SIGKILL, -signal.SIGTERM))


def traceback_in(log: Path) -> str:
    """The last line of the first traceback before a worker gave up, empty without one.

    A worker that gives up says why and leaves everything as it is: what its parts say after that is noise.
    """
    if not log.exists():
        return ""
    lines = log.read_text(errors="replace").splitlines()
    for number, line in enumerate(lines):
        if any(words in line for words in _GIVES_UP):
            break
        if _HEADING in line:
            return next((one for one in lines[number + 1 :] if not one.startswith((" ", "\t"))), line)
    return ""
