"""``atstream demo`` from curtain to curtain."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from streams.demo.cast import Cast
from streams.demo.catalogue import catalogue
from streams.demo.children import Children, signals_end_the_demo
from streams.demo.learning import ListingsKnown
from streams.demo.observation import Observation
from streams.demo.play import Play, all_running
from streams.demo.proof import (
    Compared,
    dead_letters_against_truth,
    limits_kept,
    shown_against_accepted,
    stock_against_truth,
    taken_in_order,
)
from streams.demo.report import FRESHNESS, Outcome, print_report
from streams.demo.shopfronts import shopfronts
from streams.demo.show import Show, choose
from streams.demo.stage import Stage, furnish, publish, stage
from streams.demo.story import Plan, Story, size, tell
from streams.demo.transactions import read_sales
from streams.operations.verify import verify
from streams.settings import load_settings

AROUND_THE_FEED_S = 30.0
"""Starting the stack, settling and the proof take about this long on a small machine."""
SHORTEST_FEED_S = 8.0
KILL_AT = 0.4
"""Part of the story after which a worker is killed."""
REPLACE_AFTER_S = 3.0
SETTLED_FOR_S = 2.0
READY_WITHIN_S, SETTLED_WITHIN_S = 60.0, 120.0


class Options(NamedTuple):
    """What the command line says. ``seconds`` is about how long everything takes."""

    events: int
    seconds: float
    seed: int
    keep: bool
    plain: bool


def run(options: Options, console: Console) -> bool:
    """Play, report and prove; whether it was proven.

    Raises ``DemoDataMissing``, ``ShopsMissing``, ``LocalStackError`` and what else keeps a demo from its end.
    Whatever happens, everything that was started is stopped; only a demo that got to its end is kept if the
    options say so. The logs of one that failed stay.
    """
    directory = Path(tempfile.mkdtemp(prefix="atstream-demo-"))
    try:
        with signals_end_the_demo():
            outcome = _play(options, directory, choose(console, options.plain))
    except (KeyboardInterrupt, SystemExit):
        shutil.rmtree(directory, ignore_errors=True)
        raise
    except Exception:
        console.print(f"logs are kept in {directory}", markup=False, highlight=False)
        raise
    print_report(console, outcome)
    if not options.keep:
        shutil.rmtree(directory, ignore_errors=True)
    return outcome.passed


def _play(options: Options, directory: Path, show: Show) -> Outcome:
    started = time.monotonic()
    feed_s = max(SHORTEST_FEED_S, options.seconds - AROUND_THE_FEED_S)
    jars = load_settings().home / "kafka"
    fronts = shopfronts()
    with ThreadPoolExecutor(1) as pool, show:
        writing = pool.submit(_write, options, feed_s)
        with stage(directory, jars, options.keep, show.say) as set_stage:
            furnish(set_stage.settings, set_stage.registry)
            story = writing.result()
            sold = catalogue(story.names)
            publish(set_stage.settings, set_stage.registry, (one.record(_now()) for one in sold))
            children = Children(directory, set_stage.environment)
            play = Play(set_stage, story, sold, children, Cast(children, fronts), feed_s, show, started)
            with _stopped_in_the_end(play, children, options.keep):
                outcome = _perform(play, set_stage, story, feed_s)
                return replace(outcome, notes=_left_running(play, set_stage)) if options.keep else outcome


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _write(options: Options, feed_s: float) -> Story:
    lines, skus = size(options.events)
    return tell(read_sales(lines, skus), Plan(time.time_ns() // 1_000, feed_s, options.seed))


@contextmanager
def _stopped_in_the_end(play: Play, children: Children, keep: bool) -> Iterator[None]:
    try:
        yield
    except BaseException:
        children.stop()
        raise
    finally:
        play.feed.stop()
        play.observer.stop()
    if not keep:
        children.stop()


def _perform(play: Play, set_stage: Stage, story: Story, feed_s: float) -> Outcome:
    cast, feed = play.cast, play.feed
    play.observer.start()
    cast.start_shops()
    cast.start_worker()
    cast.start_worker()
    play.until(lambda _: cast.shops_listen, "starting", READY_WITHIN_S)
    cast.start_sinks()
    play.until(all_running(2), "workers join", READY_WITHIN_S)
    with closing(ListingsKnown(set_stage.settings)) as known:
        play.until(lambda _: known(), "listings are learned", READY_WITHIN_S)

    feed.start()
    began = time.monotonic()
    patience_s = 3 * feed_s + READY_WITHIN_S
    play.until(_fed(KILL_AT * feed.total), "two workers share the load", patience_s)
    play.crash()
    play.until(_passed(REPLACE_AFTER_S), "a worker was killed", patience_s)
    replacement = cast.start_worker()
    play.note(f"{replacement.child.name} replaces it")
    play.until(lambda _: feed.done, "a replacement takes over", patience_s)
    fed_in_s = time.monotonic() - began

    play.until(play.settled(SETTLED_FOR_S), "channels catch up", SETTLED_WITHIN_S)
    play.until(lambda _: True, "recomputing everything", SETTLED_WITHIN_S)
    verified = verify(set_stage.settings)
    last = play.observe("proven" if verified.proven else "NOT proven")
    play.show_last(last)
    freshness = play.observer.picture.freshness_overall_ms(FRESHNESS)
    recovery = (play.caught_up_s, play.longest_behind_s)
    return Outcome(last, story.truth, fed_in_s, freshness, *recovery, verified, _proofs(play, story, last))


def _proofs(play: Play, story: Story, last: Observation) -> tuple[Compared, ...]:
    picture, shops = play.observer.picture, play.cast.shop_states()
    planned = {name: channel.planned_for for name, channel in picture.channels.items()}
    return (
        stock_against_truth(picture.locations, story.truth),
        dead_letters_against_truth(last.dead, story.truth),
        shown_against_accepted(shops, picture.quantities()),
        taken_in_order(shops, planned),
        limits_kept(shops),
    )


def _fed(count: float) -> Callable[[Observation], bool]:
    return lambda seen: seen.fed >= count


def _passed(seconds: float) -> Callable[[Observation], bool]:
    until = time.monotonic() + seconds
    return lambda _: time.monotonic() >= until


def _left_running(play: Play, set_stage: Stage) -> tuple[str, ...]:
    """How to reach what was kept, and how to end it."""
    exports = " ".join(f"{name}={value}" for name, value in sorted(set_stage.environment.items()))
    pids = " ".join(str(pid) for pid in play.running_pids())
    return (
        "Everything still runs. To use it from this shell, and to end it:",
        f"  export {exports}",
        f"  atstream explain {next(iter(play.observer.picture.wanted))}",
        f"  kill {pids}; atstream down",
    )
