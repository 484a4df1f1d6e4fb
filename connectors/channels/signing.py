"""Signatures of Standard Webhooks (specification 1.0.0, symmetric scheme ``v1``), for senders and receivers.

The signed content is ``id.timestamp.body``; the signature header holds one ``v1,<base64 HMAC-SHA256>`` per
secret, separated by spaces, so that a secret can be rotated without a gap: sign with the new and the old one
until every receiver knows the new one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
SECRET_PREFIX = "whsec_"
TOLERANCE_S = 300
_KEY_BYTES = range(24, 65)
_MAX_SIGNATURES = 16


class SigningSecret:
    """The key in a ``whsec_<base64>`` secret. Never shows it: not in ``repr``, not in an error.

    Raises ``ValueError``: the text is not base64 or the key is not 24 to 64 bytes long, as the specification
    asks.
    """

    __slots__ = ("_key",)

    def __init__(self, secret: SecretStr) -> None:
        text = secret.get_secret_value().strip().removeprefix(SECRET_PREFIX)
        try:
            key = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("a webhook secret must be whsec_ followed by base64 of 24 to 64 bytes") from None
        if len(key) not in _KEY_BYTES:
            raise ValueError(f"a webhook secret must hold 24 to 64 bytes, this one holds {len(key)}")
        self._key = key

    def __repr__(self) -> str:
        return "SigningSecret(**********)"

    def sign(self, webhook_id: str, timestamp: int, body: bytes) -> str:
        """``v1,<base64>`` over the id, the time in whole seconds since the epoch, and the body as sent."""
        content = b"%s.%d.%s" % (webhook_id.encode(), timestamp, body)
        return "v1," + base64.b64encode(hmac.new(self._key, content, hashlib.sha256).digest()).decode("ascii")


class SignatureRefused(ValueError):
    """A request whose signature does not prove who sent it, or not that it was sent just now."""


def signed_headers(
    secrets: Sequence[SigningSecret], webhook_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """The three headers of a request, signed once with each secret."""
    return {
        ID_HEADER: webhook_id,
        TIMESTAMP_HEADER: str(timestamp),
        SIGNATURE_HEADER: " ".join(secret.sign(webhook_id, timestamp, body) for secret in secrets),
    }


def verify(
    secrets: Sequence[SigningSecret],
    headers: Mapping[str, str],
    body: bytes,
    now: int,
    tolerance_s: int = TOLERANCE_S,
) -> str:
    """Return the webhook id of a genuine request, in time that does not depend on where signatures differ.

    ``now`` is in whole seconds since the epoch. ``headers`` are looked up by their lower-case names.

    Raises ``SignatureRefused``: a header is missing or malformed, the time is further than ``tolerance_s`` from
    ``now``, or no signature matches any of the secrets.
    """
    try:
        webhook_id, stamp, given = headers[ID_HEADER], headers[TIMESTAMP_HEADER], headers[SIGNATURE_HEADER]
    except KeyError as missing:
        raise SignatureRefused(f"header {missing.args[0]} is missing") from None
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise SignatureRefused(f"header {TIMESTAMP_HEADER} is not a time in seconds")
    if abs(now - int(stamp)) > tolerance_s:
        raise SignatureRefused(f"header {TIMESTAMP_HEADER} is more than {tolerance_s} s from now")
    signatures = [part.encode() for part in given.split(" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]]
    genuine = False
    for secret in secrets:
        expected = secret.sign(webhook_id, int(stamp), body).encode()
        for signature in signatures:
            genuine |= hmac.compare_digest(expected, signature)
    if not genuine:
        raise SignatureRefused("no signature matches")
    return webhook_id
