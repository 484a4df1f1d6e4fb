"""Reaching out, one client at a time."""
