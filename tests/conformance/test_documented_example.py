"""The example in ``docs/add-a-channel.md`` passes the suite, word for word."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from connectors.channels.base import Outcome
from connectors.channels.kind import ChannelKind
from connectors.channels.kinds import MODULES, kind_named

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "add-a-channel.md").read_text()
MODULE, BENCH = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)

example = ModuleType("documented_corner_shop")
# pydantic resolves annotations by the module in which a model was made.
sys.modules[example.__name__] = example
exec(compile(MODULE, "docs/add-a-channel.md", "exec"), vars(example))
exec(compile(BENCH, "docs/add-a-channel.md", "exec"), vars(example))

bench = vars(example)["bench"]
TestDocumentedExample = vars(example)["TestCornerShopSink"]


def test_the_example_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.channels.kinds.MODULES", MODULES | {"corner-shop": example.__name__})
    kind = kind_named("corner-shop")
    assert isinstance(kind, ChannelKind)
    assert set(kind.settings.model_fields) == {"url", "client_secret", "client_secret_file"}


def test_every_part_the_page_names_is_used_in_the_example() -> None:
    named = re.findall(r"^\| `([A-Za-z_]+)` \| [A-Z]", DOCUMENT, re.MULTILINE)
    assert {"KindSettings", "CallLimits", "HttpCaller", "AuthorizedCaller", "not_taken"} == {
        name for name in named if not name.isupper()
    }
    assert all(name in MODULE for name in named if not name.isupper())


def test_every_outcome_is_explained() -> None:
    explained = re.findall(r"^\| `([A-Z]+)` \|", DOCUMENT, re.MULTILINE)
    assert sorted(explained) == sorted(outcome.value for outcome in Outcome)
