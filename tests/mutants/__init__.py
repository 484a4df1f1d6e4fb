"""Broken variants of the core, and the proof that the tests notice each of them."""
