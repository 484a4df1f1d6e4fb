"""`atstream up` and `atstream down`, as a user types them, with both profiles."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis

from connectors.registry import SchemaRegistry
from connectors.registry_http import RegistryHttp
from streams.local import ports
from streams.local.readiness import answers_metadata, listens
from streams.local.stack import EMBEDDED, LOCAL_KAFKA, PROFILES

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]


class Commands:
    """The command line with one home and one set of free ports."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.ports = {name: ports.free_port() for name in ("kafka", "kafka-controller", "registry", "redis")}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "streams.cli", *arguments, "--home", str(self.home)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def up(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        chosen = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        return self.run("up", *chosen, *arguments)

    def started(self, profile: str) -> dict[str, Any]:
        outcome = self.up("--profile", profile, "--json")
        assert outcome.returncode == 0, outcome.stderr
        record: dict[str, Any] = json.loads(outcome.stdout)
        return record

    def programs(self) -> list[int]:
        """The pids of everything that runs with this home in its arguments or on one of these ports."""
        mentioned = [
            int(entry.name)
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and str(self.home).encode() in _arguments(entry)
        ]
        holders = [ports.occupant(port) for port in self.ports.values()]
        return mentioned + [holder.pid or -1 for holder in holders if holder is not None]


def _arguments(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def commands(tmp_path: Path, jar_cache: Path) -> Iterator[Commands]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "kafka").symlink_to(jar_cache)
    commands = Commands(home)
    yield commands
    commands.run("down")


def names(record: dict[str, Any]) -> set[str]:
    return set(record["parts"])


@pytest.mark.parametrize("profile", PROFILES)
def test_up_starts_everything_and_down_leaves_nothing_behind(commands: Commands, profile: str) -> None:
    record = commands.started(profile)
    assert names(record) == {"kafka" if profile == LOCAL_KAFKA else "embedded broker", "registry", "redis"}
    assert json.loads((commands.home / "stack.json").read_text()) == record
    assert answers_metadata(record["bootstrap_servers"])
    assert SchemaRegistry(RegistryHttp(record["registry_url"])).subjects() == []
    with Redis.from_url(record["redis_url"]) as client:
        assert client.ping()
    outcome = commands.run("down", "--json")
    assert outcome.returncode == 0, outcome.stderr
    assert set(json.loads(outcome.stdout)["stopped"]) == names(record)
    assert commands.programs() == []
    assert [path.name for path in commands.home.iterdir()] == ["kafka"], "only the jars stay"
    again = commands.run("down")
    assert (again.returncode, again.stdout.strip()) == (0, "nothing was running")


def test_everything_listens_on_the_loopback_only(commands: Commands) -> None:
    commands.started(LOCAL_KAFKA)
    wanted = set(commands.ports.values())
    addresses = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A" and int(local.rpartition(":")[2], 16) in wanted:
                addresses.append(local.rpartition(":")[0])
    assert len(addresses) == len(wanted)
    # 127.0.0.1, in IPv4's or in IPv6's notation of it.
    assert set(addresses) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_up_again_changes_nothing_and_brings_back_what_crashed(commands: Commands) -> None:
    first = commands.started(EMBEDDED)
    assert commands.started(EMBEDDED) == first
    crashed = first["parts"]["registry"]["pid"]
    os.kill(crashed, signal.SIGKILL)
    second = commands.started(EMBEDDED)
    assert second["parts"]["registry"]["pid"] not in (None, crashed)
    for name in ("embedded broker", "redis"):
        assert second["parts"][name] == first["parts"][name]
    plain = commands.run("up", "--json")
    assert plain.returncode == 0, plain.stderr
    assert json.loads(plain.stdout) == second, "without ports and profile: as it is up"


def test_up_with_another_profile_or_other_ports_says_to_stop_first(commands: Commands) -> None:
    commands.started(EMBEDDED)
    for other in (
        commands.up("--profile", LOCAL_KAFKA),
        commands.run("up", "--redis-port", str(ports.free_port())),
    ):
        assert other.returncode != 0
        assert "`atstream down` first" in other.stderr


def test_data_is_kept_when_it_is_asked_for(commands: Commands) -> None:
    record = commands.started(LOCAL_KAFKA)
    admin = AdminClient({"bootstrap.servers": record["bootstrap_servers"]})
    admin.create_topics([NewTopic("kept", 2, 1)])["kept"].result(timeout=15)
    SchemaRegistry(RegistryHttp(record["registry_url"])).register("kept-value", '"string"')
    assert commands.run("down", "--keep-data").returncode == 0
    assert commands.programs() == []
    record = commands.started(LOCAL_KAFKA)
    assert "kept" in AdminClient({"bootstrap.servers": record["bootstrap_servers"]}).list_topics(timeout=15).topics
    assert SchemaRegistry(RegistryHttp(record["registry_url"])).subjects() == ["kept-value"]


def test_a_busy_port_is_named_and_what_was_started_is_stopped_again(commands: Commands) -> None:
    with socket.create_server((ports.LOOPBACK, commands.ports["redis"])):
        outcome = commands.up("--profile", EMBEDDED)
        assert outcome.returncode == 2
        assert f"port {commands.ports['redis']}" in outcome.stderr
        assert f"pid {os.getpid()}" in outcome.stderr
        assert "--redis-port" in outcome.stderr
        assert not listens(f"{ports.LOOPBACK}:{commands.ports['kafka']}")
        assert not (commands.home / "stack.json").exists()
    assert commands.programs() == []


def test_what_an_interrupted_up_left_is_stopped_by_the_next(commands: Commands) -> None:
    first = commands.started(EMBEDDED)
    (commands.home / "stack.json").unlink()  # as after a kill -9 of `up` before it wrote down what runs
    commands.ports = {name: ports.free_port() for name in commands.ports}
    second = commands.started(EMBEDDED)
    assert not listens(first["bootstrap_servers"])
    assert answers_metadata(second["bootstrap_servers"])


def test_the_profile_is_chosen_and_its_meaning_told(commands: Commands) -> None:
    outcome = commands.up()
    assert outcome.returncode == 0, outcome.stderr
    assert "profile local-kafka (Java and Maven are here)" in outcome.stderr
    assert "a real Apache Kafka" in outcome.stdout
    assert f"export ATSTREAM_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:{commands.ports['kafka']}" in outcome.stdout
