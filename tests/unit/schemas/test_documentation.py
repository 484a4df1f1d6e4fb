"""docs/schemas.md says what the data says."""

from __future__ import annotations

from pathlib import Path

import pytest

import schemas
from schemas import rejections
from schemas.limits import MAX_ID_CHARACTERS, MAX_INCLUDES, MAX_QUANTITY, MAX_REASON_CHARACTERS
from schemas.policy_text import MAX_DOCUMENT_CHARACTERS
from schemas.rejections import REASONS, Rejection, quoted, rejection
from schemas.topics import COMPACT, DAY_MS, MAX_MESSAGE_BYTES, TOPICS, Topic

DOCUMENT = (Path(schemas.__file__).parent.parent / "docs" / "schemas.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines() if line[:1] == "|"]


def test_every_reason_code_is_documented_with_its_meaning_and_remedy() -> None:
    rows = [row for row in ROWS if row[0].strip("`") in REASONS]

    assert rows == [[f"`{code}`", reason.meaning, reason.remedy] for code, reason in REASONS.items()]


def test_the_codes_are_the_constants_of_their_names() -> None:
    constants = {name for name, value in vars(rejections).items() if name.isupper() and name == value}

    assert constants == set(REASONS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_topic_is_documented_as_it_is(topic: Topic) -> None:
    kept = "newest per key" if topic.cleanup == COMPACT else f"{topic.retention_ms // DAY_MS} days"

    assert [
        f"`{topic.name}`",
        topic.direction,
        topic.key,
        str(topic.partitions),
        kept,
        topic.compatibility or "-",
        topic.owner,
        topic.purpose,
    ] in ROWS


@pytest.mark.parametrize(
    "limit",
    [
        MAX_MESSAGE_BYTES,
        MAX_ID_CHARACTERS,
        MAX_INCLUDES,
        MAX_REASON_CHARACTERS,
        MAX_QUANTITY,
        MAX_DOCUMENT_CHARACTERS,
    ],
)
def test_every_limit_is_documented(limit: int) -> None:
    assert f"{limit:,}" in DOCUMENT


def test_a_message_names_the_field_the_problem_and_the_remedy() -> None:
    assert rejection(rejections.NULL_FIELD, "quantity", "is null") == Rejection(
        "NULL_FIELD", "quantity", "quantity: is null. Send a value, or leave it out if it has a default."
    )


def test_a_message_stays_short_whatever_the_input_was() -> None:
    long = rejection(rejections.UNKNOWN_FIELD, "x" * 10**6, "y" * 10**6)

    assert len(long.field) == 256
    assert len(long.message) < 2_500
    assert quoted("z" * 100) == "'" + "z" * 39 + "..."
