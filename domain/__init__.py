"""Decides: facts in; numbers, findings and updates out. Standard library only, no IO, no clock."""
