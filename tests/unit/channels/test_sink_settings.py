from __future__ import annotations

from pathlib import Path

import pytest

from connectors.channels.base import ChannelUnusable
from connectors.channels.file import FileSettings
from connectors.channels.kinds import MODULES, kind_named
from connectors.channels.webhook import WebhookSettings
from domain.facts import SECOND
from domain.limits import CallsPerWindow, RateAndBurst, SerialOnly
from streams.settings import InvalidSettings
from streams.sink.settings import SinkSettings, load_sink_settings

SECRET = "whsec_bmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldw=="


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KIND", "PATH", "URL", "SECRETS", "SECRETS_FILE", "BURST"):
        monkeypatch.delenv(f"ATSTREAM_SINK__{name}", raising=False)
    return tmp_path / "atstream.toml"


def test_the_channels_own_table_wins_over_the_common_one_and_the_environment_over_both(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text(
        '[sink]\nkind = "file"\npath = "all.jsonl"\nburst = 3\n'
        '[sink.channels.web]\npath = "web.jsonl"\nrate_per_s = 0.5\n[sink.channels.amazon]\nrate_per_s = 9\n'
    )
    web = load_sink_settings("web", toml)
    assert web.own == FileSettings(path=Path("web.jsonl"))
    assert (web.delivery.rate_per_s, web.delivery.burst) == (0.5, 3)
    monkeypatch.setenv("ATSTREAM_SINK__BURST", "7")
    assert load_sink_settings("amazon", toml).delivery.burst == 7
    monkeypatch.setenv("ATSTREAM_SINK__PATH", "elsewhere.jsonl")
    assert load_sink_settings("ebay", toml).own == FileSettings(path=Path("elsewhere.jsonl"))


def test_calls_are_limited_as_the_kind_documents_unless_somebody_says_otherwise(toml: Path) -> None:
    store = 'kind = "bigcommerce"\nstore_hash = "h"\naccess_token = "t"\n'
    toml.write_text(
        f"[sink.channels.big]\n{store}[sink.channels.other]\n{store}rate_per_s = 15\nbudget_serial = false\n"
    )
    quota, serial = load_sink_settings("big", toml).call_limits["calls"]
    assert quota == CallsPerWindow(150, 30 * SECOND, 10)
    assert serial == SerialOnly(10 * SECOND)
    assert load_sink_settings("other", toml).call_limits == {"calls": (RateAndBurst(15, SECOND, 10),)}


def test_what_only_other_kinds_understand_is_passed_over_in_the_common_table_and_a_mistake_in_the_own_one(
    toml: Path,
) -> None:
    toml.write_text('[sink]\npath = "all.jsonl"\n[sink.channels.web]\nkind = "file"\n')
    assert load_sink_settings("web", toml).own == FileSettings(path=Path("all.jsonl"))
    toml.write_text('[sink]\nurl = "https://x"\n[sink.channels.web]\nkind = "file"\npath = "x"\n')
    assert load_sink_settings("web", toml).own == FileSettings(path=Path("x"))
    toml.write_text('[sink.channels.web]\nkind = "file"\npath = "x"\nurl = "https://x"\n')
    with pytest.raises(InvalidSettings, match=r"sink\.url: "):
        load_sink_settings("web", toml)


@pytest.mark.parametrize("name", ["ATSTREAM_SINK__KIND", "atstream_sink__kind"])
def test_the_environment_alone_is_enough(toml: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "shopify")
    monkeypatch.setenv("ATSTREAM_SINK__URL", "https://shop.example")
    monkeypatch.setenv("ATSTREAM_SINK__LOCATION_ID", "71")
    monkeypatch.setenv("ATSTREAM_SINK__ACCESS_TOKEN", "shpat_hush")
    read = load_sink_settings("web", toml)
    assert read.own.secret("access_token").get_secret_value() == "shpat_hush"
    assert "shpat_hush" not in repr(read)
    assert read.calls.max_updates == 250
    monkeypatch.setenv("ATSTREAM_SINK__ACCESS_TOKEN_FILE", "also.secret")
    with pytest.raises(InvalidSettings, match="needs either access_token or access_token_file") as invalid:
        load_sink_settings("web", toml)
    assert "shpat_hush" not in str(invalid.value)


def test_the_number_of_updates_is_the_kinds_unless_set_and_never_above_what_the_kind_takes(toml: Path) -> None:
    toml.write_text('[sink]\nkind = "file"\npath = "x"\n')
    assert load_sink_settings("web", toml).calls.max_updates == FileSettings.usual_updates
    toml.write_text('[sink]\nkind = "file"\npath = "x"\nmax_updates = 99000\n')
    with pytest.raises(InvalidSettings, match="kind file takes at most 10000"):
        load_sink_settings("web", toml)


def test_how_long_a_call_may_be_under_way_is_the_kinds_unless_set(toml: Path) -> None:
    toml.write_text('[sink]\nkind = "file"\npath = "x"\n')
    assert load_sink_settings("web", toml).doubt_settle_s == FileSettings.usual_settle_s
    toml.write_text('[sink]\nkind = "file"\npath = "x"\ndoubt_settle_s = 7.5\n')
    assert load_sink_settings("web", toml).doubt_settle_s == 7.5


@pytest.mark.parametrize("name", sorted(MODULES))
def test_no_kind_has_a_setting_that_every_sink_has(name: str) -> None:
    assert not set(kind_named(name).settings.model_fields) & set(SinkSettings.model_fields)


def test_secrets_are_one_text_or_a_file_of_their_own(toml: Path, tmp_path: Path) -> None:
    toml.write_text(
        f'[sink]\nkind = "webhook"\nurl = "https://shop.example/hook"\nsecrets = "{SECRET} {SECRET}"\n'
    )
    settings = load_sink_settings("web", toml)
    assert isinstance(settings.own, WebhookSettings)
    assert [one.get_secret_value() for one in settings.own.signing_secrets()] == [SECRET, SECRET]
    assert "bmV3" not in repr(settings)
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    toml.write_text(f'[sink]\nkind = "webhook"\nurl = "https://x.example"\nsecrets_file = "{tmp_path}/secret"\n')
    assert load_sink_settings("web", toml).own.secret("secrets").get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sink.kind"),
        ('[sink]\nkind = "fax"\n', "sink.kind"),
        ('[sink]\nkind = "file"\n', "sink.path: Field required"),
        ('[sink]\nkind = "webhook"\nsecrets = "x"\n', "sink.url: Field required"),
        ('[sink]\nkind = "webhook"\nurl = "https://x"\n', "either secrets or secrets_file"),
        ('[sink]\nkind = "file"\npath = "x"\nburst = 0\n', "sink.burst"),
        ('[sink]\nkind = "file"\npath = "x"\nspeed = 1\n', "sink.speed"),
        ('[sink]\nkind = "webhook"\nurl = "ftp://x"\nsecrets = "x"\n', "sink.url"),
        ('[sink]\nkind = "webhook"\nurl = "https://me:pw@x"\nsecrets = "x"\n', "user name or password"),
        ("sink = 3\n", "sink must be a table"),
        ("[sink\n", "cannot be read"),
    ],
)
def test_a_mistake_is_named(toml: Path, text: str, said: str) -> None:
    toml.write_text(text)
    with pytest.raises(InvalidSettings) as invalid:
        load_sink_settings("web", toml)
    assert said in str(invalid.value)


def test_a_mistake_in_a_secret_is_not_quoted(toml: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATSTREAM_SINK__SECRETS", SECRET)
    toml.write_text('[sink]\nkind = "webhook"\n')
    with pytest.raises(InvalidSettings) as invalid:
        load_sink_settings("web", toml)
    assert "bmV3" not in str(invalid.value)


def test_a_file_of_secrets_that_is_not_there_is_named(toml: Path) -> None:
    toml.write_text('[sink]\nkind = "webhook"\nurl = "https://x"\nsecrets_file = "/nowhere/secret"\n')
    with pytest.raises(ChannelUnusable, match="/nowhere/secret"):
        load_sink_settings("web", toml).sink("web")
