"""Why a worker ends, each with an exit code that a supervisor can tell apart."""

from __future__ import annotations


class PlaneFailure(Exception):
    """The worker can't go on without risking the delivery guarantee. It stops, writes nothing, commits nothing."""

    exit_code = 70
    word = "failed"


class Misconfigured(PlaneFailure):
    """Topics or settings are not what the worker needs; starting again won't help."""

    exit_code = 2
    word = "misconfigured"


class Unavailable(PlaneFailure):
    """The broker did not answer, or did not accept a write or a commit, in time; starting again may help."""

    exit_code = 3
    word = "unavailable"


class HandlerFailed(PlaneFailure):
    """An agent raised an exception: its batch was not applied."""

    exit_code = 70
    word = "handler failed"


class StorageFailed(PlaneFailure):
    """The local copy of the state cannot be read or written; the changelogs have everything."""

    exit_code = 74
    word = "storage failed"


class Fenced(PlaneFailure):
    """Membership was not confirmed within the session time-out: somebody else may own our partitions."""

    exit_code = 75
    word = "fenced"


class Gap(PlaneFailure):
    """Records are missing between two offsets and it was not shown that the log has none there."""

    exit_code = 76
    word = "gap"


class Stalled(PlaneFailure):
    """There are records to handle and the position does not move."""

    exit_code = 77
    word = "stalled"
