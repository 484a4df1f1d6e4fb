from __future__ import annotations

from streams.data_plane.sensor import PlaneStats
from streams.worker.freshness import Freshness

SECOND = 1_000_000


def test_a_batch_counts_with_the_age_of_its_oldest_record() -> None:
    freshness = Freshness(clock=lambda: 100.0)
    freshness.batch_applied(oldest_ms=97_000, records=10)
    assert (freshness.applied.sum, sum(freshness.applied.counts)) == (30.0, 10)


def test_a_record_from_the_future_is_fresh_and_one_without_time_is_not_counted() -> None:
    freshness = Freshness(clock=lambda: 100.0)
    freshness.batch_applied(oldest_ms=200_000, records=1)
    freshness.batch_applied(oldest_ms=0, records=5)
    freshness.batch_applied(oldest_ms=-1, records=5)
    assert (freshness.applied.sum, sum(freshness.applied.counts)) == (0.0, 1)


def test_what_an_epoch_took_is_acknowledged_when_the_epoch_was_written() -> None:
    stats, freshness = PlaneStats(), Freshness(clock=lambda: 100.0)
    stats.epoch_done(5, collect_s=70.0, write_s=10.0, commit_s=1.0)  # an earlier epoch does not count
    freshness.follow(stats)
    freshness.batch_applied(oldest_ms=98_000, records=4)
    freshness.collected(101 * SECOND)
    freshness.settle()
    assert sum(freshness.acknowledged.counts) == 0  # still being written
    freshness.batch_applied(oldest_ms=99_000, records=1)
    stats.epoch_done(5, collect_s=0.5, write_s=1.5, commit_s=9.0)
    freshness.settle()
    freshness.settle()
    assert (freshness.acknowledged.sum, sum(freshness.acknowledged.counts)) == (4 * 5.0, 4)
    freshness.collected(110 * SECOND)
    stats.epoch_done(1, collect_s=0.0, write_s=1.0, commit_s=0.0)
    freshness.settle()
    assert (freshness.acknowledged.sum, sum(freshness.acknowledged.counts)) == (20.0 + 12.0, 5)


def test_an_epoch_that_wrote_nothing_leaves_its_records_to_the_next() -> None:
    stats, freshness = PlaneStats(), Freshness(clock=lambda: 100.0)
    freshness.follow(stats)
    freshness.batch_applied(oldest_ms=98_000, records=1)
    freshness.collected(101 * SECOND)
    freshness.collected(102 * SECOND)
    stats.epoch_done(1, collect_s=0.0, write_s=1.0, commit_s=0.0)
    freshness.settle()
    assert (freshness.acknowledged.sum, sum(freshness.acknowledged.counts)) == (5.0, 1)
