from __future__ import annotations

from random import Random

import pytest

from streams.demo.story import Plan, Story, tell
from streams.demo.transactions import SaleLine, Sales

ENDS_AT = 1_790_000_000_000_000
DAY_S = 86_400


def invented_sales(lines: int, seed: int = 1, skus: int = 12, stores: int = 6) -> Sales:
    """Sales shaped like the real ones, so that the tests need no data package."""
    chance = Random(seed)
    at, sold, basket = 1_483_228_800_000_000, [], 0
    while len(sold) < lines:
        basket += 1
        at += chance.randint(1, DAY_S // 20) * 1_000_000
        store = f"store-{chance.randint(1, stores)}"
        for sku in chance.sample(range(skus), chance.randint(1, 4)):
            quantity = chance.choice((1, 1, 1, 1, 2, 2, 3, 6))
            sold.append(SaleLine(store, str(basket), f"sku-{sku:02}", quantity, at))
    return Sales(tuple(sold[:lines]), {f"sku-{sku:02}": f"Thing {sku}" for sku in range(skus)})


@pytest.fixture(scope="session")
def story() -> Story:
    return tell(invented_sales(2_000), Plan(ENDS_AT))
