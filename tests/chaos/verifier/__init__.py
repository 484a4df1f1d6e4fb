"""Judges a round of chaos: everything is read from the topics and recomputed with the pure core.

The verifier shares with the workers what defines meaning (the core, the builders of facts, the form of a changelog
row) and nothing of what they run: no generated readers, no tables, no agents, no data plane.
"""

from tests.chaos.verifier.judgement import Judgement, examine, judge, verify_round

__all__ = ["Judgement", "examine", "judge", "verify_round"]
