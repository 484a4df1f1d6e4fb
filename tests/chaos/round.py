"""One round: set up, make traffic and trouble, let it come to rest, and gather the evidence."""

from __future__ import annotations

import datetime
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from streams.worker.codecs import registry_of
from streams.worker.state import now_us
from tests.chaos.assortment import EVENTS_PER_STATEMENT, Assortment, among
from tests.chaos.backstage import Backstage
from tests.chaos.clocks import SteppedClock
from tests.chaos.crew import Crew, Member
from tests.chaos.disk import SmallDisk
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.faults import Mischief
from tests.chaos.mixture import Mixture, Planned
from tests.chaos.plan import CRASHES, OUTAGES, Fault, Plan
from tests.chaos.policies import policies_of
from tests.chaos.proxy import Proxy
from tests.chaos.recorder import Recorder
from tests.chaos.retail import SHORT_RESERVATION_S, Retail
from tests.chaos.shops import Shop
from tests.chaos.stage import LOOPBACK, Stage
from tests.chaos.watched import GROUP, sink_watch, workers_watch, workers_writing
from tests.chaos.writers import Writers
from tests.integration.sinks.rig import SECRET

SINK_RATE_PER_S, SINK_BURST = 40.0, 10
NEWEST_EVENTS = 40
LARGE_IN_BACKLOG = 0.05
"""The usual share of large records would end every epoch of a backlog by its bytes."""
AT_WORK, WARM_S = "handling partitions", 120.0
CATCH_UP_S = 90.0
"""Longer than this after the last fault and the end of traffic, a round counts as never having caught up."""
REST_S = 2.5
"""Nothing new for so long: longer than any debounce or heartbeat of the policies (see ``policies``)."""


class Recovery(NamedTuple):
    """From one crash to having caught up, in seconds. ``alone``: no other fault struck in between.

    A worker's crash counts from the signal, a broker's from when it answered again.
    """

    fault: Fault
    seconds: float
    alone: bool


class Outcome(NamedTuple):
    """What a round came to. ``violations`` are those that the harness saw itself."""

    evidence: Evidence
    recoveries: tuple[Recovery, ...]
    rest_s: float
    """From the last fault or record, whichever was later, to caught up."""
    faults: tuple[Fault, ...]
    skipped: tuple[Fault, ...]
    violations: tuple[Violation, ...]
    phases: dict[str, float]
    """Seconds that each part of the round took."""
    rows_written: tuple[int, ...] = ()
    """Rows of an uncommitted epoch that were written when a worker was killed in the middle of it."""


