"""Settings of the data plane: every limit, with its unit in its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.data_plane.failures import Misconfigured


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneSettings:
    """How a worker talks to its broker, and its bounds.

    ``client`` are extra librdkafka properties (security, client.id); ``credentials`` the same for the group member
    (Faust's ``broker_credentials``). ``compacted`` names source topics whose offsets legitimately have holes,
    ``urgent`` those that come before all others and are fetched even while the others' memory is full.
    """

    app_id: str
    bootstrap_servers: str
    session_timeout_s: float = 10.0
    heartbeat_s: float = 1.0
    rebalance_timeout_s: float = 30.0
    startup_s: float = 60.0
    stop_s: float = 15.0
    stall_s: float = 120.0

    epoch_min_s: float = 0.01
    epoch_max_s: float = 0.5
    epoch_max_records: int = 100_000
    epoch_max_bytes: int = 128_000_000
    run_min_records: int = 10_000
    run_max_s: float = 0.5
    round_max_s: float = 4.0

    batch_max_records: int = 1_000
    batch_max_bytes: int = 1_000_000
    partition_max_bytes: int = 16_000_000
    buffered_max_bytes: int = 128_000_000
    fetch_ahead_max_kbytes: int = 8_192
    prefetch_max_kbytes: int = 32_768
    produce_queue_max_messages: int = 250_000
    produce_queue_max_kbytes: int = 131_072
    recovery_batch_records: int = 2_500

    compacted: frozenset[str] = frozenset()
    urgent: frozenset[str] = frozenset()
    client: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    credentials: Any = None

    def __post_init__(self) -> None:
        if not self.app_id or not self.bootstrap_servers:
            raise Misconfigured("app_id and bootstrap_servers must not be empty")
        if self.heartbeat_s * 3 > self.session_timeout_s:
            raise Misconfigured(
                f"heartbeat_s={self.heartbeat_s} must be at most a third of"
                f" session_timeout_s={self.session_timeout_s}"
            )
        if self.rebalance_timeout_s < self.session_timeout_s:
            raise Misconfigured("rebalance_timeout_s must not be below session_timeout_s")
        if not 0 < self.epoch_min_s <= self.epoch_max_s < self.session_timeout_s / 4:
            raise Misconfigured("0 < epoch_min_s <= epoch_max_s < session_timeout_s / 4 must hold")

    @property
    def message_timeout_s(self) -> float:
        """A record that was queued for longer is dropped unsent: well before the session could end."""
        return 0.6 * self.session_timeout_s

    @property
    def produce_margin_s(self) -> float:
        """Membership must be at most this old when writing begins, so that the last record expires before it."""
        return self.session_timeout_s - self.message_timeout_s

    def librdkafka(self, properties: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Properties of a librdkafka client."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": self.app_id,
            "log_level": 4,  # warnings and worse
            **self.client,
            **(properties or {}),
        }
