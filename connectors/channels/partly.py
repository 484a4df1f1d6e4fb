"""Batches of which a call can carry only a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.channels.base import Result, Update


def answer_the_rest(
    batch: Sequence[Update], known: Mapping[str, Result], called: Sequence[Result]
) -> list[Result]:
    """The results in the order of the batch: those known without a call, and those of the call."""
    by_listing = dict(known) | {result.listing: result for result in called}
    return [by_listing[update.listing] for update in batch]
