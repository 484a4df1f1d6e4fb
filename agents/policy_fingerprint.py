"""A short name of what a policy decides, to see whether numbers told under another one still hold."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from domain.policy import Policy

_PUBLISHING = 2
"""Counts versions that have to assess every SKU once. 2: what waits to be told has a row."""


def policy_fingerprint(policy: Policy) -> str:
    """A short name of what the policy decides; such policies have equal names in one version of publishing.

    Which version of the policy that is, and since when, decides nothing.
    """
    decided = replace(policy, version=0, effective_from=None)
    return hashlib.sha256(f"{_PUBLISHING} {decided!r}".encode()).hexdigest()[:16]
