from __future__ import annotations

from agents.dead_letters import dead_letter
from schemas.rejections import INVALID_POLICY, Rejection
from streams.worker.partitioning import partition_of_key
from tests.worlds import PARTITIONS, Record, World, balance, release


def test_counters_never_fall_when_partitions_go_and_come_back() -> None:
    world = World()
    world.deliver(balance(10), release(5), release(5))
    home = partition_of_key(b"SKU-1", PARTITIONS)
    world.state.partition(home).intake.receive("order-released", [Record(b"SKU-1", b"no avro")], 0, 1)
    before = world.state.tally()
    world.state.drop(home)
    after = world.state.tally()
    assert (after.events, after.dead_letters, after.findings) == (
        before.events,
        before.dead_letters,
        before.findings,
    )
    world.deliver(release(5))
    assert world.state.tally().events == {
        ("stock-adjusted", "applied"): 1,
        ("order-released", "applied"): 2,
        ("order-released", "duplicate"): 1,
        ("order-released", "rejected"): 1,
    }


def test_only_the_worker_that_writes_a_letter_of_the_policy_counts_it() -> None:
    world = World()
    letter = dead_letter(
        "availability-policy", 0, Record(b"global", b"?"), Rejection(INVALID_POLICY, "", "bad"), "policy", 1
    )
    world.state.write(letter)
    assert world.state.tally().dead_letters == {("availability-policy", "INVALID_POLICY"): 1}
    world.state.drop(0)
    world.state.write(letter)
    assert world.state.tally().dead_letters == {("availability-policy", "INVALID_POLICY"): 1}
