"""A trading partner that reads X12: as strict as a translator that sends a 997 with every fault it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

ISA_CHARS = 105


class X12Fault(Exception):
    """An interchange that a partner would refuse. The message says why."""


@dataclass
class TransactionSet:
    """A transaction set with the codes of its envelope; ``segments`` from ST to SE."""

    control: int
    usage: str
    interchange_version: str
    group: str
    group_version: str
    code: str
    segments: list[list[str]] = field(default_factory=list)


def read(content: bytes) -> list[TransactionSet]:
    """The transaction sets in a file of one interchange or more. Raises ``X12Fault``."""
    text = content.decode("ascii")
    if not text.startswith("ISA") or len(text) <= ISA_CHARS:
        raise X12Fault("no ISA of fixed length at the beginning")
    element, terminator = text[3], text[ISA_CHARS]
    segments = iter(part.strip("\r\n").split(element) for part in text.split(terminator) if part.strip("\r\n "))
    sets: list[TransactionSet] = []
    for header in segments:
        _expect(header[0] == "ISA" and len(header) == 17, f"ISA expected, got {header[0]}")
        _expect(
            [len(one) for one in header[1:]] == [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1], "ISA lengths"
        )
        sets += _groups(header, segments)
    return sets


def _groups(header: list[str], segments: Iterator[list[str]]) -> list[TransactionSet]:
    sets: list[TransactionSet] = []
    for groups, segment in enumerate(segments):
        if segment[0] == "IEA":
            _expect(int(segment[1]) == groups, "IEA01 is not the number of groups")
            _expect(int(segment[2]) == int(header[13]), "IEA02 is not ISA13")
            return sets
        _expect(segment[0] == "GS", f"GS or IEA expected, got {segment[0]}")
        sets += _sets(header, segment, segments)
    raise X12Fault("no IEA")


def _sets(header: list[str], group: list[str], segments: Iterator[list[str]]) -> list[TransactionSet]:
    sets: list[TransactionSet] = []
    for segment in segments:
        if segment[0] == "GE":
            _expect(int(segment[1]) == len(sets), "GE01 is not the number of transaction sets")
            _expect(int(segment[2]) == int(group[6]), "GE02 is not GS06")
            return sets
        _expect(segment[0] == "ST", f"ST or GE expected, got {segment[0]}")
        found = TransactionSet(int(header[13]), header[15], header[12], group[1], group[8], segment[1], [segment])
        for inner in segments:
            found.segments.append(inner)
            if inner[0] == "SE":
                break
        last = found.segments[-1]
        _expect(last[0] == "SE", "no SE")
        _expect(int(last[1]) == len(found.segments), "SE01 is not the number of segments")
        _expect(last[2] == segment[2], "SE02 is not ST02")
        sets.append(found)
    raise X12Fault("no GE")


def quantities(found: TransactionSet) -> list[tuple[str, int]]:
    """The product ids and quantities of an 846. Raises ``X12Fault``: it is not as partners agree on it."""
    _expect((found.group, found.code) == ("IB", "846"), "no 846 in a group IB")
    _expect(found.segments[1][0] == "BIA" and len(found.segments[1]) >= 5, "BIA expected after ST")
    _expect(found.segments[-2][0] == "CTT", "CTT expected before SE")
    body = found.segments[2:-2]
    _expect(len(body) % 2 == 0 and len(body) > 0, "LIN and QTY in pairs expected")
    pairs: list[tuple[str, int]] = []
    for number, (line, quantity) in enumerate(zip(body[::2], body[1::2], strict=True), 1):
        _expect(line[0] == "LIN" and quantity[0] == "QTY" and line[1] == str(number), f"loop {number}")
        _expect(len(line[2]) == 2 and 1 <= len(line[3]) <= 48, f"LIN of loop {number}")
        pairs.append((line[3], int(quantity[2])))
    _expect(int(found.segments[-2][1]) == len(pairs), "CTT01 is not the number of LIN")
    return pairs


def _expect(holds: bool, fault: str) -> None:
    if not holds:
        raise X12Fault(fault)
