"""A small world around shared revisions: sinks that own listings, a store that is lost, and a channel that counts.

Everything follows from the seed. A listing belongs to one sink at a time, as updates are partitioned by listing.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from domain.limits_listing import DAY, DailyRevisions
from domain.limits_sharing import NOTHING, Answers, Question, SharedCounts
from tests.simulation.revisions_store import Store

REVISIONS, KEPT = 12, 4
TODAY = 20_000
LISTINGS = tuple("ABCDE")


@dataclass
class Site:
    """A process: ``SharedRevisions`` without its sockets."""

    name: str
    counts: SharedCounts
    shared: bool = False
    run: int | None = None


@dataclass
class World:
    """``faults``: what may go wrong besides the kills and handings on of listings in ``moves``."""

    seed: int
    faults: tuple[str, ...] = ()
    moves: tuple[str, ...] = ("kill", "hand on")
    sinks: int = 3
    store: Store = field(default_factory=Store)
    up: bool = True
    run: int = 0
    made: dict[str, Counter[str]] = field(default_factory=lambda: {one: Counter() for one in LISTINGS})
    ordinary: Counter[str] = field(default_factory=Counter)
    """Revisions that stop no sale."""
    excess: int = 0
    """The most that a listing was ever revised above its cap."""
    refused: int = 0
    alone: int = 0

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.sites = [self._born(f"{number}") for number in range(self.sinks)]
        self.owners = {listing: self.random.randrange(self.sinks) for listing in LISTINGS}
        self.replica = copy.deepcopy(self.store)
        self._late: list[Callable[[], object]] = []
        self._lives = self.sinks
        for site in self.sites:
            self._tell(site)

    def run_for(self, steps: int) -> None:
        deeds = ["attempt"] * 12 + ["keep told"] * 6 + [*self.moves, *self.faults]
        for _ in range(steps):
            getattr(self, "_" + self.random.choice(deeds).replace(" ", "_"))()
            if self._late and self.random.random() < 0.1:
                self._late.pop(self.random.randrange(len(self._late)))()

    def calm_down(self) -> None:
        """The store answers again, and everybody tells it all they know."""
        self.up, self.faults, self._late = True, (), []
        for _ in range(2):
            for number in range(self.sinks):
                while self._tell(self.sites[number]):
                    pass

    def revised(self, listing: str) -> int:
        return self.made[listing].total()

    def known_to_the_store(self, listing: str) -> Counter[str]:
        return Counter(self.store.days.get(TODAY, {}).get(listing, {}))

    def known_to_anybody(self, listing: str) -> Counter[str]:
        known = self.known_to_the_store(listing)
        for site in self.sites:
            known |= Counter(site.counts.revisions.counts(listing))
        return known

    # -- what sinks do

    def _attempt(self) -> None:
        """A batch: what is reserved is asked of the channel, which sometimes takes nothing."""
        number = self.random.randrange(self.sinks)
        site = self.sites[number]
        mine = [listing for listing, owner in self.owners.items() if owner == number]
        wanted = {
            one: self.random.random() < 0.3 for one in self.random.sample(mine, self.random.randint(0, len(mine)))
        }
        told = NOTHING
        questions = site.counts.questions(wanted)
        if questions and site.shared:
            answers = self._ask(site, questions)
            told = NOTHING if answers is None else answers.told
        allowed = site.counts.reserve(wanted, told)
        self.alone += len(allowed) if not told else 0
        self.refused += len(wanted) - len(allowed)
        if self.random.random() < 0.8:
            for listing in sorted(allowed):
                self._revise(site, listing, wanted[listing])

    def _revise(self, site: Site, listing: str, stop_sell: bool) -> None:
        site.counts.revisions.used(listing)
        self.made[listing][site.name] += 1
        self.ordinary[listing] += not stop_sell
        known = site.counts.revisions.counts(listing)
        unknown = sum(max(0, made - known.get(life, 0)) for life, made in self.made[listing].items())
        above = self.revised(listing) - REVISIONS
        assert above <= unknown, f"seed {self.seed}: {above} above the cap, of which {unknown} could not be known"
        self.excess = max(self.excess, above)

    def _keep_told(self) -> None:
        self._tell(self.random.choice(self.sites))

    def _tell(self, site: Site) -> bool:
        """Connect again, or tell two listings, or look; whether there was anything to do."""
        if not site.shared:
            if not self.up:
                return False
            if site.run not in (None, self.run):
                site.counts.untold.everything()
            site.run = self.run
            site.shared = True
            return self._ask(site, {}) is not None
        telling = site.counts.telling(2)
        questions = {listing: Question(0, 0, known) for listing, known in telling.counts.items()}
        if self._ask(site, questions) is None:
            return True
        site.counts.untold.told(telling)
        return bool(questions) or bool(site.counts.telling(1).counts)

    def _ask(self, site: Site, questions: dict[str, Question]) -> Answers | None:
        """One exchange. It may be lost on the way there, on the way back, or be carried out much later."""
        fate = self.random.choice(["lost", "unanswered", "late"]) if "slow" in self.faults else ""
        fails = fate and self.random.random() < 0.3
        if self.up and site.run == self.run and not (fails and fate == "lost"):
            store, name = self.store, site.name
            if fails and fate == "late":
                self._late.append(lambda: store.ask(name, TODAY, questions))
            else:
                answers = store.ask(name, TODAY, questions)
                if not fails:
                    site.counts.answered(TODAY, answers)
                    return answers
        site.shared = False
        return None

    # -- what goes wrong

    def _slow(self) -> None:
        """Exchanges fail as they come."""

    def _down(self) -> None:
        self.up = not self.up
        for site in self.sites:
            site.shared = site.shared and self.random.random() < 0.5

    def _empty(self) -> None:
        """Restarted without what it held."""
        self.store, self.run, self.up = Store(), self.run + 1, True

    def _flush(self) -> None:
        """Emptied while it runs."""
        self.store.days.clear()
        self.store.epochs.clear()

    def _replicate(self) -> None:
        self.replica = copy.deepcopy(self.store)

    def _stale(self) -> None:
        """A replica takes over that has not seen the last counts."""
        self.store, self.run, self.up = copy.deepcopy(self.replica), self.run + 1, True

    def _kill(self) -> None:
        """SIGKILL, and a new life in its place."""
        number = self.random.randrange(self.sinks)
        self._lives += 1
        self.sites[number] = self._born(f"{self._lives}")
        self._tell(self.sites[number])

    def _hand_on(self) -> None:
        """A rebalance gives a listing to another sink."""
        self.owners[self.random.choice(LISTINGS)] = self.random.randrange(self.sinks)

    def _born(self, name: str) -> Site:
        revisions = DailyRevisions(REVISIONS, KEPT, life=name)
        revisions.turn(TODAY * DAY)
        return Site(name, SharedCounts(revisions))
