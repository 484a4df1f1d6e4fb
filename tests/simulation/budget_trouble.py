"""What goes wrong around a shared budget: stores that are lost, slow or replaced, members killed and cut off."""

from __future__ import annotations

from random import Random

from domain.facts import SECOND, Micros
from domain.limits import CallBudget
from domain.limits_member import Terms
from tests.simulation.budget_world import BEGIN, World

TERMS = Terms(forget_after=10 * SECOND)
LASTS: Micros = 20 * SECOND
EVERYTHING = ("down", "empty", "slow", "killed", "left", "both", "answers")
WITH_A_REPLICA = ("stale", "stale", "slow", "killed", "left", "both")


def troubled(
    seed: int,
    budget: CallBudget,
    kinds: tuple[str, ...],
    lasts: Micros = LASTS,
    terms: Terms = TERMS,
    *,
    lease: int = 1,
) -> World:
    """A world in which things of these kinds go wrong, several times and at the same time."""
    random = Random(seed)
    world = World(seed, budget, terms, random.randrange(1, 6), lasts, lease=lease)
    for _ in range(random.randrange(1, 5)):
        since = BEGIN + random.randrange(2 * SECOND, lasts)
        until = since + random.choice([SECOND // 10, SECOND, 5 * SECOND, 15 * SECOND])
        trouble(world, random, random.choice(kinds), since, until)
    return world


def trouble(world: World, random: Random, kind: str, since: int, until: int) -> None:
    store = world.store
    if kind in ("down", "empty", "stale"):
        offset = random.randrange(-SECOND // 2, SECOND // 2)
        world.at(since - random.randrange(1, SECOND), store.replicate)
        world.at(since, store.go_down)
        world.at(until, lambda: store.come_back(kind, offset))
    elif kind == "slow":
        world.at(since, lambda: setattr(store, "slow", random.randrange(50_000, 400_000)))
        world.at(until, lambda: setattr(store, "slow", 0))
    elif kind in ("killed", "left"):
        name = random.choice([None, "same", "other"])

        def end() -> None:
            site = random.choice(world.sites)
            again = {"same": site.name, "other": f"sink/{world.sequence()}"}.get(name or "")
            if site.alive:
                (world.kill if kind == "killed" else world.leave)(site, again)

        world.at(since, end)
    else:

        def cut() -> None:
            site = random.choice(world.sites)
            site.cut = kind
            world.at(until, lambda: setattr(site, "cut", ""))

        world.at(since, cut)


def began(world: World) -> list[int]:
    return [call.began for call in world.calls]
