"""The worked publisher cases of semantics section 7, and our own, run event by event."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.facts import SECOND
from tests.publishing import Account, Change, publish_policy, told

DATA = Path(__file__).parent / "data"
CASES = [case for name in ("publish.json", "publish_own.json") for case in json.loads((DATA / name).read_text())]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['id']} {case['title']}" for case in CASES])
def test_the_channel_is_told_what_was_worked_out(case: dict[str, Any]) -> None:
    args = case["args"]
    account = Account(publish_policy(args["cfg"]), args["cfg"].get("tokens"))
    for listing, quantity in args["initial"].items():
        account.planner.restore(listing, told(quantity, at=0), 0)
    changes = [Change(at * SECOND, listing, quantity) for at, listing, quantity in args["changes"]]

    updates = account.run(changes, args["until"] * SECOND)

    assert [[u.planned_at / SECOND, u.listing, u.quantity, u.priority] for u in updates] == case["expect"]
