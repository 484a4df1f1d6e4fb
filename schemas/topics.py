"""Topics as data: what each is for, how it is keyed, partitioned, kept and evolved.

All topics of a partition group have the same number of partitions. Everything keyed by SKU is in one group,
because the pool, un-sourced demand and the channel split of a SKU are computed in one partition.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

DAY_MS = 86_400_000

EVENT_RETENTION_MS = 37 * DAY_MS
"""Events are kept as long as state may depend on them by default: 30 days of closed lines and 7 of lateness."""

CHANGELOG_COMPACTION_LAG_MS = DAY_MS
"""Rows stay at least this long: recovery merges what a paused worker wrote late with what its successor wrote."""

UPDATE_COMPACTION_LAG_MS = 7 * DAY_MS
"""Updates stay at least this long so that what was told to a channel can be traced; then the newest remains."""

TOMBSTONE_RETENTION_MS = DAY_MS
"""A tombstone stays this long for readers that are behind; a local copy unused for nearly as long is renewed."""

FOREVER = -1
MAX_MESSAGE_BYTES = 1_048_576
"""1 MiB, what an unconfigured Kafka broker accepts."""

CHANGELOG_MESSAGE_BYTES = 4 * MAX_MESSAGE_BYTES
"""A row spells out what a message packs, such as 10,000 documents in a balance: twice as large at worst."""

DEAD_LETTER_HEADROOM_BYTES = 65_536
"""What a dead letter may be larger than its record: the headers that say why it is one."""

INPUT, OUTPUT, INTERNAL = "input", "output", "internal"
DELETE, COMPACT = "delete", "compact"
BACKWARD_TRANSITIVE, FULL_TRANSITIVE = "BACKWARD_TRANSITIVE", "FULL_TRANSITIVE"
BY_SKU, BY_LISTING, SINGLE = "sku", "listing", "single"

DEAD_LETTER_SUFFIX = ".dlq"
CHANNEL_UPDATES = "channel-updates"
"""The family of topics ``channel-updates.<channel>``."""
SINK_POSITIONS = "sink-positions"
"""The family of topics ``sink-positions.<channel>``."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. Times in milliseconds, sizes in bytes.

    ``avsc`` names the schema of its values in ``schemas/avro``; None: the bytes are somebody else's (dead letters)
    or rows (changelogs). ``dead_letters``: whether records of it that cannot succeed go to a twin.
    """

    name: str
    direction: str
    key: str
    group: str
    owner: str
    purpose: str
    partitions: int = 12
    cleanup: str = DELETE
    retention_ms: int = EVENT_RETENTION_MS
    min_compaction_lag_ms: int = 0
    compatibility: str | None = None
    avsc: str | None = None
    dead_letters: bool = False
    max_message_bytes: int = MAX_MESSAGE_BYTES

    @property
    def subject(self) -> str | None:
        """The registry subject of its values, or None without a schema."""
        return f"{self.name}-value" if self.avsc else None

    def kafka_config(self) -> dict[str, str]:
        """The topic's settings in Kafka's own names."""
        config = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.max_message_bytes),
        }
        if COMPACT in self.cleanup:
            config["delete.retention.ms"] = str(TOMBSTONE_RETENTION_MS)
        if self.min_compaction_lag_ms:
            config["min.compaction.lag.ms"] = str(self.min_compaction_lag_ms)
        return config


def _input(
    name: str, owner: str, purpose: str, key: str = "sku", group: str = BY_SKU, partitions: int = 12
) -> Topic:
    topic = Topic(name, INPUT, key, group, owner, purpose, partitions, avsc=name, dead_letters=True)
    return replace(topic, compatibility=BACKWARD_TRANSITIVE)


def _newest(topic: Topic) -> Topic:
    """The same, of which the newest per key is kept for ever."""
    return replace(topic, cleanup=COMPACT, retention_ms=FOREVER)


def _output(name: str, purpose: str, cleanup: str = DELETE, retention_ms: int = EVENT_RETENTION_MS) -> Topic:
    return Topic(
        name,
        OUTPUT,
        "sku",
        BY_SKU,
        "atstream",
        purpose,
        cleanup=cleanup,
        retention_ms=retention_ms,
        compatibility=FULL_TRANSITIVE,
        avsc=name,
    )


def _changelog(name: str, purpose: str) -> Topic:
    return Topic(
        name,
        INTERNAL,
        "row",
        BY_SKU,
        "atstream",
        purpose,
        cleanup=COMPACT,
        retention_ms=FOREVER,
        min_compaction_lag_ms=CHANGELOG_COMPACTION_LAG_MS,
        max_message_bytes=CHANGELOG_MESSAGE_BYTES,
    )


EVENTS: tuple[Topic, ...] = (
    _input("stock-adjusted", "inventory accounting", "Balances and adjustments of physical stock."),
    _input("order-released", "order management", "Versions of order lines."),
    _input("shipment-confirmed", "warehousing", "Units of order lines that left."),
    _input("reservation-changed", "order management", "Soft reservations requested and released."),
    _input("return-recorded", "warehousing", "Returns received and disposed of."),
    _input("transfer-recorded", "warehousing", "Transfers between locations."),
)

AVAILABILITY_POLICY = _newest(
    _input(
        "availability-policy", "merchandising", "The retailer's policy, the newest per scope.", "scope", SINGLE, 1
    )
)

LISTINGS = _newest(
    _input("listings", "channel integration", "Which SKU each listing sells.", "channel:listing", BY_LISTING)
)

LISTING_EXCHANGE = Topic(
    "atstream-listing-exchange",
    INTERNAL,
    "row",
    BY_SKU,
    "atstream",
    "Says which SKU supplies which listing.",
    dead_letters=True,
)

CHANNEL_ACKS = _input(
    "channel-acks", "channel integration", "What channels answered to updates.", "listing", BY_LISTING
)

CHANNEL_UPDATES_FAMILY = Topic(
    CHANNEL_UPDATES,
    OUTPUT,
    "listing",
    BY_LISTING,
    "channel integration",
    "What one channel is to be told; one topic per channel.",
    cleanup=COMPACT,
    retention_ms=FOREVER,
    min_compaction_lag_ms=UPDATE_COMPACTION_LAG_MS,
    compatibility=FULL_TRANSITIVE,
    avsc=CHANNEL_UPDATES,
    dead_letters=True,
)

SINK_POSITIONS_FAMILY = Topic(
    SINK_POSITIONS,
    INTERNAL,
    "listing",
    BY_LISTING,
    "atstream",
    "The newest answer per listing, and attempts that had none, as one channel's sink remembers them; "
    "one topic per channel.",
    cleanup=COMPACT,
    retention_ms=FOREVER,
    min_compaction_lag_ms=CHANGELOG_COMPACTION_LAG_MS,
)

FACTS_CHANGELOG = _changelog("atstream-facts-changelog", "The facts known of each SKU, one row per fact.")
PUBLICATIONS_CHANGELOG = _changelog(
    "atstream-publications-changelog", "What was planned for and told to channels."
)
CHANGELOGS: tuple[Topic, ...] = (FACTS_CHANGELOG, PUBLICATIONS_CHANGELOG)

ATS_CHANGED = _output("ats-changed", "The numbers of each SKU with their explanation.", COMPACT, FOREVER)
STOCK_VARIANCES = _output("stock-variances", "Balances that differ from what was predicted.")
INVENTORY_FINDINGS = _output("inventory-findings", "Oddities worth somebody's time.")

TOPICS: tuple[Topic, ...] = (
    *EVENTS,
    AVAILABILITY_POLICY,
    LISTINGS,
    CHANNEL_ACKS,
    CHANNEL_UPDATES_FAMILY,
    ATS_CHANGED,
    STOCK_VARIANCES,
    INVENTORY_FINDINGS,
    LISTING_EXCHANGE,
    *CHANGELOGS,
)
"""Every topic but dead letters. ``channel-updates`` stands for its whole family."""

_BY_NAME = {each.name: each for each in TOPICS}
_CHANNEL = re.compile(r"[A-Za-z0-9_-]{1,100}")


def topic(name: str) -> Topic:
    """The topic of that name, also of a channel's updates and of dead letters. Raises KeyError if there is
    none.
    """
    if name.endswith(DEAD_LETTER_SUFFIX):
        return dead_letter_twin(name.removesuffix(DEAD_LETTER_SUFFIX))
    if name.startswith(f"{CHANNEL_UPDATES}."):
        return channel_updates_topic(name.removeprefix(f"{CHANNEL_UPDATES}."))
    if name.startswith(f"{SINK_POSITIONS}."):
        return sink_positions_topic(name.removeprefix(f"{SINK_POSITIONS}."))
    return _BY_NAME[name]


def event_topics() -> tuple[Topic, ...]:
    """The topics of events about SKUs."""
    return EVENTS


def input_topics() -> tuple[Topic, ...]:
    """Everything the worker consumes that others write."""
    return (*EVENTS, AVAILABILITY_POLICY, LISTINGS, CHANNEL_ACKS)


def changelog_topics() -> tuple[Topic, ...]:
    """The topics that tables are recovered from."""
    return CHANGELOGS


def is_channel_name(name: str) -> bool:
    """Whether a channel may have this name: it becomes part of a topic's name."""
    return _CHANNEL.fullmatch(name) is not None


