"""A trading partner who takes X12 846 inventory advices: a file for each batch, put where a transfer picks it up.

A file appears whole, under ``846_<control number>.edi``, and once: the journal knows what was written, also when
the partner has taken the files away. An advice holds the listings of its batch, not all: quantities replace what
the partner had.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from connectors.channels.base import ChannelUnusable, Limits, Outcome, Result, Update, same_answer, too_large
from connectors.channels.kind import CallLimits, ChannelKind, KindSettings
from connectors.channels.x12_advice import (
    VERSIONS,
    Codes,
    Line,
    Partners,
    inventory_advice,
    next_control,
    unfit,
)
from connectors.channels.x12_journal import Journal, JournalUnusable, persist_name, write_part

_NAME = re.compile(r"846_(\d{9})\.edi")

Qualifier = Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$")]
Party = Annotated[str, Field(pattern=r"^[0-9A-Z][0-9A-Z .\-/]{1,14}$")]


class X12Settings(KindSettings):
    """Where files go, where the journal is (not in the same folder), and what the partners agreed on."""

    usual_updates: ClassVar[int] = 1_000
    most_updates: ClassVar[int] = 10_000

    folder: Path
    journal: Path
    version: Literal["004010", "005010"] = "004010"
    sender_qualifier: Qualifier = "ZZ"
    sender: Party
    receiver_qualifier: Qualifier = "ZZ"
    receiver: Party
    usage: Literal["P", "T"] = "P"
    purpose_code: Qualifier = "00"
    report_type: Qualifier = "SI"
    product_qualifier: Qualifier = "SK"
    quantity_qualifier: Qualifier = "33"
    unit: Qualifier = "EA"

    @model_validator(mode="after")
    def _apart(self) -> X12Settings:
        if self.journal.resolve().parent == self.folder.resolve():
            raise ValueError("journal must not be in folder: what lies there is transferred to the partner")
        return self


class X12Sink:
    """Writes a file for each batch. ``wall_clock`` gives seconds since the epoch."""

    def __init__(
        self,
        settings: X12Settings,
        calls: CallLimits | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        calls = calls or CallLimits(max_updates=settings.usual_updates)
        self._folder = settings.folder
        self._version = VERSIONS[settings.version]
        self._partners = Partners(
            (settings.sender_qualifier, settings.sender),
            (settings.receiver_qualifier, settings.receiver),
            settings.sender,
            settings.receiver,
            settings.usage,
        )
        self._codes = Codes(
            settings.purpose_code,
            settings.report_type,
            settings.product_qualifier,
            settings.quantity_qualifier,
            settings.unit,
        )
        self._limits = Limits(calls.max_updates, calls.max_request_bytes)
        self._journal = Journal(settings.journal)
        self._wall_clock = wall_clock
        self._is_open = False

    @property
    def limits(self) -> Limits:
        """What one file may carry."""
        return self._limits

    async def open(self) -> None:
        """Lock the journal, and finish or take away what a crash left unfinished.

        Raises ``ChannelUnusable``: folder or journal cannot be used.
        """
        await asyncio.to_thread(self._open)

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """Write one file. A full or failing disk is RETRY, and no file appears."""
        if not self._is_open:
            raise RuntimeError("the X12 sink is not open")
        faults = {update.listing: unfit(_line(update), self._version) for update in batch}
        newest = self._journal.newest
        fresh = [one for one in batch if not faults[one.listing] and one.publish_seq > newest.get(one.listing, -1)]
        control = next_control(self._journal.control)
        content = self._encode(fresh, control) if fresh else b""
        if len(content) > self._limits.max_bytes:
            return too_large(batch)
        try:
            await asyncio.to_thread(self._write, control, content, fresh)
        except OSError as error:
            return same_answer(batch, Outcome.RETRY, f"cannot write to {self._folder.name}: {error.strerror}")
        return [self._answer(update, faults[update.listing]) for update in batch]

    async def close(self) -> None:
        """Unlock the journal."""
        self._journal.close()
        self._is_open = False

    def _answer(self, update: Update, fault: str | None) -> Result:
        if fault is None and update.publish_seq < self._journal.newest[update.listing]:
            fault = "STALE"
        outcome = Outcome.ACCEPTED if fault is None else Outcome.REJECTED
        return Result(update.listing, update.publish_seq, outcome, fault)

    def _encode(self, batch: Sequence[Update], control: int) -> bytes:
        lines = [_line(update) for update in batch]
        return inventory_advice(lines, control, self._wall_clock(), self._version, self._partners, self._codes)

    def _open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._journal.open()
            self._finish()
            if self._journal.control == 0:
                # A journal that was lost does not bring back the numbers of files that are still here.
                self._journal.control = max(self._numbers(), default=0)
        except JournalUnusable as error:
            self._journal.close()
            raise ChannelUnusable(str(error)) from None
        except OSError as error:
            self._journal.close()
            raise ChannelUnusable(f"cannot use {self._folder} and its journal: {error.strerror}") from error
        self._is_open = True

    def _numbers(self) -> list[int]:
        return [int(found[1]) for name in os.listdir(self._folder) if (found := _NAME.fullmatch(name))]

    def _write(self, control: int, content: bytes, fresh: Sequence[Update]) -> None:
        # Written down but without its name, since giving it failed: nothing overtakes it.
        self._finish()
        if fresh:
            write_part(self._part(control), content)
            self._journal.add(control, [(update.listing, update.publish_seq) for update in fresh])
            self._finish()

    def _finish(self) -> None:
        """Give the file of the last line its name, and take away what never got a line."""
        for part in self._folder.glob(".846_*.part"):
            if part == self._part(self._journal.control):
                os.rename(part, self._folder / f"846_{self._journal.control:09}.edi")
                persist_name(self._folder)
            else:
                part.unlink()

    def _part(self, control: int) -> Path:
        return self._folder / f".846_{control:09}.part"


def _line(update: Update) -> Line:
    return Line(update.listing, update.quantity)


def _make(channel: str, settings: X12Settings, calls: CallLimits) -> X12Sink:
    return X12Sink(settings, calls)


KIND = ChannelKind(X12Settings, _make)
