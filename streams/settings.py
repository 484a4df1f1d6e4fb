"""Configuration: ``ATSTREAM_*`` environment, then ``atstream.toml``, then defaults that need no configuration.

Nested settings use two underscores: ``ATSTREAM_KAFKA__BOOTSTRAP_SERVERS``. Durations are seconds, sizes bytes.
Checked when a command starts; an error names the setting and what it may be.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class InvalidSettings(Exception):
    """The configuration cannot work; the message lists each setting and what is wrong with it."""


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Group):
    """Where the broker is and how patient we are with it."""

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    request_timeout_s: Seconds = 10.0

    def client(self) -> dict[str, str | int | float | bool]:
        """Properties of a librdkafka client beyond the bootstrap servers."""
        properties: dict[str, str | int | float | bool] = {"security.protocol": self.security_protocol}
        if self.sasl_mechanism is not None:
            properties["sasl.mechanism"] = self.sasl_mechanism
            properties["sasl.username"] = self.sasl_username or ""
            properties["sasl.password"] = (self.sasl_password or SecretStr("")).get_secret_value()
        return properties


class RegistrySettings(_Group):
    """The schema registry (Confluent REST API)."""

    url: str = "http://127.0.0.1:8081"
    timeout_s: Seconds = 5.0


class WorkerSettings(_Group):
    """The Faust worker. The group id names the deployment: workers of one group share the partitions."""

    group: str = "atstream"
    session_timeout_s: Seconds = 10.0
    heartbeat_s: Seconds = 1.0
    rebalance_timeout_s: Seconds = 30.0
    stall_s: Seconds = 120.0
    reassess_per_epoch: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    store: Literal["memory", "rocksdb"] = "memory"
    store_path: Path = Path(".atstream/store")
    decoded_skus: Annotated[int, Field(ge=1_000, le=100_000_000)] = 250_000
    admin_port: Port | None = None
    admin_host: str = "127.0.0.1"


class TopicSettings(_Group):
    """What ``atstream topics apply`` creates."""

    partitions: Annotated[int, Field(ge=1, le=1_000)] = 6
    replication: Annotated[int, Field(ge=1, le=9)] = 1
    channels: tuple[str, ...] = ()


class Settings(BaseSettings):
    """All of it. ``home`` holds what a local stack needs; nothing else is written to disk."""

    model_config = SettingsConfigDict(
        env_prefix="ATSTREAM_", env_nested_delimiter="__", toml_file="atstream.toml", extra="ignore", frozen=True
    )

    home: Path = Path(".atstream")
    log_level: str = "WARNING"
    kafka: KafkaSettings = KafkaSettings()
    registry: RegistrySettings = RegistrySettings()
    worker: WorkerSettings = WorkerSettings()
    topics: TopicSettings = TopicSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process. Raises ``InvalidSettings`` with one line a mistake."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            for problem in error.errors(include_url=False)
        ]
        raise InvalidSettings(
            "the configuration cannot work; mend these settings (environment ATSTREAM_<GROUP>__<NAME> or "
            "atstream.toml):\n" + "\n".join(lines)
        ) from None
