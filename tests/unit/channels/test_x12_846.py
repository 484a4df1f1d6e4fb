from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.channels import x12_journal
from connectors.channels.base import ChannelUnusable, Outcome, Update
from connectors.channels.kind import CallLimits
from connectors.channels.x12_846 import X12Settings, X12Sink
from connectors.channels.x12_advice import LAST_CONTROL, next_control
from tests.conformance.rig import Clock, update
from tests.fakes import x12
from tests.vendor_specs import spec


class Partner:
    """A folder, a journal, and sinks that write there one after the other."""

    def __init__(self, folder: Path) -> None:
        self.outbox = folder / "outbox"
        self.journal = folder / "846.journal"

    @asynccontextmanager
    async def sink(self, **more: Any) -> AsyncIterator[X12Sink]:
        settings = X12Settings(folder=self.outbox, journal=self.journal, sender="SHOP", receiver="PARTNER", **more)
        sink = X12Sink(settings, CallLimits(100), wall_clock=Clock().wall_s)
        await sink.open()
        try:
            yield sink
        finally:
            await sink.close()

    async def tell(self, *updates: Update, **more: Any) -> list[Outcome]:
        async with self.sink(**more) as sink:
            return [one.outcome for one in await sink.send(updates)]

    def names(self) -> list[str]:
        return sorted(os.listdir(self.outbox))

    def files(self) -> list[x12.TransactionSet]:
        return [one for name in self.names() for one in x12.read((self.outbox / name).read_bytes())]


@pytest.fixture
def partner(tmp_path: Path) -> Partner:
    return Partner(tmp_path)


@pytest.mark.parametrize(
    "sample",
    [
        "940.OK",
        "940.2.OK",
        "850.OK",
        "856.Crossdock.OK",
        "MultipleInterchangesAndGroups",
    ],
)
def test_the_reader_takes_interchanges_that_others_found_right(sample: str) -> None:
    assert x12.read(spec(f"edi-x12/ediengine/{sample}.edi").read_bytes())


@pytest.mark.parametrize(
    ("sample", "fault"),
    [
        ("ControlNumbersMismatch", "SE02"),
        ("WrongGroupsAndTranCount", "GE01"),
        ("940_Failed_SE01", "SE01"),
        ("NonEdi", "no ISA"),
    ],
)
def test_the_reader_refuses_interchanges_that_others_found_wrong(sample: str, fault: str) -> None:
    with pytest.raises(x12.X12Fault, match=fault):
        x12.read(spec(f"edi-x12/ediengine/{sample}.edi").read_bytes())


async def test_an_advice_reads_as_it_was_meant(partner: Partner) -> None:
    await partner.tell(update("A-1", 1, 7), update("B 2", 1, 0))
    content = (partner.outbox / "846_000000001.edi").read_text()
    assert content == (
        "ISA*00*          *00*          *ZZ*SHOP           *ZZ*PARTNER        "
        "*260101*0000*U*00401*000000001*0*P*>~\n"
        "GS*IB*SHOP*PARTNER*20260101*0000*1*X*004010~\n"
        "ST*846*0001~\n"
        "BIA*00*SI*000000001*20260101*0000~\n"
        "LIN*1*SK*A-1~\n"
        "QTY*33*7*EA~\n"
        "LIN*2*SK*B 2~\n"
        "QTY*33*0*EA~\n"
        "CTT*2~\n"
        "SE*8*0001~\n"
        "GE*1*1~\n"
        "IEA*1*000000001~\n"
    )
    (found,) = partner.files()
    assert x12.quantities(found) == [("A-1", 7), ("B 2", 0)]


async def test_both_versions_are_written(partner: Partner) -> None:
    await partner.tell(update("A", 1, 7))
    await partner.tell(update("A", 2, 6), version="005010", usage="T")
    assert [(one.interchange_version, one.group_version, one.usage) for one in partner.files()] == [
        ("00401", "004010", "P"),
        ("00501", "005010", "T"),
    ]


async def test_control_numbers_go_on_after_a_restart_also_when_the_partner_took_the_files(
    partner: Partner,
) -> None:
    await partner.tell(update("A", 1))
    await partner.tell(update("A", 2))
    for name in partner.names():
        (partner.outbox / name).unlink()
    await partner.tell(update("A", 3))
    assert partner.names() == ["846_000000003.edi"]
    assert [one.control for one in partner.files()] == [3]


async def test_control_numbers_go_on_from_the_files_when_the_journal_was_lost(partner: Partner) -> None:
    await partner.tell(update("A", 1))
    await partner.tell(update("A", 2))
    partner.journal.unlink()
    await partner.tell(update("A", 3))
    assert [one.control for one in partner.files()] == [1, 2, 3]


def test_after_the_last_control_number_comes_the_first() -> None:
    assert (next_control(1), next_control(LAST_CONTROL)) == (2, 1)


