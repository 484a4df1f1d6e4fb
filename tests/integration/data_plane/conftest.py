"""A rig for each chaos test, on the session's real broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.data_plane.rig import Rig


@pytest.fixture
def rig(kafka: str, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Rig]:
    """A run of its own on the shared Kafka."""
    rig = Rig(kafka, unique("toy"), tmp_path)
    yield rig
    rig.close()
