"""How a command ends: exit codes, and errors as one readable message instead of a traceback."""

from __future__ import annotations

import click

DONE = 0
ANSWER_IS_NO = 1
USAGE = 2
OUTAGE = 3


class UsageFailure(click.ClickException):
    """The input or the configuration cannot work; the message says what and how to mend it."""

    exit_code = USAGE


class OutageFailure(click.ClickException):
    """Something we need does not answer; trying again later may help."""

    exit_code = OUTAGE
