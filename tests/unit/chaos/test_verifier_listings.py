"""Listings with ids of their own: a sound round of them breaks no law; each planted violation is caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.fan_out import FanOut
from agents.listing_fan_out import ListingFanOut
from domain.listing_map import Listed, Mapped, Supply
from schemas.listing_exchange import exchange_value, exchanged_of
from schemas.topics import LISTING_EXCHANGE, LISTINGS, PUBLICATIONS_CHANGELOG, channel_updates_topic
from tables.listing_rows import MAPPED_PREFIX, PRICE_PREFIX, SUBSCRIBED_PREFIX, listing_row, mapped_key, mapped_of
from tests.chaos.evidence import AcceptedUpdate, Intent
from tests.chaos.verifier.law_outputs import LAW as LAST_OUTPUTS
from tests.chaos.verifier.logs import Record, home_of
from tests.unit.chaos.sound_round import CHANNEL, PARTITIONS, SoundRound
from tests.unit.chaos.test_verifier import adjustment, at, balance

EXCHANGE, ROWS = LISTING_EXCHANGE.name, PUBLICATIONS_CHANGELOG.name
UPDATES = channel_updates_topic(CHANNEL).name
MOVED, TAKEN_DOWN, PACKS, OWN, EARLY = "L-moved", "L-down", "L-packs", "SKU-4", "L-early"


def listing(name: str, sku: str | None, pack_size: int = 1, at_s: float = 1.0, **more: Any) -> dict[str, Any]:
    line = {"type": LISTINGS.name, "channel": CHANNEL, "listing": name, "sku": sku, "pack_size": pack_size}
    return {**line, "as_of": at(at_s), **more}


@pytest.fixture
def sound(tmp_path: Path) -> SoundRound:
    """Listings that moved, ended, sell packs, or a SKU of their own name; said late, twice, and broken."""
    made = SoundRound(tmp_path)
    for number in range(6):
        made.event(balance(number, 20 + 10 * number, 1.0, f"SKU-{number}"))
    made.event(listing(EARLY, "SKU-unheard-of"))
    made.work()
    made.event(listing(MOVED, "SKU-0", price=1999, currency="EUR"))
    made.event(listing(TAKEN_DOWN, "SKU-1"))
    made.event(listing(PACKS, "SKU-2", 6))
    made.event(listing(OWN, "SKU-4"))
    made.work()
    made.event(listing(MOVED, "SKU-3", at_s=3.0, price=1899, currency="EUR"))
    made.event(listing(MOVED, "SKU-3", at_s=3.0, price=1899, currency="EUR"), intent=Intent.DUPLICATE)
    made.event(listing(MOVED, "SKU-5", at_s=2.0))
    made.raw(LISTINGS.name, f"{CHANNEL}:{TAKEN_DOWN}".encode(), None, intent=Intent.VALID)
    made.raw(LISTINGS.name, f"{CHANNEL}:{TAKEN_DOWN}".encode(), b"no avro")
    made.raw(LISTINGS.name, CHANNEL.encode(), None)
    made.work()
    for number in range(6):
        made.event(adjustment(number))
    return made.work()


def shown(sound: SoundRound) -> dict[str, int]:
    return {update.listing: update.quantity for update in sound.accepted}


def tell(sound: SoundRound, name: str, quantity: int) -> None:
    """An update that should not be, as sound as any other: planned, accepted and answered, at rest."""
    sound.rested = {place: len(log) for place, log in sound.records.items()}
    log = sound.records[UPDATES, home_of(name.encode(), PARTITIONS)]
    last = sound.fields([record for record in log if record.key == name.encode()][-1])
    sound.now += 2_000_000
    wrong = {"publish_seq": last["publish_seq"] + 1_000, "quantity": quantity, "planned_at": sound.now}
    sound.append(UPDATES, log[0].partition, name.encode(), sound.encoded(UPDATES, last | wrong))
    sound._tell_channel()


def accusations(sound: SoundRound) -> dict[str, list[str]]:
    """Of the last outputs, by what is accused."""
    found: dict[str, list[str]] = {}
    for violation in sound.judged().violations:
        if violation.law == LAST_OUTPUTS:
            found.setdefault(violation.where, []).append(violation.detail)
    return found


def forgetful(sound: SoundRound, topic: str, lost: Callable[[Record], bool]) -> None:
    """The log without some records."""
    sound.rewrite(topic, lambda records: [record for record in records if not lost(record)])


def test_a_sound_round_of_listings_breaks_no_law(sound: SoundRound) -> None:
    judgement = sound.judged()
    assert judgement.violations == []
    assert {"listings": 5, "listings moved": 2, "dead-lettered": 2}.items() <= judgement.figures.items()
    assert judgement.figures["supplied"] > 0
    assert judgement.figures["forwarded"] > 0
    expected = {MOVED: 53, TAKEN_DOWN: 0, PACKS: 7, OWN: 63, EARLY: 0, "SKU-0": 18, "SKU-1": 28, "SKU-5": 73}
    assert expected.items() <= shown(sound).items()
    assert (shown(sound)["SKU-2"], shown(sound)["SKU-3"]) == (0, 0)


# -- last outputs


@pytest.mark.parametrize(
    ("name", "quantity", "accused"),
    [
        (MOVED, 18, "recomputed 53 of SKU-3"),
        (MOVED, 0, "recomputed 53 of SKU-3"),
        (TAKEN_DOWN, 28, "recomputed 0, because it sells nothing"),
        (PACKS, 43, "recomputed 7 of SKU-2"),
        ("SKU-3", 53, "recomputed 0"),
        ("SKU-0", 0, "recomputed 18"),
        (OWN, 0, "recomputed 63"),
        (EARLY, 20, "recomputed 0 of SKU-unheard-of"),
    ],
    ids=[
        "the stock of its former SKU",
        "nothing for ever",
        "something after it was taken down",
        "units instead of packs",
        "the SKU beside its listing",
        "the SKU that lost its listing shows nothing",
        "a SKU that is a listing of its own name shows nothing",
        "stock of a SKU that nobody knows",
    ],
)
def test_what_a_listing_must_not_show_is_caught(sound: SoundRound, name: str, quantity: int, accused: str) -> None:
    tell(sound, name, quantity)
    assert sound.laws() == {LAST_OUTPUTS}
    assert accusations(sound) == {f"{name} on {CHANNEL}": [f"planned {quantity} last, {accused}"]}


@pytest.mark.parametrize("name", [MOVED, EARLY], ids=["that sells something", "of a SKU that nobody knows"])
def test_a_listing_that_was_never_told_anything_is_caught(sound: SoundRound, name: str) -> None:
    forgetful(sound, UPDATES, lambda record: record.key == name.encode())
    assert "was never planned" in accusations(sound)[f"{name} on {CHANNEL}"][0]


def test_a_listing_that_sells_nothing_need_not_be_told(sound: SoundRound) -> None:
    sound.event(listing("L-never", None, at_s=9.0))
    sound.work()
    assert "L-never" not in shown(sound)
    assert sound.laws() == set()


def test_an_update_of_what_is_neither_listing_nor_sku_is_caught(sound: SoundRound) -> None:
    last = sound.fields(sound.records[UPDATES, 0][-1])
    stranger = last | {"listing": "L-stranger", "quantity": 3}
    sound.append(UPDATES, home_of(b"L-stranger", PARTITIONS), b"L-stranger", sound.encoded(UPDATES, stranger))
    assert sound.laws() == {LAST_OUTPUTS}


def lost_end(sound: SoundRound) -> None:
    """The home of a listing wrote down its move and died before it told the former SKU's partition."""
    sound.event(listing(MOVED, "SKU-5", at_s=20.0))
    sound.work()
    ends = lambda record: b"subscription.1" in (record.value or b"") and b"SKU-3" in (record.value or b"")  # noqa: E731
    forgetful(sound, EXCHANGE, lambda record: ends(record) and (record.value or b"").endswith(b"false]"))
    for place in [place for place in sound.records if place[0] == EXCHANGE]:
        sound.committed[place] = len(sound.records[place])
        sound.observations.clear()
    rows = SUBSCRIBED_PREFIX + f"{CHANNEL}\0{MOVED}\0SKU-3".encode()
    forgetful(sound, ROWS, lambda record: record.key == rows and (record.value or b"").endswith(b"false]"))


