"""Seeded runs of the core under crashes, repetition and disorder."""
