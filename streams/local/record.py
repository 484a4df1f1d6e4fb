"""``stack.json``: where the parts of the stack answer and which programs they are."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from streams.local.errors import LocalStackError


@dataclass(frozen=True, slots=True)
class Part:
    """One server: `address` is host:port, `pid` is None while it does not run, `log` is its log file."""

    address: str
    pid: int | None
    log: str

    @property
    def port(self) -> int:
        """The port of the address."""
        return int(self.address.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class StackRecord:
    """What was started. `parts` has `kafka` or `embedded broker`, `registry`, and `redis` where one could run."""

    profile: str
    why: str
    controller_port: int
    parts: Mapping[str, Part]

    @property
    def bootstrap_servers(self) -> str:
        """The broker's address for Kafka clients."""
        return (self.parts.get("kafka") or self.parts["embedded broker"]).address

    @property
    def registry_url(self) -> str:
        """The schema registry's URL."""
        return f"http://{self.parts['registry'].address}"

    @property
    def redis_url(self) -> str | None:
        """The Redis-compatible server's URL, None where none could run."""
        return f"redis://{self.parts['redis'].address}/0" if "redis" in self.parts else None

    def environment(self) -> dict[str, str]:
        """The settings with which every command finds this stack."""
        return {
            "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "ATSTREAM_REGISTRY__URL": self.registry_url,
        }

    def differs_from_defaults(self, kafka: int, registry: int) -> bool:
        """Whether commands must be told where this stack is, because it is not on these usual ports."""
        return (self.parts["registry"].port, int(self.bootstrap_servers.rpartition(":")[2])) != (registry, kafka)

    def addresses(self) -> str:
        """All parts in one line."""
        return ", ".join(f"{name} {part.address}" for name, part in self.parts.items())

    def with_pids(self, pids: Mapping[str, int | None]) -> StackRecord:
        """The same with these pids; a part that is not among them does not run."""
        return replace(self, parts={name: replace(part, pid=pids.get(name)) for name, part in self.parts.items()})

    def as_json(self) -> dict[str, Any]:
        """The content of the file, with the URLs spelled out."""
        return {
            **asdict(self),
            "bootstrap_servers": self.bootstrap_servers,
            "registry_url": self.registry_url,
            "redis_url": self.redis_url,
        }

    def write(self, path: Path) -> None:
        """Write the file at once: a reader never sees half of it."""
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(self.as_json(), indent=2) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> StackRecord | None:
        """The record in the file, None without a file. Raises LocalStackError when it is not one of ours."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            parts = {
                name: Part(each["address"], each["pid"], each["log"]) for name, each in content["parts"].items()
            }
            return cls(content["profile"], content["why"], content["controller_port"], parts)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise LocalStackError(
                f"{path} is not a record of a stack ({error!r}): `atstream down` removes it and what runs"
            ) from error
