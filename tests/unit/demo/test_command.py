from __future__ import annotations

import pytest
from click.testing import CliRunner

from streams.demo import run as run_module
from streams.demo.children import ChildFailed
from streams.demo.command import INTERRUPTED, demo
from streams.demo.play import TooLate
from streams.demo.run import Options
from streams.demo.shopfronts import ShopsMissing
from streams.demo.transactions import DemoDataMissing
from streams.local.errors import StartFailed, Unavailable


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (True, 0, ""),
        (False, 1, ""),
        (DemoDataMissing("install the extra"), 2, "install the extra"),
        (ShopsMissing("install graphql-core"), 2, "install graphql-core"),
        (Unavailable("no broker can be run here"), 2, "no broker can be run here"),
        (StartFailed("kafka ended"), 3, "kafka ended"),
        (ChildFailed("worker-2 ended with status 70"), 3, "worker-2 ended with status 70"),
        (TooLate("workers join: not reached in 60 s"), 3, "not reached in 60 s"),
        (KeyboardInterrupt(), INTERRUPTED, "interrupted"),
    ],
)
def test_how_the_demo_ends_is_its_exit_code(
    end: bool | BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(options: Options, console: object) -> bool:
        assert options == Options(30_000, 60.0, 7, False, True)
        if isinstance(end, BaseException):
            raise end
        return end

    monkeypatch.setattr(run_module, "run", play)
    result = CliRunner().invoke(demo, ["--plain"])
    assert result.exit_code == code
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("option", [["--events", "10"], ["--events", "99999999"], ["--seconds", "1"]])
def test_unreasonable_options_are_refused(option: list[str]) -> None:
    result = CliRunner().invoke(demo, option)
    assert result.exit_code == 2
    assert option[0] in result.output
