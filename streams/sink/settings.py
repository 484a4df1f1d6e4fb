"""Configuration of a sink: ``ATSTREAM_SINK__*`` environment, then ``atstream.toml``, then defaults.

In ``atstream.toml`` the table ``[sink]`` is for every sink and ``[sink.channels.<channel>]`` for one; the narrower
wins. Beside what every sink has, a kind of channel has settings of its own, on the same level. Durations are
seconds, sizes bytes. Checked before anything is consumed.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, Field, SecretStr, ValidationError, create_model, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connectors.channels.base import ChannelSink
from connectors.channels.kind import CALLS, CallLimits, ChannelKind, KindSettings
from connectors.channels.kinds import MODULES, kind_named
from connectors.channels.routes import as_told
from domain.facts import SECOND
from domain.limits import CallLimit, SerialOnly
from streams.settings import InvalidSettings, Port, Seconds

CONFIGURATION = Path("atstream.toml")
PREFIX = "ATSTREAM_SINK__"

Model = TypeVar("Model", bound=BaseModel)


class _Read(BaseSettings):
    """Environment over what was read from the file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over what was read from the file."""
        return env_settings, init_settings


class SinkSettings(_Read):
    """How a channel is told, whatever its kind.

    ``rate_per_s``, ``burst`` and ``budget_serial`` bound the single calls of this process, with ``budget_url``
    those of all sinks of the same ``budget_account``; None: what is documented for the kind.
    ``doubt_settle_s`` None: what is usual for the kind; ``doubt_reads`` 0: nothing is read back.
    """

    kind: str

    max_updates: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_request_bytes: Annotated[int, Field(ge=10_000, le=100_000_000)] = 1_000_000
    max_answer_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 1_000_000
    connect_timeout_s: Seconds = 3.0
    call_timeout_s: Annotated[float, Field(gt=0, le=120)] = 10.0
    longest_retry_after_s: Seconds = 300.0
    backoff_base_s: Seconds = 0.5
    backoff_cap_s: Seconds = 30.0
    unknown_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    doubt_settle_s: Seconds | None = None
    doubt_reads: Annotated[int, Field(ge=0, le=20)] = 5
    rate_per_s: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    burst: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    budget_url: SecretStr | None = None
    budget_account: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    budget_member: Annotated[str, Field(pattern=r"^[\w./-]{1,100}$")] | None = None
    budget_serial: bool | None = None

    session_timeout_s: Annotated[float, Field(ge=3, le=300)] = 20.0
    max_listings: Annotated[int, Field(ge=1, le=100_000_000)] = 2_000_000
    startup_s: Seconds = 30.0
    admin_port: Port | None = None
    admin_host: str = "127.0.0.1"

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in MODULES:
            raise ValueError(f"must be one of {', '.join(sorted(MODULES))}")
        return kind


class SinkConfiguration(NamedTuple):
    """What is common to all sinks, what only this kind has, and the kind."""

    delivery: SinkSettings
    own: KindSettings
    kind: ChannelKind

    @property
    def calls(self) -> CallLimits:
        """The limits that every call keeps."""
        common = self.delivery
        return CallLimits(
            common.max_updates or self.own.usual_updates,
            common.max_request_bytes,
            common.max_answer_bytes,
            common.connect_timeout_s,
            common.call_timeout_s,
            common.longest_retry_after_s,
        )

    @property
    def attempt_s(self) -> float:
        """Seconds that one attempt may take."""
        return self.own.attempt_s(self.calls)

    @property
    def doubt_settle_s(self) -> float:
        """Seconds for which a call without answer may still be under way, and an accepted value not show yet."""
        stated = self.delivery.doubt_settle_s
        return self.own.usual_settle_s if stated is None else stated

    @property
    def call_limits(self) -> dict[str, tuple[CallLimit, ...]]:
        """The limits of each route: those of the kind, for single calls with what the operator says instead.

        Raises ``ValueError``: a limit that cannot be kept.
        """
        common, routes = self.delivery, dict(self.own.call_limits(self.calls))
        serial = any(isinstance(limit, SerialOnly) for limit in routes[CALLS])
        if common.budget_serial is not None:
            serial = common.budget_serial
        one_open = SerialOnly(round(self.attempt_s * SECOND)) if serial else None
        routes[CALLS] = as_told(routes[CALLS], common.rate_per_s, common.burst, one_open)
        return routes

    def sink(self, channel: str) -> ChannelSink:
        """The sink as configured. Raises ``ChannelUnusable``: it cannot work."""
        return self.kind.make(channel, self.own, self.calls)


def load_sink_settings(channel: str, configuration: Path = CONFIGURATION) -> SinkConfiguration:
    """The settings of the channel's sink. Raises ``InvalidSettings`` with one line for each mistake."""
    common, narrow = _tables(channel, configuration)
    table = common | narrow
    # The environment is read whatever the case, as all settings are.
    upper = {name.upper(): value for name, value in os.environ.items()}
    name = upper.get(PREFIX + "KIND", table.get("kind"))
    kind = kind_named(name) if isinstance(name, str) and name in MODULES else None
    fields = set(kind.settings.model_fields) if kind is not None else set()
    # [sink] is for every sink: what only other kinds understand is not for this one. Without a kind nobody knows.
    others = _fields_of_all_kinds() - fields - set(SinkSettings.model_fields)
    passed_over = {field for field in table if field in others and (kind is None or field not in narrow)}
    rest = {field: value for field, value in table.items() if field not in fields | passed_over}
    problems: list[str] = []
    delivery = _read(lambda: SinkSettings(**rest), problems)
    own = None
    if kind is not None:
        bases: Any = (_Read, kind.settings)
        model: type[KindSettings] = create_model(kind.settings.__name__, __base__=bases)
        read = _read(lambda: model(**{field: table[field] for field in table if field in fields}), problems)
        if read is not None:
            own = kind.settings.model_construct(**{field: getattr(read, field) for field in fields})
        if delivery is not None and (delivery.max_updates or 0) > kind.settings.most_updates:
            problems.append(f"sink.max_updates: kind {name} takes at most {kind.settings.most_updates}")
    if problems or delivery is None or own is None or kind is None:
        raise InvalidSettings(
            f"the sink of {channel} cannot work as configured; mend these settings (environment "
            "ATSTREAM_SINK__<NAME>, or [sink] and [sink.channels.<channel>] in atstream.toml):\n"
            + "\n".join(f"  {problem}" for problem in problems)
        )
    return SinkConfiguration(delivery, own, kind)


def _read(make: Callable[[], Model], problems: list[str]) -> Model | None:
    try:
        return make()
    except ValidationError as error:
        # The input is left out: it may be a secret.
        problems += [
            f"sink{''.join(f'.{part}' for part in problem['loc'])}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        ]
        return None


def _fields_of_all_kinds() -> set[str]:
    return {field for name in MODULES for field in kind_named(name).settings.model_fields}


def _tables(channel: str, configuration: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is set for every sink, and for this one."""
    try:
        document = tomllib.loads(configuration.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, {}
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{configuration} cannot be read: {error}") from None
    common = _mapping(document, "sink")
    narrow = _mapping(_mapping(common, "channels"), channel)
    return {name: value for name, value in common.items() if name != "channels"}, narrow


def _mapping(outer: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = outer.get(name, {})
    if not isinstance(inner, dict):
        raise InvalidSettings(f"{CONFIGURATION}: {name} must be a table")
    return inner
