"""The group member: aiokafka joins, heartbeats and commits in a thread of its own. It fetches nothing.

Relies on Faust: ``AIOKafkaConsumerThread`` creating ``_consumer`` in ``on_start``, ``call_thread`` running a
coroutine in the thread, ``on_partitions_assigned`` being called by the rebalance listener,
``verify_event_path``. Relies on aiokafka: ``AIOKafkaConsumer._coordinator`` with ``_do_heartbeat``,
``_send_req``, ``reset_generation``, ``ensure_active_group``, ``coordinator_dead``, ``generation``,
``fetch_committed_offsets`` and ``commit_offsets``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any, cast

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError, KafkaError
from aiokafka.protocol.group import SyncGroupRequest
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from streams.data_plane import clock
from streams.data_plane.failures import Unavailable
from streams.data_plane.membership import Membership
from streams.data_plane.positions import require_answer

log = logging.getLogger(__name__)

_CONNECT_AGAIN_S = 0.5
_COMMIT_TIMEOUT_S = 30.0
_POSITIONS_TIMEOUT_S = 60.0
_ENDING_S = 0.1


class MemberThread(AIOKafkaConsumerThread):
    """Tells ``Membership`` what the group confirmed, and when we had asked."""

    _sync_sent: clock.Instant | None = None

    @property
    def _membership(self) -> Membership:
        membership: Membership = cast(Any, self.app).plane.membership
        return membership

    async def on_start(self) -> None:
        """Connect, and listen in on the coordinator. Raises ``Unavailable``."""
        await self._connect()
        coordinator = self._ensure_consumer()._coordinator
        heartbeat, send, reset = coordinator._do_heartbeat, coordinator._send_req, coordinator.reset_generation
        join = coordinator.ensure_active_group

        async def do_heartbeat() -> bool:
            sent = clock.now()
            confirmed: bool = await heartbeat()
            if confirmed:
                self._membership.confirmed(sent)
            return confirmed

        async def send_req(request: Any) -> Any:
            if isinstance(request, SyncGroupRequest):
                self._sync_sent = clock.now()
            return require_answer(request, await send(request), coordinator.coordinator_dead)

        def reset_generation() -> None:
            self._membership.lost()
            reset()

        async def ensure_active_group(subscription: Any, previous: Any) -> Any:
            if cast(Any, self.app).plane.failure is None:
                return await join(subscription, previous)
            await asyncio.sleep(_ENDING_S)  # we are ending: who joins now makes all others rebalance twice
            return None

        coordinator.ensure_active_group = ensure_active_group
        coordinator._do_heartbeat = do_heartbeat
        coordinator._send_req = send_req
        coordinator.reset_generation = reset_generation

    async def _connect(self) -> None:
        """A broker that is out, as it may be when it restarts just now, has ``startup_s`` to come back."""
        began = time.monotonic()
        while True:
            try:
                await super().on_start()
                return
            except KafkaConnectionError as error:
                consumer, self._consumer = self._consumer, None
                if consumer is not None:
                    await consumer.stop()
                limit_s = cast(Any, self.app).plane.settings.startup_s
                if self.should_stop or time.monotonic() - began > limit_s:
                    raise Unavailable(f"no broker took us into the group in {limit_s:g} s: {error}") from error
                log.warning("no broker answers (%s); trying again", error)
                await asyncio.sleep(_CONNECT_AGAIN_S)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Joined: nothing is fetched here, so every partition is paused before anything else."""
        self._ensure_consumer().pause(*(_theirs(tp) for tp in assigned))
        self._membership.joined(generation_id, self._sync_sent or clock.now())
        await super().on_partitions_assigned(assigned, generation_id)

    async def committed_offsets(self, partitions: Iterable[TP]) -> dict[TP, int]:
        """Committed offsets, in one request; partitions without one are absent. Raises ``Unavailable``."""
        wanted = [_theirs(tp) for tp in partitions]
        fetch = self._ensure_consumer()._coordinator.fetch_committed_offsets
        try:
            found = await asyncio.wait_for(self.call_thread(fetch, wanted), _POSITIONS_TIMEOUT_S)
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(f"the broker does not say what the group has committed: {error!r}") from error
        return {TP(tp.topic, tp.partition): at.offset for tp, at in found.items()}

    async def commit_exactly(self, offsets: Mapping[TP, int], generation: int) -> bool:
        """Commit these offsets for this generation. False when the group has moved on; ``Unavailable``
        otherwise.
        """
        return bool(await self.call_thread(self._commit_exactly, dict(offsets), generation))

    async def _commit_exactly(self, offsets: dict[TP, int], generation: int) -> bool:
        consumer = self._ensure_consumer()
        if consumer._coordinator.generation != generation:
            return False
        assigned = consumer.assignment()
        wanted = {_theirs(tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items()}
        if not assigned.issuperset(wanted):
            return False
        try:
            await asyncio.wait_for(consumer.commit(wanted), _COMMIT_TIMEOUT_S)
        except (CommitFailedError, IllegalStateError):
            return False
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(f"the broker did not accept the commit of {offsets}: {error!r}") from error
        return True

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watchdog looks at a fetcher that we don't use; ours is ``watchdog``."""

    def verify_recovery_event_path(self, now: float, tp: TP) -> None:
        """As above."""


def _theirs(tp: TP) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)
