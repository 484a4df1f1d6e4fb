"""The worked kit cases of semantics section 4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.kits import kit_available

CASES = json.loads((Path(__file__).parent / "data" / "kit.json").read_text())


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['title']}" for case in CASES])
def test_a_kit_has_the_worked_number(case: dict[str, Any]) -> None:
    args = case["args"]
    need = [(component, units) for component, units in args["need"]]

    assert (
        kit_available(
            args["comp_loc_ats"], need, args.get("prebuilt", 0), across_locations=args.get("scope") == "POOL"
        )
        == case["expect"]
    )
