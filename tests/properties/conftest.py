"""How hard properties look: the same examples in every run, or as many new ones as you have patience for.

    LAWS_EXPLORE=5000 pytest tests/properties

A failing example is printed with what it takes to run it again. The mutation check looks less hard
(``LAWS_EXAMPLES``) and does not need the smallest example (``LAWS_SHRINK=0``).
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings

EXPLORE = os.environ.get("LAWS_EXPLORE")
EXAMPLES = int(EXPLORE or os.environ.get("LAWS_EXAMPLES", "150"))
PHASES = set(Phase) if os.environ.get("LAWS_SHRINK") != "0" else {Phase.explicit, Phase.generate}

settings.register_profile(
    "laws",
    max_examples=EXAMPLES,
    derandomize=EXPLORE is None,
    phases=PHASES,
    # Machines differ; how long an example takes says nothing about whether the law holds.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("laws")
