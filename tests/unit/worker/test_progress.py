from __future__ import annotations

import socket

import pytest
from faust.types import TP

from streams.admin import open_socket
from streams.data_plane.app import PlaneApp
from streams.data_plane.failures import Misconfigured, Unavailable
from streams.operations.waiting import Waiting
from streams.settings import load_settings
from streams.worker.app import WorkerPorts, create_app
from streams.worker.progress import WorkerProgress
from tests.worlds import World

ORDERS, STOCK = TP("order-released", 0), TP("stock-adjusted", 0)
STALL_S = 120.0


async def _load(missing: object) -> None:
    raise AssertionError("no schema is loaded here")


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def app() -> PlaneApp:
    app = create_app(load_settings(), WorkerPorts(World().state, _load, partitions=4))
    app.plane.ledger.start({ORDERS: 5, STOCK: 7})
    return app


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def progress(app: PlaneApp, clock: Clock) -> WorkerProgress:
    return WorkerProgress(app, clock)


def look(app: PlaneApp, progress: WorkerProgress, orders: int, stock: int) -> None:
    positions = app.plane.ledger.positions()
    ends = {ORDERS: Waiting(5 + orders, orders, orders * 2.0), STOCK: Waiting(7 + stock, stock, stock * 2.0)}
    progress.take(positions, ends)


def test_a_worker_that_is_caught_up_is_well_however_long_nothing_comes(
    app: PlaneApp, progress: WorkerProgress, clock: Clock
) -> None:
    look(app, progress, 0, 0)
    clock.now += 10 * STALL_S
    look(app, progress, 0, 0)
    assert progress.ailment() is None
    assert progress.stuck_s() == 0


def test_a_worker_that_does_not_move_is_ill_after_the_stall_time(
    app: PlaneApp, progress: WorkerProgress, clock: Clock
) -> None:
    look(app, progress, 3, 0)
    clock.now += STALL_S - 1
    look(app, progress, 9, 0)
    assert progress.ailment() is None
    clock.now += 1
    look(app, progress, 9, 0)
    assert "has not moved for 120 s" in (progress.ailment() or "")


def test_a_worker_that_moves_is_well_however_much_waits(
    app: PlaneApp, progress: WorkerProgress, clock: Clock
) -> None:
    for _ in range(5):
        look(app, progress, 1_000, 0)
        clock.now += STALL_S - 1
        app.plane.ledger.committed({ORDERS: int(clock.now)})
    assert progress.ailment() is None


def test_nothing_is_judged_while_nothing_is_learnt(app: PlaneApp, progress: WorkerProgress, clock: Clock) -> None:
    look(app, progress, 3, 0)
    clock.now += 100 * STALL_S
    assert progress.ailment() is None


def test_partitions_that_went_to_others_are_no_lag_of_ours(app: PlaneApp, progress: WorkerProgress) -> None:
    look(app, progress, 3, 4)
    assert {tp: found.records for tp, found in progress.lag().items()} == {ORDERS: 3, STOCK: 4}
    app.plane.ledger.start({STOCK: 7})
    assert set(progress.lag()) == {STOCK}


def test_a_failure_is_an_ailment_and_no_readiness(app: PlaneApp, progress: WorkerProgress) -> None:
    app.plane.failure = Unavailable("the broker is gone")
    assert "the broker is gone" in (progress.ailment() or "")
    assert "the broker is gone" in (progress.unreadiness() or "")


def test_a_worker_is_ready_once_partitions_are_assigned_and_recovered(
    app: PlaneApp, progress: WorkerProgress
) -> None:
    stats = app.plane.stats
    assert progress.unreadiness() == "partitions are being assigned"
    stats.rebalances, stats.recovering, stats.recovery_remaining = 1, True, 12
    assert progress.unreadiness() == "recovering: 12 changelog rows to go"
    stats.recovering = False
    assert progress.unreadiness() is None
    app.rebalancing = True
    assert progress.unreadiness() == "partitions are being assigned"


def test_a_port_that_is_taken_is_a_mistake_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=rf"127\.0\.0\.1:{port} .*worker\.admin_port"):
            open_socket("127.0.0.1", port, "worker.admin_port")


def test_workers_that_take_any_port_do_not_meet() -> None:
    with open_socket("127.0.0.1", 0, "x") as first, open_socket("127.0.0.1", 0, "x") as second:
        assert first.getsockname()[1] != second.getsockname()[1]
