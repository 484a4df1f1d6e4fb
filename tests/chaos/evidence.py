"""What a round leaves behind for its judge: what was produced, what was seen, where the topics are.

The judge reads the topics itself; here is only what they cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple


class Intent(Enum):
    """What whoever produced a record meant by it. One of a record's intents; the strongest is kept."""

    VALID = "valid"
    """Says something new, or a later version of something."""
    DUPLICATE = "duplicate"
    """Has the bytes of a VALID record that was produced before."""
    POISON = "poison"
    """Can never succeed: no bytes (tombstones too), no Avro, an unknown schema, a key that is not the SKU."""
    OVERSIZED = "oversized"
    """Fits the broker and not the limits of a text or a list: can never succeed either."""
    MISROUTED = "misrouted"
    """Sound, VALID otherwise, and in a partition that its key does not hash to."""


class ProducedRecord(NamedTuple):
    """One record that the broker acknowledged to the harness, where it is, and what was meant by it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    intent: Intent


class AcceptedUpdate(NamedTuple):
    """One update that the fake channel accepted. In a ledger they are in the order of acceptance."""

    listing: str
    publish_seq: int
    quantity: int


class ChannelEvidence(NamedTuple):
    """What one fake channel saw, when everything was over.

    ``above_limit`` are calls beyond its rate, ``accepted_older`` updates that came after a newer one of their
    listing, ``repeated`` those that came again; ``unsigned`` and ``malformed`` are calls that nobody should make.
    """

    channel: str
    requests: int
    above_limit: int
    accepted_older: int
    repeated: int
    unsigned: int
    malformed: int
    accepted: tuple[AcceptedUpdate, ...]

    def shown(self) -> dict[str, AcceptedUpdate]:
        """What the channel shows in the end, by listing: the last it accepted."""
        return {each.listing: each for each in self.accepted}


class CommitObservation(NamedTuple):
    """Committed offsets of the workers' group, and then the ends of the topics that its effects go to.

    ``ends`` were asked for after ``committed``: every effect of a committed record has an offset below them.
    Keys are (topic, partition); ``seconds`` since the start of the round.
    """

    seconds: float
    committed: Mapping[tuple[str, int], int]
    ends: Mapping[tuple[str, int], int]


class ProgramExit(NamedTuple):
    """One program that ended. ``cause`` is the fault the harness did to it, empty when it ended by itself."""

    program: str
    code: int
    cause: str
    log: Path


class Evidence(NamedTuple):
    """Everything about a round that is over: no lag, every program stopped, broker and registry up.

    ``bootstrap`` and ``registry_url`` reach broker and registry directly, past any proxy. ``policy`` is the last
    document published, in the shape of a policy file; ``policies`` all of them in order. ``produced`` has every
    record of the harness; the workers' forwarded records are in the topics as well and not in it. Topics that a
    round does not begin with empty are not supported: a round has its topics for itself.
    """

    seed: int
    bootstrap: str
    registry_url: str
    group: str
    partitions: int
    channels: tuple[ChannelEvidence, ...]
    policy: Mapping[str, Any]
    policies: tuple[Mapping[str, Any], ...]
    produced: tuple[ProducedRecord, ...]
    commits: tuple[CommitObservation, ...]
    exits: tuple[ProgramExit, ...]
    logs: Path
    outage: bool = False
    """Whether a fault kept the broker from answering, or slowed its answers."""
    rested: Mapping[tuple[str, int], int] = {}
    """Where the logs ended at rest, before the workers were told to stop. A full sync may begin by the clock just
    then, and be answered when nobody reads answers any more: what came after is for the next worker.
    """


class Violation(NamedTuple):
    """A law that a round broke: ``where`` names topic, partition, offset or SKU; ``detail`` says what was seen."""

    law: str
    where: str
    detail: str
