"""The installed Faust still has what the data plane relies on."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from streams.data_plane import internals
from streams.data_plane.internals import Internal


def test_faust_has_every_internal_that_the_plane_relies_on() -> None:
    found = internals.problems()
    assert not found, (
        f"faust-streaming {version('faust-streaming')} is not what streams/data_plane was written for"
        f" ({internals.FAUST_VERSION}):\n  " + "\n  ".join(found)
    )


@pytest.mark.parametrize(
    ("internal", "said"),
    [
        (Internal("faust.app.base", "App.no_such_method", (), "nothing"), "is gone"),
        (Internal("faust.no_such_module", "App", (), "nothing"), "is gone"),
        (Internal("faust.app.base", "App._crash", ("no_such_parameter",), "nothing"), "no longer takes"),
    ],
)
def test_a_missing_internal_is_named(monkeypatch: pytest.MonkeyPatch, internal: Internal, said: str) -> None:
    monkeypatch.setattr(internals, "INTERNALS", (internal,))
    (problem,) = internals.problems()
    assert said in problem
    assert internal.path in problem
