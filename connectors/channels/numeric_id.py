"""Ids that vendors count: whole numbers above 0, each with one way to write it."""

from __future__ import annotations

MAX_DIGITS = 18
"""So that every id fits 64 bits with a sign."""


def is_numeric_id(text: str) -> bool:
    """Whether the text is such an id. ``007`` is none: two listings must not name one thing."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS and text[0] != "0"
