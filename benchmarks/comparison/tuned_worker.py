"""``atstream worker`` with limits of its data plane that are no settings: BENCH_PLANE holds them as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import replace

from streams.data_plane.settings import PlaneSettings
from streams.settings import Settings, load_settings
from streams.worker import app, run

_usual = app.plane_settings


def tuned(settings: Settings) -> PlaneSettings:
    """The usual limits, but for the given ones."""
    return replace(_usual(settings), **json.loads(os.environ["BENCH_PLANE"]))


if __name__ == "__main__":
    logging.basicConfig(level="WARNING", stream=sys.stderr)
    app.plane_settings = tuned
    run.plane_settings = tuned  # type: ignore[attr-defined]  # imported there by name
    sys.exit(run.run(load_settings()))
