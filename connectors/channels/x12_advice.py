"""An X12 846 (Inventory Inquiry/Advice) interchange as bytes: envelope, counts, control numbers, characters.

Sources: ASC X12 versions 004010 and 005010, transaction set 846 (functional group IB: ST BIA {LIN QTY} CTT SE), as
published in trading partners' guides (Walmart "846 Inventory Inquiry/Advice", Logicbroker "EDI 846
Specification"). Lengths are those of the data elements: 234 (product id), 380 (quantity), 354 (number of line
items), I12 (control number).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

ELEMENT, COMPONENT, REPETITION, SEGMENT = "*", ">", "^", "~"
LAST_CONTROL = 999_999_999
MOST_LINES = 999_999
_MOST_QUANTITY_DIGITS = 15


class Version(NamedTuple):
    """What differs between the versions: ISA11, ISA12, GS08, and how long a product id may be."""

    repetition: str
    interchange: str
    group: str
    product_id_chars: int


VERSIONS = {
    "004010": Version("U", "00401", "004010", 40),
    "005010": Version(REPETITION, "00501", "005010", 48),
}


class Partners(NamedTuple):
    """Who sends to whom, in the interchange (qualifier and id) and in the group, and P for production or T."""

    sender: tuple[str, str]
    receiver: tuple[str, str]
    group_sender: str
    group_receiver: str
    usage: str


class Codes(NamedTuple):
    """Codes on which partners differ: BIA01, BIA02, LIN02, QTY01, and the unit of measure."""

    purpose: str
    report: str
    product: str
    quantity: str
    unit: str


class Line(NamedTuple):
    """A product id and the quantity that may be sold."""

    product_id: str
    quantity: int


def next_control(control: int) -> int:
    """The control number after this one: nine digits, and then from 1 again."""
    return control + 1 if control < LAST_CONTROL else 1


def unfit(line: Line, version: Version) -> str | None:
    """Why a line cannot be written, as a code of ours; None when it can."""
    text = line.product_id
    if not text or len(text) > version.product_id_chars:
        return "X12_LENGTH"
    delimiters = (ELEMENT, COMPONENT, SEGMENT, REPETITION)
    # Blanks at the ends are cut off by receivers: another product would be meant.
    if (
        not text.isascii()
        or not text.isprintable()
        or text != text.strip()
        or any(one in text for one in delimiters)
    ):
        return "X12_CHARACTERS"
    return "X12_QUANTITY" if line.quantity < 0 or len(str(line.quantity)) > _MOST_QUANTITY_DIGITS else None


def inventory_advice(
    lines: Sequence[Line], control: int, at_s: float, version: Version, partners: Partners, codes: Codes
) -> bytes:
    """One interchange with one group and one transaction set; each segment ends with ``~`` and a line end.

    ``at_s`` is in seconds since the epoch and is written in UTC. The control number is that of the interchange and
    of the group, and the reference of the report.

    Raises ``ValueError``: a line is unfit, there are too many or none, or the control number is out of range.
    """
    wrong = next((line for line in lines if unfit(line, version) is not None), None)
    if wrong is not None or not 0 < len(lines) <= MOST_LINES or not 0 < control <= LAST_CONTROL:
        raise ValueError(f"no interchange can be made of {len(lines)} lines, control number {control}, {wrong}")
    at = datetime.fromtimestamp(at_s, UTC)
    date, clock = at.strftime("%Y%m%d"), at.strftime("%H%M")
    body = [
        ("ST", "846", "0001"),
        ("BIA", codes.purpose, codes.report, f"{control:09}", date, clock),
        *(segment for number, line in enumerate(lines, 1) for segment in _loop(number, line, codes)),
        ("CTT", str(len(lines))),
    ]
    group = (partners.group_sender, partners.group_receiver, date, clock, str(control), "X", version.group)
    segments = [
        _interchange_header(control, at, version, partners),
        ("GS", "IB", *group),
        *body,
        # SE counts itself.
        ("SE", str(len(body) + 1), "0001"),
        ("GE", "1", str(control)),
        ("IEA", "1", f"{control:09}"),
    ]
    return "".join(ELEMENT.join(segment) + SEGMENT + "\n" for segment in segments).encode("ascii")


def _loop(number: int, line: Line, codes: Codes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (
        ("LIN", str(number), codes.product, line.product_id),
        ("QTY", codes.quantity, str(line.quantity), codes.unit),
    )


def _interchange_header(control: int, at: datetime, version: Version, partners: Partners) -> tuple[str, ...]:
    """ISA, whose elements have fixed lengths: receivers find the delimiters by position."""
    (sender_qualifier, sender), (receiver_qualifier, receiver) = partners.sender, partners.receiver
    authorization = ("00", " " * 10, "00", " " * 10)
    who = (sender_qualifier, f"{sender:<15}", receiver_qualifier, f"{receiver:<15}")
    when = (at.strftime("%y%m%d"), at.strftime("%H%M"))
    # No acknowledgment (TA1) is asked for: nothing here reads one.
    rest = (version.repetition, version.interchange, f"{control:09}", "0", partners.usage, COMPONENT)
    return ("ISA", *authorization, *who, *when, *rest)