def channel_updates_topic(channel: str) -> Topic:
    """The topic of one channel's updates. Raises KeyError if the name cannot be part of a topic's name."""
    return _member(CHANNEL_UPDATES_FAMILY, channel)


def sink_positions_topic(channel: str) -> Topic:
    """The topic of one sink's positions. Raises KeyError if the name cannot be part of a topic's name."""
    return _member(SINK_POSITIONS_FAMILY, channel)


def _member(family: Topic, channel: str) -> Topic:
    if not is_channel_name(channel):
        raise KeyError(f"channel {channel!r}: use 1 to 100 of the characters A-Z a-z 0-9 _ -")
    return replace(family, name=f"{family.name}.{channel}")


def dead_letter_twin(name: str) -> Topic:
    """Where records of a topic go that cannot succeed. Raises KeyError if the topic has no twin.

    It has as many partitions as the topic, so that a dead letter is found where its record was, and keeps records
    for as long as events are kept.
    """
    original = topic(name)
    if not original.dead_letters:
        raise KeyError(f"{name} has no dead letters: nothing of atstream consumes it")
    return Topic(
        f"{original.name}{DEAD_LETTER_SUFFIX}",
        INTERNAL,
        original.key,
        original.group,
        original.owner,
        f"Records of {original.name} that cannot succeed, byte for byte.",
        partitions=original.partitions,
        max_message_bytes=original.max_message_bytes + DEAD_LETTER_HEADROOM_BYTES,
    )


def all_topics(channels: tuple[str, ...] = ()) -> tuple[Topic, ...]:
    """Every topic that must exist for these channels, dead letters included."""
    families = (CHANNEL_UPDATES_FAMILY, SINK_POSITIONS_FAMILY)
    plain = [each for each in TOPICS if each not in families]
    present = [*plain, *map(channel_updates_topic, channels), *map(sink_positions_topic, channels)]
    return (*present, *(dead_letter_twin(each.name) for each in present if each.dead_letters))
