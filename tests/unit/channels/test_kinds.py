from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr, ValidationError

from connectors.channels.base import ChannelUnusable
from connectors.channels.kind import MAX_SECRET_BYTES, CallLimits, HttpAddress, KindSettings
from connectors.channels.kinds import MODULES, kind_named


class Settings(KindSettings):
    optional_secrets: ClassVar[frozenset[str]] = frozenset({"second"})

    url: HttpAddress = "https://shop.example"
    first: SecretStr | None = None
    first_file: Path | None = None
    second: SecretStr | None = None
    second_file: Path | None = None


@pytest.mark.parametrize("name", sorted(MODULES))
def test_every_kind_is_strict_and_frozen_and_says_how_many_updates_it_takes(name: str) -> None:
    settings = kind_named(name).settings
    assert settings.model_config["extra"] == "forbid"
    assert settings.model_config["frozen"] is True
    assert 1 <= settings.usual_updates <= settings.most_updates


@pytest.mark.parametrize("name", sorted(MODULES))
def test_whatever_is_secret_is_typed_as_one_and_may_be_in_a_file(name: str) -> None:
    fields = kind_named(name).settings.model_fields
    telling = {field for field in fields if any(word in field for word in ("secret", "token", "password"))}
    texts = {field for field in telling if fields[field].annotation not in (HttpAddress, Path | None)}
    for field in texts - {one for one in telling if one.endswith(("_url", "_file"))}:
        assert fields[field].annotation == SecretStr | None, field
        assert f"{field}_file" in fields


@pytest.mark.parametrize("module", sorted(set(MODULES.values())))
def test_a_kind_is_made_by_its_module_alone(module: str) -> None:
    source = Path(str(import_module(module).__file__)).read_text()
    imported = {node.module for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    assert not imported & (set(MODULES.values()) - {module})


def test_a_sink_loads_no_other_kinds_code() -> None:
    script = (
        "import sys; from connectors.channels.kinds import kind_named; kind_named('file');"
        "print([name for name in sys.modules if 'shopify' in name or 'webhook' in name])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_an_unknown_kind_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        kind_named("fax")


def test_a_module_without_a_kind_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.channels.kinds.MODULES", {"json": "json"})
    with pytest.raises(AttributeError):
        kind_named("json")


def test_a_secret_is_a_text_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("  hush\n")
    assert Settings(first=SecretStr("hush")).secret("first").get_secret_value() == "hush"
    read = Settings(first_file=tmp_path / "secret")
    assert read.secret("first").get_secret_value() == "hush"
    assert (read.has_secret("first"), read.has_secret("second")) == (True, False)


@pytest.mark.parametrize(
    "given",
    [{}, {"second": "x"}, {"first": "x", "first_file": "y"}, {"first": "x", "second": "x", "second_file": "y"}],
)
def test_a_secret_is_given_once_unless_it_may_be_left_out(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"needs either (first|second) or \1_file"):
        Settings.model_validate(given)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_file_without_a_secret_is_named_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ChannelUnusable, match="first_file"):
        Settings(first_file=file).secret("first")


def test_a_file_of_secrets_is_not_read_without_end(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * (MAX_SECRET_BYTES + 5))
    assert len(Settings(first_file=tmp_path / "secret").secret("first").get_secret_value()) == MAX_SECRET_BYTES


def test_a_secret_that_is_not_configured_cannot_be_read() -> None:
    with pytest.raises(ChannelUnusable, match=r"sink\.second is not set"):
        Settings(first=SecretStr("x")).secret("second")


@pytest.mark.parametrize("url", ["shop.example", "ftp://x", "https://", "https://me:pw@x", "https://me@x"])
def test_an_address_names_a_host_and_nobodys_password(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"first": "x", "url": url})
    assert "url" in str(refused.value)


def test_an_attempt_takes_as_long_as_a_call_unless_the_kind_says_otherwise() -> None:
    assert Settings(first=SecretStr("x")).attempt_s(CallLimits(call_timeout_s=7.0)) == 7.0
