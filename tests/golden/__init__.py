"""Worked cases with exact expected numbers."""
