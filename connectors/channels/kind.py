"""What a kind of channel offers besides its sink: settings of its own, and a function that makes the sink."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr, model_validator

from connectors.channels.base import ChannelSink, ChannelUnusable
from domain.facts import SECOND
from domain.limits import CallLimit, RateAndBurst
from domain.limits_listing import DailyRevisions

MAX_SECRET_BYTES = 10_000

CALLS = "calls"
"""The route of single calls; what a bulk needs besides has routes of its own."""
USUAL: tuple[CallLimit, ...] = (RateAndBurst(10, SECOND, 10),)
"""Ours, for channels whose vendor documents no rate."""


class CallLimits(NamedTuple):
    """What every kind is told about its calls: updates and bytes in one, bytes of an answer, seconds."""

    max_updates: int = 100
    max_request_bytes: int = 1_000_000
    max_answer_bytes: int = 1_000_000
    connect_timeout_s: float = 3.0
    call_timeout_s: float = 10.0
    longest_retry_after_s: float = 300.0


def _http_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must start with https:// (or http://) and name a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not contain a user name or password: there are settings for secrets")
    return url


HttpAddress = Annotated[str, AfterValidator(_http_address)]
"""An address of the channel; never one with credentials in it, because addresses are shown."""


class KindSettings(BaseModel):
    """The settings that only one kind has.

    A field ``x: SecretStr | None`` with a companion ``x_file: Path | None`` is a secret: exactly one of the two is
    given (at most one, for those in ``optional_secrets``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    usual_updates: ClassVar[int] = 100
    """Updates in one call unless ``max_updates`` says otherwise."""
    most_updates: ClassVar[int] = 10_000
    """What the channel takes at most in one call, as its vendor documents."""
    usual_settle_s: ClassVar[float] = 20.0
    """Seconds until a call without answer is done with, and an accepted quantity shows; ours."""
    optional_secrets: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _each_secret_once(self) -> KindSettings:
        for name in _secrets_of(type(self)):
            given = sum(getattr(self, field) is not None for field in (name, f"{name}_file"))
            if given > 1 or (given == 0 and name not in self.optional_secrets):
                raise ValueError(f"needs either {name} or {name}_file")
        return self

    def attempt_s(self, calls: CallLimits) -> float:
        """Seconds that one attempt may take. More than a call where an attempt takes several calls."""
        return calls.call_timeout_s

    def call_limits(self, calls: CallLimits) -> Mapping[str, tuple[CallLimit, ...]]:
        """What the vendor documents of calls, by route: how many, how fast, one at a time."""
        return {CALLS: USUAL}

    def daily_revisions(self, life: str) -> DailyRevisions | None:
        """The cap on revisions of a listing in a day, if there is one, as ``life`` of a process counts."""
        return None

    def secret(self, name: str) -> SecretStr:
        """The secret in field ``name`` or in its file.

        Raises ``ChannelUnusable``: the file cannot be read, or there is nothing in it.
        """
        held: SecretStr | None = getattr(self, name)
        file: Path | None = getattr(self, f"{name}_file")
        text = held.get_secret_value() if held is not None else _text_of(file, name)
        if not text.strip():
            raise ChannelUnusable(f"sink.{name} (or the file in {name}_file) holds no secret")
        return SecretStr(text.strip())

    def has_secret(self, name: str) -> bool:
        """Whether an optional secret is given."""
        return getattr(self, name) is not None or getattr(self, f"{name}_file") is not None


class ChannelKind(NamedTuple):
    """One kind of channel. ``make(channel, settings, calls)`` gets an instance of ``settings``.

    ``make`` raises ``ChannelUnusable``: what is configured cannot work.
    """

    settings: type[KindSettings]
    make: Callable[[str, Any, CallLimits], ChannelSink]


def _secrets_of(model: type[KindSettings]) -> list[str]:
    return [name for name in model.model_fields if f"{name}_file" in model.model_fields]


def _text_of(file: Path | None, name: str) -> str:
    if file is None:
        raise ChannelUnusable(f"sink.{name} is not set, nor is {name}_file")
    try:
        with file.open(encoding="ascii") as opened:
            return opened.read(MAX_SECRET_BYTES)
    except (OSError, UnicodeDecodeError) as error:
        raise ChannelUnusable(f"sink.{name}_file: cannot read {file}: {type(error).__name__}") from None
