"""Builds that are broken on purpose, and schedules under which the same judge must notice each of them."""