async def test_what_was_written_is_not_written_again_after_a_restart_and_older_values_are_refused(
    partner: Partner,
) -> None:
    await partner.tell(update("A", 5, 3), update("B", 5, 4))
    assert await partner.tell(update("A", 5, 3), update("B", 4, 9)) == [Outcome.ACCEPTED, Outcome.REJECTED]
    assert partner.names() == ["846_000000001.edi"]


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        ("A*B", "X12_CHARACTERS"),
        ("A~B", "X12_CHARACTERS"),
        ("A>B", "X12_CHARACTERS"),
        ("A^B", "X12_CHARACTERS"),
        ("Ä", "X12_CHARACTERS"),
        ("A\nB", "X12_CHARACTERS"),
        (" A", "X12_CHARACTERS"),
        ("", "X12_LENGTH"),
        ("A" * 41, "X12_LENGTH"),
    ],
)
async def test_a_listing_that_cannot_be_written_is_refused_and_the_others_pass(
    partner: Partner, listing: str, reason: str
) -> None:
    async with partner.sink() as sink:
        refused, passed = await sink.send([update(listing, 1, 1), update("B", 1, 2)])
    assert (refused.outcome, refused.reason, passed.outcome) == (Outcome.REJECTED, reason, Outcome.ACCEPTED)
    assert [x12.quantities(one) for one in partner.files()] == [[("B", 2)]]


async def test_a_batch_of_nothing_but_refused_listings_makes_no_file(partner: Partner) -> None:
    assert await partner.tell(update("A*B")) == [Outcome.REJECTED]
    assert partner.names() == []


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("dies_in", ["add", "rename"])
async def test_a_crash_leaves_neither_half_a_file_nor_two(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    await partner.tell(update("A", 1, 1))

    def crash(*_: object) -> None:
        raise Crash

    with monkeypatch.context() as dying:
        dying.setattr(x12_journal.Journal if dies_in == "add" else os, dies_in, crash)
        with pytest.raises(Crash):
            await partner.tell(update("A", 2, 8), update("B", 2, 9))
    assert partner.names() == [".846_000000002.part", "846_000000001.edi"]
    # After the restart the same updates come again, as a batch of another shape.
    assert await partner.tell(update("B", 2, 9)) == [Outcome.ACCEPTED]
    assert await partner.tell(update("A", 2, 8)) == [Outcome.ACCEPTED]
    pairs = [pair for one in partner.files() for pair in x12.quantities(one)]
    assert (pairs.count(("A", 8)), pairs.count(("B", 9))) == (1, 1)
    assert [one.control for one in partner.files()] == list(range(1, len(partner.files()) + 1))


async def test_a_name_that_could_not_be_given_is_given_before_anything_newer_is_written(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async with partner.sink() as sink:
        with monkeypatch.context() as failing:
            failing.setattr(os, "rename", fails)
            (result,) = await sink.send([update("A", 1, 9)])
        assert (result.outcome, result.reason) == (Outcome.RETRY, "cannot write to outbox: Input/output error")
        (result,) = await sink.send([update("A", 2, 0)])
        assert result.outcome is Outcome.ACCEPTED
    assert [x12.quantities(one) for one in partner.files()] == [[("A", 9)], [("A", 0)]]


@pytest.mark.parametrize("cut", [1, 10])
async def test_a_journal_line_torn_by_a_crash_is_cut_off(partner: Partner, cut: int) -> None:
    await partner.tell(update("A", 1, 1))
    whole = partner.journal.read_bytes()
    partner.journal.write_bytes(whole + whole[:-cut])
    assert await partner.tell(update("A", 2, 2)) == [Outcome.ACCEPTED]
    assert partner.journal.read_bytes().startswith(whole)
    assert [one.control for one in partner.files()] == [1, 2]


async def test_a_journal_does_not_grow_without_end_and_still_knows_the_latest(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x12_journal, "REMEMBERED_BYTES", 300)
    monkeypatch.setattr(x12_journal, "LONGEST_BYTES", 1_200)
    async with partner.sink() as sink:
        for number in range(1, 101):
            await sink.send([update(f"L-{number}", number)])
    assert partner.journal.stat().st_size <= 1_200 + 100
    assert await partner.tell(update("L-100", 100), update("L-99", 98)) == [Outcome.ACCEPTED, Outcome.REJECTED]
    assert await partner.tell(update("L-101", 101)) == [Outcome.ACCEPTED]
    assert partner.names()[-1] == "846_000000101.edi"


async def test_a_second_process_may_not_use_the_same_journal(partner: Partner) -> None:
    async with partner.sink():
        with pytest.raises(ChannelUnusable, match="journal of its own"):
            await partner.tell(update("A"))


async def test_a_journal_of_something_else_is_left_alone(partner: Partner) -> None:
    partner.journal.write_text("name,amount\n")
    with pytest.raises(ChannelUnusable, match="not ours"):
        await partner.tell(update("A"))
    assert partner.journal.read_text() == "name,amount\n"


def test_a_journal_where_files_are_picked_up_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must not be in folder"):
        X12Settings(folder=tmp_path, journal=tmp_path / "journal", sender="SHOP", receiver="PARTNER")


async def test_a_folder_that_cannot_be_used_is_a_mistake(partner: Partner) -> None:
    partner.outbox.write_text("a file")
    with pytest.raises(ChannelUnusable, match="cannot use"):
        await partner.tell(update("A"))
    partner.outbox.unlink()
    assert await partner.tell(update("A")) == [Outcome.ACCEPTED]