def test_a_sku_that_is_left_off_because_the_end_of_its_subscription_was_lost_is_noticed(sound: SoundRound) -> None:
    lost_end(sound)
    tell(sound, "SKU-3", 0)
    assert sound.laws() == {LAST_OUTPUTS}


def dies_after_it_told_zero(sound: SoundRound) -> None:
    """The worker tells a listing that changes its SKU 0, and dies before it writes any row of that epoch."""
    sound.event(listing(MOVED, "SKU-5", at_s=20.0))

    def tells_zero(records: list[Any]) -> bool:
        told = [each for each in records if each.topic == UPDATES and each.key == MOVED.encode()]
        return any(sound.said_by(UPDATES, each.value)["quantity"] == 0 for each in told)

    sound.dies_in(tells_zero, lambda record: record.topic == ROWS)
    sound.work()


def test_a_listing_goes_on_though_its_worker_died_before_it_wrote_down_what_it_told(sound: SoundRound) -> None:
    dies_after_it_told_zero(sound)
    assert shown(sound)[MOVED] == 73
    assert sound.laws() == set()


def test_a_build_that_does_not_listen_to_the_answer_of_what_was_told_then_is_caught(
    sound: SoundRound, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListingFanOut, "acknowledged", FanOut.acknowledged)
    dies_after_it_told_zero(sound)
    assert sound.laws() == {LAST_OUTPUTS}
    assert accusations(sound) == {
        f"{MOVED} on {CHANNEL}": ["planned 0 last, recomputed 73 of SKU-5"],
        f"SKU-5 on {CHANNEL}": ["planned 73 last, recomputed 0"],
    }


