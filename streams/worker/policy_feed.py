"""The policy as a stream: the compacted ``availability-policy`` topic, read whole at start and followed after.

Every worker needs all of it, so it is read outside the group, by a thread of its own. A document that cannot be
read never replaces one that can: the last good policy stays in force.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from agents.listening import SchemasUnavailable
from agents.ports import Decode, Incoming
from domain.facts import Micros
from domain.policy import Policy
from schemas.codec import SchemaNotLoaded
from schemas.policies import (
    PolicyDocument,
    PolicyError,
    PolicyProblem,
    merge_documents,
    next_effective_at,
)
from schemas.rejections import INVALID_POLICY, Rejection
from schemas.topics import AVAILABILITY_POLICY

log = logging.getLogger(__name__)

_POLL_S = 0.2
_PAUSE_S = 1.0
"""Between two attempts to load a schema that could not be loaded."""


class PolicyUnavailable(Exception):
    """The policy topic, or a schema that it needs, could not be read in time."""


class _Stopped(Exception):
    """``close`` was called while a schema was waited for."""


class PolicyFeed:
    """Follows the policy. ``client`` are librdkafka properties.

    ``load`` loads a schema (blocking). When it raises ``SchemasUnavailable``, the outage is waited out; whatever
    else it raises is passed on, which suits commands that rather end than wait.

    ``read_all`` once, then ``follow``. ``follow`` calls ``on_policy`` and ``on_rejected`` from its thread.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        decode: Decode,
        load: Callable[[SchemaNotLoaded], None],
        clock: Callable[[], Micros],
    ) -> None:
        self._decode = decode
        self._load = load
        self._clock = clock
        self._documents: dict[str, PolicyDocument] = {}
        self._rejected: dict[bytes | None, Rejection] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._consumer = Consumer(
            {
                **client,
                "group.id": "atstream-policy-feed",  # never joined: partitions are assigned by hand
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
            }
        )

    def read_all(self, timeout_s: float) -> Policy:
        """The policy as the topic states it now.

        Raises ``PolicyUnavailable`` when the end of the topic is not reached in time, and ``PolicyError`` when the
        documents contradict each other or one of them cannot be read.
        """
        self._consumer.assign([TopicPartition(AVAILABILITY_POLICY.name, 0, OFFSET_BEGINNING)])
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_S)
            if message is None:
                continue
            if _is_end(message):
                return self._stated()
            self._take(message, deadline)
        raise PolicyUnavailable(
            f"topic {AVAILABILITY_POLICY.name} could not be read to its end within {timeout_s} s; "
            "is the broker up, and does the topic exist (atstream topics plan)?"
        )

    def follow(
        self, on_policy: Callable[[Policy], None], on_rejected: Callable[[Incoming, Rejection], None]
    ) -> None:
        """Call back for every later change, and for documents that are no policy, until ``close``."""
        arguments = (on_policy, on_rejected)
        self._thread = threading.Thread(target=self._follow, args=arguments, name="policy-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=5)
        self._consumer.close()

    def _stated(self) -> Policy:
        if self._rejected:
            problems = [
                PolicyProblem(each.field, f"{each.code}: {each.message}") for each in self._rejected.values()
            ]
            raise PolicyError(problems)
        return merge_documents(self._documents.values(), self._clock())

    def _follow(
        self, on_policy: Callable[[Policy], None], on_rejected: Callable[[Incoming, Rejection], None]
    ) -> None:
        effective_at = next_effective_at(self._documents.values(), self._clock())
        while not self._stopping.is_set():
            message = self._consumer.poll(_POLL_S)
            now = self._clock()
            changed = effective_at is not None and effective_at <= now
            try:
                if message is not None and not _is_end(message):
                    rejection = self._take(message, None)
                    changed = changed or rejection is None
                    if rejection is not None:
                        log.error("policy kept as it was: %s: %s", rejection.code, rejection.message)
                        on_rejected(cast(Incoming, message), rejection)
                if changed:
                    on_policy(merge_documents(self._documents.values(), now))
                    effective_at = next_effective_at(self._documents.values(), now)
            except PolicyError as error:
                log.error("policy kept as it was: %s", error)
                if message is not None:
                    on_rejected(cast(Incoming, message), Rejection(INVALID_POLICY, "document", str(error)))
            except KafkaException as error:
                log.warning("policy topic: %s; trying again", error)
            except _Stopped:
                return

    def _take(self, message: Message, deadline: float | None) -> Rejection | None:
        key, value = message.key(), message.value()
        if value is None:
            self._documents.pop((key or b"").decode(errors="replace"), None)
            self._rejected.pop(key, None)
            return None
        while True:
            try:
                headers = cast(Incoming, message).headers()
                decoded = self._decode(AVAILABILITY_POLICY.name, key, value, headers)
                break
            except SchemaNotLoaded as missing:
                self._wait_for(missing, deadline)
        if isinstance(decoded, PolicyDocument):
            self._documents[decoded.scope] = decoded
            self._rejected.pop(key, None)
            return None
        if not isinstance(decoded, Rejection):
            decoded = Rejection(INVALID_POLICY, "", f"a {type(decoded).__name__} is no policy document")
        self._rejected[key] = decoded
        return decoded

    def _wait_for(self, missing: SchemaNotLoaded, deadline: float | None) -> None:
        """Load a schema, again and again while the registry is out: what a document says must not be guessed."""
        while True:
            try:
                return self._load(missing)
            except SchemasUnavailable as error:
                if deadline is not None and time.monotonic() > deadline:
                    raise PolicyUnavailable(f"a schema of the policy cannot be loaded: {error}") from error
                log.warning("policy waits for a schema: %s", error)
            if self._stopping.wait(_PAUSE_S):
                raise _Stopped from None


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise KafkaException(error)
