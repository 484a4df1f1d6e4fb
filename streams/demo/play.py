"""The demo while it runs: feed, observer and cast together, shown a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from schemas.codec import Decoder, SchemaNotLoaded
from schemas.fields import fields_of
from schemas.rejections import Rejection
from schemas.topics import event_topics
from streams.demo.cast import Cast
from streams.demo.catalogue import Sold, of_channel
from streams.demo.children import Children
from streams.demo.feed import Feed
from streams.demo.meter import Meter
from streams.demo.observation import RUNNING, Observation
from streams.demo.observer import Observer, Progress
from streams.demo.picture import RATE_S, ChannelPicture, Picture, counts
from streams.demo.rules import demo_policy, in_words
from streams.demo.show import Show
from streams.demo.stage import PARTITIONS, Stage
from streams.demo.story import Story
from streams.worker.codecs import OutputEncoders, registered_ids

REFRESH_S = 0.2
CAUGHT_UP_S = 1.0
"""Workers have caught up when the oldest record that waits is no older than this."""
MOST_NOTES = 4


class TooLate(RuntimeError):
    """Something did not come about in time; the message says what, and how far it got."""


class Play:
    """Feeds, watches and shows. ``caught_up_s``: from the crash until the other workers had caught up.

    ``started`` is when the demo began, in monotonic seconds.
    """

    def __init__(
        self,
        stage: Stage,
        story: Story,
        sold: Sequence[Sold],
        children: Children,
        cast: Cast,
        feed_s: float,
        show: Show,
        started: float,
    ) -> None:
        self.cast = cast
        self.caught_up_s: float | None = None
        self.longest_behind_s = 0.0
        self._children = children
        self._show = show
        self._started = started
        self._notes: list[str] = []
        self._crashed_at: float | None = None
        self._fell_behind = False
        self._fed_meter = Meter(RATE_S)
        topics = event_topics()
        encode = OutputEncoders(registered_ids(stage.registry, topics))
        bootstrap = stage.settings.kafka.bootstrap_servers
        self.feed = Feed(
            story.deliveries,
            lambda event: encode(event.topic, fields_of(event)),
            bootstrap,
            PARTITIONS,
            len(story.deliveries) / feed_s,
        )
        self.observer = Observer(
            bootstrap,
            stage.settings.worker.group,
            [topic.name for topic in topics],
            PARTITIONS,
            Picture(_channels(cast, sold), story.names),
            _reader(stage),
            self.feed.fed_at,
            self.feed.partitions_fed,
        )

    def note(self, message: str) -> None:
        """Something happened that the screen should say."""
        self._notes = [*self._notes, message][-MOST_NOTES:]

    def running_pids(self) -> list[int]:
        """The pids of the programs that run."""
        return self._children.running_pids()

    def crash(self) -> None:
        """Kill the first worker, as kill -9 would."""
        victim = self.cast.workers[0]
        victim.kill()
        self._crashed_at = time.monotonic()
        self.note(f"kill -9 {victim.child.pid}: {victim.child.name} is gone")

    def until(self, reached: Callable[[Observation], bool], phase: str, within_s: float) -> Observation:
        """Show what happens until it is ``reached``.

        Raises ``TooLate``, or why it can never be: ``ChildFailed``, ``FeedFailed``, ``ObserverFailed``.
        """
        deadline = time.monotonic() + within_s
        while True:
            self._children.require_running()
            seen = self.observe(phase)
            self._show.update(seen)
            if reached(seen):
                return seen
            if time.monotonic() > deadline:
                raise TooLate(f"{phase}: not reached in {within_s:.0f} s; {_how_far(seen)}")
            time.sleep(REFRESH_S)

    def show_last(self, seen: Observation) -> None:
        """Show it; it stays."""
        self._show.update(seen)

    def settled(self, for_s: float) -> Callable[[Observation], bool]:
        """A condition: everything fed, applied and accepted, and it stayed so for ``for_s`` seconds."""
        since: float | None = None

        def reached(seen: Observation) -> bool:
            nonlocal since
            if not (self.feed.done and seen.settled):
                since = None
                return False
            since = since or time.monotonic()
            return time.monotonic() - since >= for_s

        return reached

    def observe(self, phase: str) -> Observation:
        """One look at everything."""
        now = time.time()
        self._fed_meter.add(now, self.feed.fed)
        seen: Observation = self.observer.look(lambda picture, progress: self._look(phase, now, picture, progress))
        self._watch_recovery(seen)
        return seen

    def _look(self, phase: str, now: float, picture: Picture, progress: Progress) -> Observation:
        fresh = picture.freshness_ms(now)
        return Observation(
            phase=phase,
            elapsed_s=time.monotonic() - self._started,
            fed=self.feed.fed,
            to_feed=self.feed.total,
            fed_per_s=self._fed_meter.rate,
            applied=progress.applied,
            applied_per_s=progress.rate,
            applied_history=tuple(progress.per_second),
            lag=progress.lag,
            acks_lag=progress.acks_lag,
            behind_s=0.0 if progress.behind_since is None else max(0.0, now - progress.behind_since),
            fresh_p50_ms=fresh[0] if fresh else None,
            fresh_p95_ms=fresh[1] if fresh else None,
            skus=picture.skus,
            versions=picture.versions,
            workers=self.cast.seen(),
            channels=picture.channels_seen(now),
            movers=picture.movers(now),
            findings=counts(picture.findings),
            dead_letters=counts(picture.dead_letters),
            notes=tuple(self._notes),
        )

    def _watch_recovery(self, seen: Observation) -> None:
        self.longest_behind_s = max(self.longest_behind_s, seen.behind_s)
        if self._crashed_at is None or self.caught_up_s is not None:
            return
        since_s = time.monotonic() - self._crashed_at
        if since_s < 2 * CAUGHT_UP_S:
            return  # what the dead worker had is not late yet
        if seen.behind_s > CAUGHT_UP_S:
            self._fell_behind = True
        elif self._fell_behind:
            self.caught_up_s = since_s
            self.note(f"caught up {self.caught_up_s:.1f} s after the crash")


def all_running(workers: int) -> Callable[[Observation], bool]:
    """A condition: so many workers run and have partitions."""
    return lambda seen: sum(worker.state == RUNNING for worker in seen.workers) >= workers


def _channels(cast: Cast, sold: Sequence[Sold]) -> Mapping[str, ChannelPicture]:
    kinds = {front.channel: front.kind for front in cast.shopfronts}
    return {
        name: ChannelPicture(
            name, in_words(rules), float(rules.publish.rate_per_s), kinds[name], of_channel(sold, name)
        )
        for name, rules in demo_policy().channels.items()
    }


def _reader(stage: Stage) -> Callable[[str, bytes | None], Mapping[str, object] | Rejection]:
    decoder = Decoder(stage.registry)

    def read(topic: str, value: bytes | None) -> Mapping[str, object] | Rejection:
        while True:
            try:
                return decoder.decode_fields(topic, value)
            except SchemaNotLoaded as missing:
                stage.registry.load(missing.ref)

    return read


def _how_far(seen: Observation) -> str:
    behind = ", ".join(f"{each.name} {each.behind} behind, {each.in_flight} in flight" for each in seen.channels)
    workers = ", ".join(f"{worker.name} {worker.state}" for worker in seen.workers)
    return f"fed {seen.fed} of {seen.to_feed}, lag {seen.lag}; {behind}; {workers}"
