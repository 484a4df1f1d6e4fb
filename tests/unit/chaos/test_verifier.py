"""A sound round breaks no law; each planted violation is caught by the law it breaks."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from domain.facts import Adjustment
from schemas.topics import ATS_CHANGED, FACTS_CHANGELOG, MAX_MESSAGE_BYTES, channel_updates_topic
from tables.rows import fact_of, row_key, row_value
from tests.chaos.evidence import AcceptedUpdate, Intent, ProgramExit
from tests.chaos.verifier.logs import Record, home_of
from tests.unit.chaos.sound_round import CHANNEL, PARTITIONS, START, SoundRound

FACTS = FACTS_CHANGELOG.name
UPDATES = channel_updates_topic(CHANNEL).name
SKUS = [f"SKU-{number}" for number in range(6)]


def at(seconds: float) -> str:
    return (
        datetime.datetime.fromtimestamp(START / 1e6, datetime.UTC) + datetime.timedelta(seconds=seconds)
    ).isoformat()


def adjustment(number: int, quantity: int = 5, sku: str = "", revision: int = 0) -> dict[str, Any]:
    return {
        "type": "stock-adjusted",
        "kind": "DELTA",
        "event_id": f"ev-{number}",
        "source": "erp",
        "sku": sku or SKUS[number % len(SKUS)],
        "occurred_at": at(number),
        "location": "A",
        "quantity": quantity,
        "adjustment_id": f"ADJ-{number}",
        "reason": "RECEIPT",
        "revision": revision,
    }


def balance(number: int, quantity: int, as_of: float, sku: str = "SKU-0") -> dict[str, Any]:
    return {
        "type": "stock-adjusted",
        "kind": "BALANCE",
        "event_id": f"bal-{number}",
        "source": "erp",
        "sku": sku,
        "occurred_at": at(as_of),
        "as_of": at(as_of),
        "location": "A",
        "quantity": quantity,
        "sequence": number,
        "basis": "PHYSICAL",
    }


@pytest.fixture
def sound(tmp_path: Path) -> SoundRound:
    """Everything once: balances late and on time, duplicates, a conflict, poison, a record at the wrong door."""
    made = SoundRound(tmp_path)
    for number in range(24):
        made.event(adjustment(number))
    for number, as_of in enumerate((1.0, 3.0, 2.0, 0.5)):
        made.event(balance(number, 30 + number, as_of))
    made.work()
    made.event(adjustment(3), intent=Intent.DUPLICATE)
    made.event(adjustment(30))
    made.event(adjustment(4, quantity=9, revision=1))
    made.event(adjustment(4, quantity=7, revision=0))
    made.raw("stock-adjusted", b"SKU-1", b"no avro")
    made.raw("order-released", b"SKU-1", None)
    astray = adjustment(100, sku="SKU-2")
    made.event(astray, partition=1 - home_of(b"SKU-2", PARTITIONS), intent=Intent.MISROUTED)
    return made.work()


def test_a_sound_round_breaks_no_law(sound: SoundRound) -> None:
    judgement = sound.judged()
    assert judgement.violations == []
    expected = {"duplicate": 1, "dead-lettered": 2, "forwarded": 1, "superseded": 2, "SKUs": 6}
    assert expected.items() <= judgement.figures.items()
    assert judgement.figures["applied"] == 25 + 3 + 1 + 1
    assert judgement.figures["acknowledged"] == len(sound.accepted) > 0


def without_last(records: list[Record]) -> list[Record]:
    return records[:-1]


# -- state and accounting


def test_a_lost_row_is_caught(sound: SoundRound) -> None:
    lost = row_key("SKU-5", fact_like(sound, "ADJ-23"))
    sound.rewrite(FACTS, lambda records: [record for record in records if record.key != lost])
    assert {"accounting", "state", "last outputs"} >= sound.laws() >= {"accounting", "state"}


def fact_like(sound: SoundRound, name: str) -> Adjustment:
    for (topic, _), records in sound.records.items():
        for record in records:
            if topic == FACTS and record.value and name in str(record.value):
                found = fact_of(record.value)
                assert isinstance(found, Adjustment)
                return found
    raise AssertionError(f"no row of {name}")


def test_a_row_with_another_quantity_is_caught(sound: SoundRound) -> None:
    true = fact_like(sound, "ADJ-20")
    false = row_value(true._replace(quantity=6))
    sound.rewrite(
        FACTS, lambda records: [r._replace(value=false) if r.value == row_value(true) else r for r in records]
    )
    assert "state" in sound.laws()


def test_a_row_of_no_event_is_caught(sound: SoundRound) -> None:
    fact = fact_like(sound, "ADJ-20")._replace(adjustment_id="ADJ-never")
    sound.append(FACTS, home_of(b"SKU-2", PARTITIONS), row_key("SKU-2", fact), row_value(fact))
    [violation] = [each for each in sound.judged().violations if each.law == "state"]
    assert "of no input" in violation.detail


def test_a_row_in_a_foreign_partition_is_caught(sound: SoundRound) -> None:
    fact = fact_like(sound, "ADJ-20")
    sound.append(FACTS, 1 - home_of(b"SKU-2", PARTITIONS), row_key("SKU-2", fact), row_value(fact))
    assert "state" in sound.laws()


def test_forgetting_what_weighs_something_is_caught(sound: SoundRound) -> None:
    fact = fact_like(sound, "ADJ-20")
    sound.append(FACTS, home_of(b"SKU-2", PARTITIONS), row_key("SKU-2", fact), None)
    [violation] = [each for each in sound.judged().violations if each.law == "state"]
    assert "weighs something" in violation.detail


def test_a_stale_row_does_no_harm(sound: SoundRound) -> None:
    older = fact_like(sound, "ADJ-20")
    sound.append(FACTS, home_of(b"SKU-2", PARTITIONS), row_key("SKU-2", older), row_value(older))
    assert sound.laws() == set()


def test_a_missing_dead_letter_is_caught(sound: SoundRound) -> None:
    sound.rewrite("order-released.dlq", without_last)
    assert sound.laws() == {"accounting"}


@pytest.mark.parametrize(
    "change",
    [
        {"key": b"SKU-2"},
        {"value": b"something"},
        {"timestamp_ms": 1},
        {"headers": ()},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_dead_letter_with_other_bytes_is_caught(sound: SoundRound, change: dict[str, Any]) -> None:
    sound.rewrite("stock-adjusted.dlq", lambda records: [record._replace(**change) for record in records])
    assert sound.laws() == {"accounting"}


@pytest.mark.parametrize("kept", [MAX_MESSAGE_BYTES // 2, 10])
def test_a_dead_letter_may_be_cut_only_as_far_as_it_must(sound: SoundRound, kept: int) -> None:
    record = sound.raw("order-released", b"SKU-1", b"\0" * (MAX_MESSAGE_BYTES + 9), intent=Intent.OVERSIZED)
    sound.work()

    def cut(letter: Record) -> Record:
        if letter.timestamp_ms != record.timestamp_ms:
            return letter
        headers = dict(letter.headers) | {"__atstream.errors.cut": b"1048590"}
        return letter._replace(value=b"\0" * kept, headers=tuple(headers.items()))

    sound.rewrite("order-released.dlq", lambda records: list(map(cut, records)))
    assert sound.laws() == (set() if kept > 10 else {"accounting"})


def test_a_dead_letter_of_a_small_record_must_not_be_cut(sound: SoundRound) -> None:
    def cut(letter: Record) -> Record:
        return letter._replace(value=b"no", headers=(*letter.headers, ("__atstream.errors.cut", b"7")))

    sound.rewrite("stock-adjusted.dlq", lambda records: list(map(cut, records)))
    assert sound.laws() == {"accounting"}


def test_a_dead_letter_with_another_reason_is_caught(sound: SoundRound) -> None:
    def mislabelled(record: Record) -> Record:
        headers = dict(record.headers) | {"__atstream.errors.reason": b"EMPTY"}
        return record._replace(headers=tuple(headers.items()))

    sound.rewrite("stock-adjusted.dlq", lambda records: list(map(mislabelled, records)))
    assert sound.laws() == {"accounting"}


def test_a_dead_letter_of_a_sound_record_is_caught(sound: SoundRound) -> None:
    [original, *_] = sound.records["stock-adjusted", 0]
    names = {"topic": "stock-adjusted", "partition": "0", "offset": "0", "reason": "MALFORMED"}
    headers = tuple((f"__atstream.errors.{name}", text.encode()) for name, text in names.items())
    sound.append("stock-adjusted.dlq", 0, original.key, original.value, headers, original.timestamp_ms)
    [violation] = sound.judged().violations
    assert "is sound" in violation.detail


def test_a_missing_copy_of_a_misrouted_record_is_caught(sound: SoundRound) -> None:
    home = home_of(b"SKU-2", PARTITIONS)
    sound.records["stock-adjusted", home].pop()
    sound.committed["stock-adjusted", home] -= 1
    assert "accounting" in sound.laws()


def test_a_record_from_nowhere_is_caught(sound: SoundRound) -> None:
    [copied, *_] = sound.records["stock-adjusted", 0]
    sound.append("stock-adjusted", 0, copied.key, copied.value)
    sound.committed["stock-adjusted", 0] += 1
    assert sound.laws() == {"accounting"}


@pytest.mark.parametrize("outage", [True, False])
def test_only_in_an_outage_may_the_harness_have_sent_a_batch_twice(sound: SoundRound, outage: bool) -> None:
    sound.outage = outage
    [copied, *_] = sound.records["stock-adjusted", 0]
    sound.append("stock-adjusted", 0, copied.key, copied.value, copied.headers, copied.timestamp_ms)
    sound.committed["stock-adjusted", 0] += 1
    assert sound.laws() == (set() if outage else {"accounting"})


def test_a_record_that_was_acknowledged_and_is_not_there_is_caught(sound: SoundRound) -> None:
    sound.produced.append(sound.produced[0]._replace(offset=10_000))
    assert sound.laws() == {"log"}


def test_a_record_that_is_not_what_was_meant_is_caught(sound: SoundRound) -> None:
    sound.produced[0] = sound.produced[0]._replace(intent=Intent.POISON)
    assert sound.laws() == {"accounting"}


def test_a_hole_in_a_log_is_caught(sound: SoundRound) -> None:
    del sound.records["stock-adjusted", 0][1]
    assert "log" in sound.laws()


def test_records_that_were_left_are_caught(sound: SoundRound) -> None:
    sound.event(adjustment(200))
    assert "drained" in sound.laws()
    sound.rested = {place: len(log) for place, log in sound.records.items()}
    assert "drained" in sound.laws()


def test_what_came_after_the_rest_may_be_left(sound: SoundRound) -> None:
    sound.rested = {place: len(log) for place, log in sound.records.items()}
    sound.event(adjustment(200))
    assert "drained" not in sound.laws()


def test_a_balance_older_than_two_others_needs_no_row(sound: SoundRound) -> None:
    sound.event(balance(9, 99, 0.1))
    sound.work()
    assert sound.laws() == set()


def test_a_lost_balance_is_caught_though_an_older_one_has_a_row(sound: SoundRound) -> None:
    sound.event(balance(10, 70, 50.0))
    sound.work()
    sound.rewrite(
        FACTS, lambda records: [r for r in records if r.value is None or b',70,"PHYSICAL"' not in r.value]
    )
    assert {"accounting", "state"} <= sound.laws()


# -- last outputs


def test_a_lost_last_output_is_caught(sound: SoundRound) -> None:
    last = max(sound.records[ATS_CHANGED.name, 0], key=lambda record: record.offset)
    sound.rewrite(ATS_CHANGED.name, lambda records: [record for record in records if record != last])
    assert "last outputs" in sound.laws()


def test_a_sku_that_was_never_told_is_caught(sound: SoundRound) -> None:
    sound.rewrite(ATS_CHANGED.name, lambda records: [record for record in records if record.key != b"SKU-3"])
    assert "last outputs" in sound.laws()


def test_an_output_that_nothing_caused_is_caught(sound: SoundRound) -> None:
    template = sound.fields(sound.records[ATS_CHANGED.name, 0][-1])
    value = sound.encoded(ATS_CHANGED.name, template | {"sku": "SKU-nobody", "version": (1 << 32) + 9_999})
    sound.append(ATS_CHANGED.name, 0, b"SKU-nobody", value)
    assert sound.laws() == {"last outputs"}


def test_a_stale_output_with_a_higher_version_is_caught(sound: SoundRound) -> None:
    log = sound.records[ATS_CHANGED.name, home_of(b"SKU-4", PARTITIONS)]
    first = sound.fields(next(record for record in log if record.key == b"SKU-4"))
    value = sound.encoded(ATS_CHANGED.name, first | {"version": (1 << 32) + 9_999})
    sound.append(ATS_CHANGED.name, log[0].partition, b"SKU-4", value)
    assert sound.laws() == {"last outputs"}


def test_a_listing_that_was_never_planned_is_caught(sound: SoundRound) -> None:
    sound.rewrite(UPDATES, lambda records: [record for record in records if record.key != b"SKU-3"])
    assert {"last outputs", "only what was planned"} <= sound.laws()


def test_a_channel_that_shows_something_else_is_caught(sound: SoundRound) -> None:
    last = sound.accepted.pop()
    assert sound.laws() == {"last outputs"}
    sound.accepted.append(last._replace(quantity=last.quantity + 1))
    assert sound.laws() == {"last outputs", "only what was planned"}


def test_a_planned_quantity_that_is_wrong_is_caught(sound: SoundRound) -> None:
    partition = home_of(b"SKU-5", PARTITIONS)
    last = sound.fields([r for r in sound.records[UPDATES, partition] if r.key == b"SKU-5"][-1])
    wrong = last | {
        "publish_seq": last["publish_seq"] + 1,
        "quantity": 0,
        "planned_at": last["planned_at"] - 10**7,
    }
    sound.append(UPDATES, partition, b"SKU-5", sound.encoded(UPDATES, wrong))
    assert "last outputs" in sound.laws()


@pytest.mark.parametrize(("more", "caught"), [(50, True), (-1, False)], ids=["a fall", "a small rise"])
def test_a_wrong_value_planned_at_the_very_end_is_caught_unless_the_right_one_may_wait(
    sound: SoundRound, more: int, caught: bool
) -> None:
    partition = home_of(b"SKU-0", PARTITIONS)
    last = sound.fields([r for r in sound.records[UPDATES, partition] if r.key == b"SKU-0"][-1])
    wrong = {"publish_seq": last["publish_seq"] + 1, "quantity": last["quantity"] + more, "planned_at": sound.now}
    sound.append(UPDATES, partition, b"SKU-0", sound.encoded(UPDATES, last | wrong))
    details = [each.detail for each in sound.judged().violations]
    assert any("recomputed" in detail for detail in details) == caught


# -- versions and fencing


def test_the_same_version_with_another_value_is_caught(sound: SoundRound) -> None:
    [*_, last] = sound.records[ATS_CHANGED.name, 0]
    again = sound.encoded(ATS_CHANGED.name, sound.fields(last) | {"cause_count": 99})
    sound.append(last.topic, last.partition, last.key, again)
    assert sound.laws() == {"versions"}


def test_a_batch_that_was_sent_twice_is_no_second_version(sound: SoundRound) -> None:
    sound.rewrite(ATS_CHANGED.name, lambda records: [*records, *records[-2:]])
    assert sound.laws() == set()


def test_an_update_told_again_keeps_its_version(sound: SoundRound) -> None:
    sound.rewrite(UPDATES, lambda records: [*records, records[-1]])
    assert sound.laws() == set()


def test_versions_that_shrink_within_a_generation_are_caught(sound: SoundRound) -> None:
    sound.rewrite(ATS_CHANGED.name, lambda records: list(reversed(records)))
    assert "versions" in sound.laws()


def successor(sound: SoundRound) -> None:
    """A worker of the next generation takes over and tells every SKU again."""
    sound.now += 10_000_000
    sound.new_worker(generation=2)
    for number in range(300, 306):
        sound.event(adjustment(number))
    sound.work()


def epoch_of(sound: SoundRound, collected_at: int, written_at: int, version: int) -> None:
    """An output of generation 1 that a paused worker writes now."""
    log = sound.records[ATS_CHANGED.name, home_of(b"SKU-4", PARTITIONS)]
    old = sound.fields(next(record for record in log if record.key == b"SKU-4"))
    value = sound.encoded(ATS_CHANGED.name, old | {"version": (1 << 32) + version, "computed_at": collected_at})
    sound.append(ATS_CHANGED.name, log[0].partition, b"SKU-4", value, at=written_at // 1_000)


def test_a_successor_breaks_no_law(sound: SoundRound) -> None:
    successor(sound)
    assert sound.laws() == set()


def test_what_a_paused_worker_had_begun_is_counted_and_no_violation(sound: SoundRound) -> None:
    begun = sound.now
    successor(sound)
    epoch_of(sound, begun, sound.now, 5_000)
    judgement = sound.judged()
    assert judgement.violations == []
    assert judgement.figures["outputs after a newer one"] == 1


def test_a_successor_repeats_an_unanswered_update_under_its_version(sound: SoundRound) -> None:
    partition = home_of(b"SKU-4", PARTITIONS)
    first = sound.fields(next(r for r in sound.records[UPDATES, partition] if r.key == b"SKU-4"))
    successor(sound)
    for later in (0, 1_000_000):
        again = first | {"reason": "UNANSWERED", "planned_at": sound.now + later}
        sound.append(UPDATES, partition, b"SKU-4", sound.encoded(UPDATES, again), at=(sound.now + later) // 1_000)
    assert sound.laws() == set()


def test_an_epoch_begun_after_the_successor_wrote_is_caught(sound: SoundRound) -> None:
    successor(sound)
    epoch_of(sound, sound.now, sound.now, 5_000)
    assert sound.laws() == {"fencing"}


def test_an_epoch_dated_by_a_clock_that_was_stepped_ahead_is_not_judged_by_it(sound: SoundRound) -> None:
    begun = sound.now
    successor(sound)
    epoch_of(sound, sound.now + 600_000_000, begun, 5_000)
    assert sound.laws() == set()


def test_a_second_epoch_after_the_successor_wrote_is_caught_whatever_its_clock_says(sound: SoundRound) -> None:
    begun = sound.now
    successor(sound)
    epoch_of(sound, begun, begun, 5_000)
    epoch_of(sound, begun + 1, begun, 5_001)
    assert sound.laws() == {"fencing"}


# -- commits


def test_a_commit_before_its_effects_is_caught(sound: SoundRound) -> None:
    seen = sound.observations[0]
    for place in [place for place in seen.ends if place[0] == FACTS]:
        sound.observations[0] = seen._replace(ends={**seen.ends, place: 0})
        assert sound.laws() == {"commit"}


@pytest.mark.parametrize("topic", ["order-released.dlq", "stock-adjusted"])
def test_a_commit_before_a_letter_or_a_copy_is_caught(sound: SoundRound, topic: str) -> None:
    last = sound.observations[-1]
    ends = {place: end - 1 if place[0] == topic and end else end for place, end in last.ends.items()}
    sound.observations[-1] = last._replace(ends=ends)
    assert sound.laws() == {"commit"}


@pytest.mark.parametrize(("ends", "laws"), [((1, 0), set()), ((0, 1), set()), ((0, 0), {"commit"})])
def test_one_of_several_dead_letters_must_be_there_at_the_commit(
    sound: SoundRound, ends: tuple[int, int], laws: set[str]
) -> None:
    letters = [
        (number, record) for number in range(PARTITIONS) for record in sound.records["order-released.dlq", number]
    ]
    [(number, letter)] = letters
    sound.append("order-released.dlq", 1 - number, letter.key, letter.value, letter.headers, letter.timestamp_ms)
    last = sound.observations[-1]
    seen = {("order-released.dlq", number): end for number, end in enumerate(ends)}
    sound.observations[-1] = last._replace(ends={**last.ends, **seen})
    assert sound.laws() == laws


def test_a_commit_that_goes_back_is_caught(sound: SoundRound) -> None:
    sound.observations.append(sound.observations[0])
    assert sound.laws() == {"commit"}


# -- channels


@pytest.mark.parametrize(
    ("what", "law"),
    [
        ("above_limit", "rate limit"),
        ("accepted_older", "monotone at the channel"),
        ("unsigned", "only what was planned"),
        ("malformed", "only what was planned"),
    ],
)
def test_what_a_channel_should_not_have_seen_is_caught(sound: SoundRound, what: str, law: str) -> None:
    sound.ledger[what] = 1
    assert sound.laws() == {law}


def test_an_older_value_after_a_newer_one_is_caught(sound: SoundRound) -> None:
    first, *_, last = [update for update in sound.accepted if update.listing == "SKU-0"]
    assert first.publish_seq < last.publish_seq
    sound.accepted += [first, last]
    assert sound.laws() == {"monotone at the channel"}


def test_an_update_of_no_log_is_caught(sound: SoundRound) -> None:
    sound.accepted.insert(0, AcceptedUpdate("SKU-0", 1, 17))
    assert sound.laws() == {"only what was planned"}


# -- endings


@pytest.mark.parametrize(
    ("code", "cause", "explained"),
    [
        (0, "", True),
        (3, "", True),
        (74, "", True),
        (75, "zombie", True),
        (-9, "kill", True),
        (-9, "", False),
        (-11, "kill", False),
        (1, "", False),
        (2, "", False),
        (70, "", False),
        (76, "", False),
        (77, "", False),
    ],
)
def test_a_program_ends_with_a_code_that_explains_it(
    sound: SoundRound, tmp_path: Path, code: int, cause: str, explained: bool
) -> None:
    log = tmp_path / "worker.log"
    log.write_text("all is well\n")
    sound.exits.append(ProgramExit("worker", code, cause, log))
    assert sound.laws() == (set() if explained else {"exit code"})


def test_a_traceback_is_caught_and_quoted(sound: SoundRound, tmp_path: Path) -> None:
    lines = [
        "INFO",
        "Traceback (most recent call last):",
        '  File "x.py", line 1',
        "    boom()",
        "ValueError: boom",
        "",
    ]
    (tmp_path / "worker.log").write_text("\n".join(lines))
    [violation] = sound.judged().violations
    assert (violation.law, violation.where, violation.detail) == ("no traceback", "worker.log", "ValueError: boom")


def test_what_a_worker_says_after_it_gave_up_is_no_traceback(sound: SoundRound, tmp_path: Path) -> None:
    lines = ["worker ends: fenced: paused", "Traceback (most recent call last):", "ValueError: boom"]
    (tmp_path / "worker.log").write_text("\n".join(lines))
    assert sound.laws() == set()


@pytest.mark.parametrize("outage", [True, False])
def test_a_stop_that_had_to_be_cut_short_needs_an_outage(sound: SoundRound, tmp_path: Path, outage: bool) -> None:
    sound.outage = outage
    (tmp_path / "worker.log").write_text("CRITICAL stopping took longer than 15.0 s; ending now")
    assert sound.laws() == (set() if outage else {"exit code"})
