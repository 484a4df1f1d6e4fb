from __future__ import annotations

from pathlib import Path

import pytest

from streams.local import jars
from tests.integration.conftest import JAR_CACHE


@pytest.fixture(scope="session")
def jar_cache() -> Path:
    """Where Kafka's jars are kept between runs; skips where no real Kafka can be run."""
    reason = jars.missing()
    if reason is not None:
        pytest.skip(f"needs a real Apache Kafka: {reason}")
    jars.resolve(JAR_CACHE)
    return JAR_CACHE
