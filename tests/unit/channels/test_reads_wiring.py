"""Which sinks read back as configured, and where their reads take tokens from."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.budgets_reads import BudgetedReads
from streams.sink.budget import metered
from streams.sink.run import _read_back
from streams.sink.settings import SinkConfiguration, load_sink_settings
from tests.conformance.rig import Clock, Journal, Lifetime
from tests.unit.channels.test_delivery import Scripted

STORE = 'kind = "bigcommerce"\nstore_hash = "abc123"\naccess_token = "hush"\n'


def configured(tmp_path: Path, text: str) -> SinkConfiguration:
    toml = tmp_path / "atstream.toml"
    toml.write_text(f"[sink]\n{text}")
    return load_sink_settings("web", toml)


def delivery() -> Lifetime:
    return Lifetime(Scripted(), Journal(), Clock())


def test_reads_of_a_sink_with_limits_of_its_own_are_its_own(tmp_path: Path) -> None:
    configuration = configured(tmp_path, STORE)
    sink = configuration.sink("web")
    with metered("web", sink, sink, configuration) as (_, _, reads):
        assert reads is sink
        back = _read_back(delivery().delivery, reads, Journal().write_down, configuration)
    assert back is not None
    assert (back.doubts.settle_s, back.doubts.most_reads) == (20.0, 5)


def test_reads_of_a_sink_with_a_shared_budget_take_its_tokens(tmp_path: Path) -> None:
    text = STORE + 'budget_url = "redis://127.0.0.1:1/0"\nbudget_member = "a"\n'
    configuration = configured(tmp_path, text)
    sink = configuration.sink("web")
    with metered("web", sink, sink, configuration) as (_, _, reads):
        assert isinstance(reads, BudgetedReads)


@pytest.mark.parametrize("text", ['kind = "file"\npath = "x"\n', STORE + "doubt_reads = 0\n"])
def test_nothing_is_read_of_a_channel_that_needs_it_not_or_where_it_is_switched_off(
    tmp_path: Path, text: str
) -> None:
    configuration = configured(tmp_path, text)
    sink = configuration.sink("web")
    with metered("web", sink, sink, configuration) as (_, _, reads):
        assert _read_back(delivery().delivery, reads, Journal().write_down, configuration) is None
