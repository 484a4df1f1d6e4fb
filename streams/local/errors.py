"""What can go wrong with the local stack, each error saying what to do about it."""

from __future__ import annotations


class LocalStackError(RuntimeError):
    """A part of the local stack cannot do what was asked; the message says why and what to do."""


class Unavailable(LocalStackError):
    """A program or package that a part needs is absent on this machine."""


class PortBusy(LocalStackError):
    """A port that a part wants is already listened on, by a program that the message names where it can."""


class StartFailed(LocalStackError):
    """A part ended, or was not ready in time; the message ends with the last lines of its log."""