# -- state, accounting, commits


def test_a_listing_that_is_remembered_as_something_else_is_caught(sound: SoundRound) -> None:
    key = mapped_key((CHANNEL, MOVED))

    def other(record: Record) -> Record:
        if record.key != key or record.value is None:
            return record
        said: Mapped = mapped_of(record.value)
        return record._replace(value=listing_row(said._replace(pack_size=said.pack_size + 1)))

    sound.rewrite(ROWS, lambda records: list(map(other, records)))
    assert "state" in sound.laws()


def test_another_price_is_caught(sound: SoundRound) -> None:
    forgetful(sound, ROWS, lambda record: (record.key or b"").startswith(PRICE_PREFIX) and b"1899" in record.value)  # type: ignore[operator]
    [violation] = sound.judged().violations
    assert (violation.law, violation.where) == ("state", f"{MOVED} on {CHANNEL}")
    assert "said to sell for" in violation.detail


@pytest.mark.parametrize(
    ("topic", "lost"),
    [
        (ROWS, lambda record: record.key.startswith(MAPPED_PREFIX + f"{CHANNEL}\0{PACKS}".encode())),
        (ROWS, lambda record: record.key.startswith(SUBSCRIBED_PREFIX) and PACKS.encode() in record.key),
        (f"{LISTINGS.name}.dlq", lambda record: True),
    ],
    ids=["a row of what it sells", "a row of a subscription", "a dead letter"],
)
def test_a_statement_of_which_nothing_came_is_caught(
    sound: SoundRound, topic: str, lost: Callable[[Record], bool]
) -> None:
    forgetful(sound, topic, lost)
    assert "accounting" in sound.laws()


def test_a_statement_that_was_not_passed_on_is_caught(sound: SoundRound) -> None:
    def is_passed_on(record: Record) -> bool:
        return isinstance(exchanged_of(record.value), Listed)

    forgetful(sound, EXCHANGE, is_passed_on)
    assert "accounting" in sound.laws()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (Supply(CHANNEL, MOVED, "SKU-1", 1, 5, (1 << 32) + 9_000), "nobody said so"),
        (Listed(CHANNEL, MOVED, "SKU-1", 1, 5), "nobody said so"),
        (None, "no worker can read"),
    ],
    ids=["a supply", "a statement", "nothing that can be read"],
)
def test_a_message_that_nothing_explains_is_caught(
    sound: SoundRound, message: Supply | Listed | None, said: str
) -> None:
    partition = home_of(MOVED.encode(), PARTITIONS)
    value = b"[]" if message is None else exchange_value(message)
    sound.append(EXCHANGE, partition, MOVED.encode(), value)
    assert said in " ".join(each.detail for each in sound.judged().violations if each.law == "accounting")


def test_a_commit_of_a_statement_before_its_row_is_caught(sound: SoundRound) -> None:
    last = sound.observations[-1]
    ends = {place: 0 if place[0] == ROWS else end for place, end in last.ends.items()}
    sound.observations[-1] = last._replace(ends=ends)
    assert sound.laws() == {"commit"}


def test_two_supplies_of_one_version_are_caught(sound: SoundRound) -> None:
    partition = home_of(MOVED.encode(), PARTITIONS)
    log = sound.records[EXCHANGE, partition]
    said = [exchanged_of(record.value) for record in log]
    supply = [each for each in said if isinstance(each, Supply) and each.listing == MOVED][-1]
    again = exchange_value(supply._replace(units=supply.units + 1))
    sound.append(EXCHANGE, partition, MOVED.encode(), again)
    sound.committed[EXCHANGE, partition] += 1
    assert sound.laws() == {"versions"}


def test_an_answer_about_a_listing_is_judged_as_any_other(sound: SoundRound) -> None:
    sound.accepted.append(AcceptedUpdate(MOVED, 1, 23))
    assert {"monotone at the channel", LAST_OUTPUTS, "only what was planned"} == sound.laws()
