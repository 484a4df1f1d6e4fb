"""Threads of a worker get the interpreter although its event loop lets go of it for moments only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from streams.data_plane import epoch, worker
from streams.data_plane.failures import Unavailable


@pytest.fixture
def interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("interval")
def test_a_thread_demands_the_interpreter_within_a_slice_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise Unavailable("no topics")

    monkeypatch.setattr(worker, "require_topics", missing)
    app = SimpleNamespace(plane=SimpleNamespace(settings=None, sources=(), changelogs={}))
    assert worker.run_worker(cast(Any, app)) == Unavailable.exit_code
    assert sys.getswitchinterval() < epoch._SLICE_S / 2
