"""What the README tells a stranger is so: commands, settings, and the numbers of the quick start."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from connectors.channels.kinds import MODULES, kind_named
from streams.cli import outcome
from streams.cli.root import COMMANDS, main
from streams.data_plane import failures
from streams.settings import Settings
from streams.sink.settings import SinkSettings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = ROOT / "docs" / "examples"
NOT_THERE = "## What is not there yet"


def section(heading: str) -> str:
    return README.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def commands_in(text: str) -> set[str]:
    """Sub-commands of `atstream` in code: indented blocks (also behind a pipe) and back quotes."""
    code = [*re.findall(r"^ {4}(.*)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]
    return {name for line in code for name in re.findall(r"\batstream ([a-z]+)", line)}


def promised() -> list[str]:
    return sorted(commands_in(README.replace(section(NOT_THERE.removeprefix("## ")), "")))


def test_the_readme_shows_commands() -> None:
    assert {"up", "topics", "schemas", "policy", "worker", "produce", "explain", "verify"} <= set(promised())


@pytest.mark.parametrize("command", promised())
def test_every_command_the_readme_shows_can_be_loaded(command: str) -> None:
    module, _, attribute = COMMANDS[command][0].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str) -> None:
    answer = CliRunner().invoke(main, [command, "--help"])
    assert answer.exit_code == 0, answer.output
    assert "Usage:" in answer.output


def test_what_is_not_there_yet_is_not_there() -> None:
    missing = commands_in(section(NOT_THERE.removeprefix("## ")))
    assert missing
    assert not missing & set(COMMANDS)


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting with its default, as the tables write it."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from settings_of(kind, f"{prefix}{name}.")
        elif field.is_required():
            yield f"{prefix}{name}", "required"
        else:
            yield f"{prefix}{name}", "none" if field.default in (None, ()) else f"`{field.default}`"


ALL_SETTINGS = {**dict(settings_of(Settings)), **dict(settings_of(SinkSettings, "sink."))}


OF_KINDS = {name: dict(settings_of(kind_named(name).settings, "sink.")) for name in MODULES}


def settings_in(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `([a-z_.]+)` \| (\S+) \| .+ \|$", text, re.MULTILINE))


def test_every_setting_is_documented_with_its_default() -> None:
    common, *_ = re.split(r"^### ", (ROOT / "docs/settings.md").read_text(), flags=re.MULTILINE)
    assert settings_in(common) == ALL_SETTINGS


def test_every_kind_of_channel_is_documented_with_its_settings() -> None:
    _, *sections = re.split(r"^### ", (ROOT / "docs/settings.md").read_text(), flags=re.MULTILINE)
    told = {text.split("`")[1]: settings_in(text) for text in sections}
    assert told == OF_KINDS


def test_the_readme_shows_settings_that_exist() -> None:
    shown = settings_in(section("Settings"))
    assert shown
    known = set(ALL_SETTINGS.items()).union(*(settings.items() for settings in OF_KINDS.values()))
    assert shown.items() <= known


def replayed(policy: str, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "policy.yaml").write_text(policy)
    events = b"".join(path.read_bytes() for path in sorted(EXAMPLES.glob("*.jsonl")))
    arguments = [
        "replay",
        "-",
        "--json",
        "--policy",
        str(tmp_path / "policy.yaml"),
        "--now",
        "2026-01-06T00:00:00Z",
    ]
    answer = CliRunner().invoke(main, arguments, input=events)
    assert answer.exit_code == 0, answer.output
    numbers: dict[str, Any] = json.loads(answer.output)
    return numbers


def test_the_quick_start_ends_with_the_numbers_it_tells(tmp_path: Path) -> None:
    policy = (EXAMPLES / "policy.yaml").read_text()
    find, replace = re.findall(r"sed 's/([^/]+)/([^/]+)/' docs/examples/policy\.yaml", section("Quick start"))[0]
    assert find in policy

    before = replayed(policy, tmp_path)
    told = re.search(r"the pool has (\d+)\s.*?`web`.*?so (\d+)\.", section("Quick start"), re.DOTALL)
    assert told is not None
    pool, marketplace = map(int, told.groups())
    assert before["pools"]["default"]["available_to_sell"] == pool
    assert before["channels"] == {"web": pool, "marketplace": marketplace}

    after = replayed(policy.replace(find, replace), tmp_path)
    told = re.search(r"The pool has (\d+), `web` is told (\d+) and `marketplace` (\d+)\.", section("Quick start"))
    assert told is not None
    pool, web, marketplace = map(int, told.groups())
    assert after["pools"]["default"]["available_to_sell"] == pool
    assert after["channels"] == {"web": web, "marketplace": marketplace}


def test_every_file_the_quick_start_names_is_there() -> None:
    named = re.findall(r"(docs/examples/[\w.-]+\w)", section("Quick start"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_every_exit_code_is_told() -> None:
    told = {
        int(code) for code in re.findall(r"\b(\d{1,2}) (?:\(|[a-z])", section("Settings").split("Exit codes")[1])
    }
    of_commands = {outcome.DONE, outcome.ANSWER_IS_NO, outcome.USAGE, outcome.OUTAGE}
    of_workers = {
        kind.exit_code
        for kind in vars(failures).values()
        if isinstance(kind, type) and issubclass(kind, failures.PlaneFailure)
    }
    assert told == of_commands | of_workers