class Round:
    """A plan being carried out in a directory of its own. ``close`` ends everything, whatever state it is in."""

    def __init__(self, plan: Plan, directory: Path, jar_cache: Path) -> None:
        self.plan = plan
        self.directory = directory
        self._logs = directory / "logs"
        self._logs.mkdir(parents=True)
        self._cleanup = ExitStack()
        self.stage = Stage(directory, jar_cache, plan.partitions, plan.channels)
        self._cleanup.callback(self.stage.close)
        self._policies = policies_of(plan.seed, plan.channels)
        self._disk = self._entered(SmallDisk(directory))
        self._clocks: dict[str, SteppedClock] = {}
        self._hired = itertools.count()
        self._preparing: threading.Thread | None = None
        self._unprepared: Exception | None = None
        self._phases: dict[str, float] = {}
        self._rested: Mapping[tuple[str, int], int] = {}
        self._phase_began = time.monotonic()

    def prepare(self) -> None:
        """Begin to start the cluster and to deploy; returns at once, ``open`` waits for it."""
        self._preparing = threading.Thread(target=self._prepare, name=f"chaos-prepare-{self.plan.seed}")
        self._preparing.start()

    def _prepare(self) -> None:
        try:
            self.stage.open(self._policies.pop(0))
        except Exception as error:  # noqa: BLE001 - raised again by ``open``
            self._unprepared = error

    def open(self) -> None:
        """Cluster, deployment, channels, programs."""
        plan, stage = self.plan, self.stage
        self._phase_began = time.monotonic()
        if self._preparing is None:
            self._prepare()
        else:
            self._preparing.join()
        if self._unprepared is not None:
            raise self._unprepared
        self._backstage = self._entered(Backstage())
        self._proxy = Proxy(stage.door)
        self._backstage.run(self._proxy.open(stage.workers_port))
        self._cleanup.callback(lambda: self._backstage.run(self._proxy.close()))
        self._shops = {name: Shop(name, SINK_RATE_PER_S, SINK_BURST, plan.sinks) for name in plan.channels}
        for shop in self._shops.values():
            self._backstage.run(shop.open())
            self._cleanup.callback(lambda shop=shop: self._backstage.run(shop.close()))
        settings = stage.settings
        self._recorder = Recorder(settings.kafka.bootstrap_servers)
        self._writers = Writers(registry_of(settings), plan.seed)
        self._watch = self._entered(workers_watch(stage.kafka.bootstrap, plan))
        watches = (sink_watch(stage.kafka.bootstrap, plan, name) for name in plan.channels)
        self._sink_watches = [self._entered(each) for each in watches]
        self._crew = self._entered(Crew(self._environment(), self._logs, self._sink_started))
        self._planned = self._records()
        if plan.backlog:
            self._produce(plan.backlog)
            self._recorder.flush()
        for _ in range(plan.workers):
            self._hire()
        for channel in plan.channels:
            for number in range(plan.sinks):
                self._crew.join(f"sink-{channel}-{number}", ["sink", channel], self._sink_environment(channel))
                self._shops[channel].sink_started()
        if plan.warm:
            self._all_at_work()

    def play(self, on_caught_up: Callable[[], None] = lambda: None) -> Outcome:
        """Traffic and faults, rest, the orderly end of all programs; then the evidence.

        ``on_caught_up`` is called once nothing is measured any more.
        """
        self._phase("set-up")
        mischief, deeds = self._mischief(), []
        began = self._watch.seconds
        traffic = threading.Thread(target=self._traffic, name="chaos-traffic")
        traffic.start()
        for deed in self.plan.deeds:
            time.sleep(max(0.0, began + deed.at_s - self._watch.seconds))
            deeds.append(threading.Thread(target=mischief.perform, args=(deed,), name=f"chaos-{deed.fault.value}"))
            deeds[-1].start()
        for thread in (*deeds, traffic):
            thread.join()
        if mischief.failure is not None:
            raise mischief.failure
        self._recorder.flush()
        quiet = self._watch.seconds
        self._phase("traffic")
        violations = self._come_to_rest(on_caught_up)
        caught_up = self._watch.caught_up_at(quiet)
        self._phase("rest")
        violations += self._end()
        self._phase("end")
        last = max([over for _, _, over in mischief.done], default=quiet)
        return Outcome(
            evidence=self._evidence(),
            recoveries=tuple(self._recoveries(mischief)),
            rest_s=-1.0 if caught_up is None else caught_up - min(last, quiet),
            faults=tuple(fault for fault, _, _ in mischief.done),
            skipped=tuple(mischief.skipped),
            violations=tuple(violations),
            phases=dict(self._phases),
            rows_written=tuple(mischief.rows_written),
        )

    def close(self) -> None:
        """End everything that still runs."""
        if self._preparing is not None:
            self._preparing.join()
        self._cleanup.close()

    # -- parts

    def _phase(self, name: str) -> None:
        """A part of the round is over."""
        now = time.monotonic()
        self._phases[name], self._phase_began = round(now - self._phase_began, 1), now

    def _entered(self, part: Any) -> Any:
        self._cleanup.callback(part.close)
        return part

    def _all_at_work(self) -> None:
        deadline = time.monotonic() + WARM_S
        for member in self._crew.members("worker"):
            while AT_WORK not in member.program.log.read_text(errors="replace"):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{member.name} handles no partition after {WARM_S:g} s")
                time.sleep(0.1)

    def _hire(self) -> Member:
        name = f"worker-{next(self._hired)}"
        clock = self._clocks[name] = SteppedClock(self.directory / f"{name}.clock")
        store = {"ATSTREAM_WORKER__STORE_PATH": str(self._disk.path / name)}
        return self._crew.join(name, ["worker"], clock.environment() | store)

    def _sink_started(self, member: Member) -> None:
        if member.name.startswith("sink-"):
            self._shops[member.name.split("-")[1]].sink_started()

    def _environment(self) -> dict[str, str]:
        return {
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": f"{LOOPBACK}:{self.stage.workers_port}",
            "ATSTREAM_REGISTRY__URL": self.stage.registry.url,
            "ATSTREAM_WORKER__GROUP": GROUP,
            "ATSTREAM_WORKER__SESSION_TIMEOUT_S": str(self.plan.session_s),
            "ATSTREAM_WORKER__STORE": self.plan.store,
            "ATSTREAM_TOPICS__PARTITIONS": str(self.plan.partitions),
            "ATSTREAM_LOG_LEVEL": "INFO",
            "ATSTREAM_HOME": str(self.directory / "home"),
        }

    def _sink_environment(self, channel: str) -> dict[str, str]:
        return {
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": self.stage.kafka.bootstrap,
            "ATSTREAM_SINK__KIND": "webhook",
            "ATSTREAM_SINK__URL": self._shops[channel].url,
            "ATSTREAM_SINK__SECRETS": SECRET,
            "ATSTREAM_SINK__RATE_PER_S": str(SINK_RATE_PER_S),
            "ATSTREAM_SINK__BURST": str(SINK_BURST),
            "ATSTREAM_SINK__SESSION_TIMEOUT_S": str(self.plan.session_s),
        }

    # -- traffic

    def _traffic(self) -> None:
        began = time.monotonic()
        self._produce(self.plan.burst)
        sent = 0
        while (elapsed := time.monotonic() - began) < self.plan.traffic_s:
            due = int(elapsed * self.plan.events_per_s)
            self._produce(due - sent)
            sent = due
            time.sleep(0.02)

    def _produce(self, count: int) -> None:
        for record in itertools.islice(self._planned, count):
            self._recorder.produce(record)

    def _records(self) -> Iterator[Planned]:
        start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)
        large = LARGE_IN_BACKLOG if self.plan.backlog else 1.0
        retail = Retail(self.plan.seed, self.plan.skus, start, large=large)
        mixture = Mixture(self.plan.seed, self.plan.partitions, self._writers, large=large)
        events = mixture.records(retail.lines(1_000_000))
        if not self.plan.listings:
            return events
        assortment = Assortment(self.plan.seed, self.plan.listings, self.plan.skus, self._writers, now_us)
        return among(events, assortment.records(), EVENTS_PER_STATEMENT)

    def _speak_newest(self) -> None:
        start = datetime.datetime.now(datetime.UTC)
        retail = Retail(-self.plan.seed - 1, self.plan.skus, start, run="newest")
        mixture = Mixture(self.plan.seed, self.plan.partitions, self._writers, newest=True)
        for record in mixture.records(retail.lines(NEWEST_EVENTS)):
            self._recorder.produce(record)

    def _mischief(self) -> Mischief:
        return Mischief(
            self.stage,
            self._crew,
            self._backstage,
            self._proxy,
            self._clocks,
            self._disk,
            self._hire,
            self._policies,
            self._speak_newest,
            workers_writing(self.stage.kafka.bootstrap, self.plan),
            lambda: self._watch.seconds,
        )

    # -- the end

    def _come_to_rest(self, on_caught_up: Callable[[], None]) -> list[Violation]:
        """Wait until everything is handled and told, and nothing new has come for a while."""
        began = time.monotonic()
        watches = (self._watch, *self._sink_watches)
        still_since, ends, lags, caught_up = began, None, [], False
        while time.monotonic() - began < CATCH_UP_S:
            looks = [len(watch.observations) for watch in watches]
            while any(len(watch.observations) == look for watch, look in zip(watches, looks, strict=True)):
                if time.monotonic() - began > CATCH_UP_S:
                    break
                time.sleep(0.05)
            lags = [watch.lag() for watch in watches]
            if not (caught_up or any(lags)):
                caught_up = True
                on_caught_up()
            now = self._watch.observations[-1].ends
            if now != ends or any(lag != 0 for lag in lags):
                still_since, ends = time.monotonic(), now
            elif time.monotonic() - max(still_since, began + SHORT_RESERVATION_S[1]) >= REST_S:
                self._rested = now
                return []
        seen = f"lags {lags}, last looks {[watch.trouble or 'succeeded' for watch in watches]}"
        return [Violation("liveness", seen, f"not at rest {CATCH_UP_S:g} s after faults and traffic")]

    def _end(self) -> list[Violation]:
        """Sinks stop last, and only when they have nothing left to tell: see ``Evidence.rested``."""
        late = [] if self._crew.dismiss("worker") else ["worker"]
        deadline = time.monotonic() + CATCH_UP_S
        looks = [len(watch.observations) for watch in self._sink_watches]
        for watch, look in zip(self._sink_watches, looks, strict=True):
            while (len(watch.observations) == look or watch.lag()) and time.monotonic() < deadline:
                time.sleep(0.05)
        late += [] if self._crew.dismiss("sink") else ["sink"]
        return [Violation("orderly end", kind, "did not stop when told to") for kind in late]

    def _recoveries(self, mischief: Mischief) -> Iterator[Recovery]:
        strikes = sorted(struck for _, struck, _ in mischief.done)
        for fault, struck, over in mischief.done:
            if fault not in CRASHES:
                continue
            began = over if fault is Fault.BROKER_KILL else struck
            caught_up = self._watch.caught_up_at(began)
            if caught_up is not None:
                alone = not any(struck < other < caught_up for other in strikes)
                yield Recovery(fault, round(caught_up - began, 2), alone)

    def _evidence(self) -> Evidence:
        return Evidence(
            seed=self.plan.seed,
            bootstrap=self.stage.kafka.bootstrap,
            registry_url=self.stage.registry.url,
            group=GROUP,
            partitions=self.plan.partitions,
            channels=tuple(shop.evidence() for shop in self._shops.values()),
            policy=self.stage.policies[-1],
            policies=tuple(self.stage.policies),
            produced=self._recorder.produced(),
            commits=tuple(self._watch.observations),
            exits=tuple(self._crew.exits),
            logs=self._logs,
            outage=any(deed.fault in OUTAGES for deed in self.plan.deeds),
            rested=self._rested,
        )
