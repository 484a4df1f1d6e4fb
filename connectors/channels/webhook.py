"""A channel that takes batches of updates by HTTP POST, signed per Standard Webhooks.

The webhook id is derived from the updates in the batch: the same batch has the same id in every attempt, also
after a restart, so that a receiver can recognise a repetition; another batch has another id.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import SecretStr

from connectors.channels.base import ChannelUnusable, Limits, Result, Update, too_large
from connectors.channels.http import HttpCaller
from connectors.channels.kind import CallLimits, ChannelKind, HttpAddress, KindSettings
from connectors.channels.signing import SigningSecret, signed_headers
from connectors.channels.webhook_answer import read_answer
from connectors.channels.wire import fields


class WebhookSettings(KindSettings):
    """Where to post and what to sign with: one or more ``whsec_...``, separated by blanks, the newest first."""

    url: HttpAddress
    secrets: SecretStr | None = None
    secrets_file: Path | None = None

    def signing_secrets(self) -> list[SecretStr]:
        """The secrets one by one. Raises ``ChannelUnusable``: their file cannot be read, or there are none."""
        return [SecretStr(text) for text in self.secret("secrets").get_secret_value().split()]


class WebhookSink:
    """Posts ``{"channel": ..., "updates": [...]}`` to ``url``. Redirects are refused, proxies not consulted.

    ``secrets`` are ``whsec_...``, the newest first; every request is signed with each. ``wall_clock`` gives
    seconds since the epoch.

    Raises ``ChannelUnusable``: the address is not http(s), a secret is malformed, or there is none.
    """

    def __init__(
        self,
        channel: str,
        url: str,
        secrets: Sequence[SecretStr],
        calls: CallLimits | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        if not url.startswith(("https://", "http://")):
            raise ChannelUnusable(f"the webhook's url must start with https:// (or http://), got {url[:40]!r}")
        if not secrets:
            raise ChannelUnusable("the webhook needs at least one secret to sign with")
        try:
            self._secrets = [SigningSecret(secret) for secret in secrets]
        except ValueError as error:
            raise ChannelUnusable(str(error)) from None
        calls = calls or CallLimits()
        self._channel = channel
        self._url = url
        self._limits = Limits(calls.max_updates, calls.max_request_bytes)
        self._wall_clock = wall_clock
        self._http = HttpCaller(calls, wall_clock)

    @property
    def limits(self) -> Limits:
        """What one call may carry."""
        return self._limits

    async def open(self) -> None:
        """Prepare the connection pool. Connects with the first call: a channel that is down is an outage."""
        await self._http.open()

    async def send(self, batch: Sequence[Update]) -> Sequence[Result]:
        """One POST. What certainly did not arrive is RETRY; what may have arrived is UNKNOWN."""
        body = encode(self._channel, batch)
        if len(body) > self._limits.max_bytes:
            return too_large(batch)
        headers = signed_headers(self._secrets, webhook_id(batch), int(self._wall_clock()), body)
        headers["content-type"] = "application/json"
        return read_answer(batch, await self._http.call("POST", self._url, headers=headers, body=body))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def encode(channel: str, batch: Sequence[Update]) -> bytes:
    """The request body: the same bytes for the same batch."""
    content = {"channel": channel, "updates": [fields(update) for update in batch]}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def webhook_id(batch: Sequence[Update]) -> str:
    """``msg_`` and a digest of the idempotency keys in the batch, in their order."""
    keys = json.dumps([update.idempotency_key for update in batch]).encode()
    return "msg_" + base64.b32encode(hashlib.sha256(keys).digest()[:20]).decode("ascii").lower()


def _make(channel: str, settings: WebhookSettings, calls: CallLimits) -> WebhookSink:
    return WebhookSink(channel, settings.url, settings.signing_secrets(), calls)


KIND = ChannelKind(WebhookSettings, _make)
