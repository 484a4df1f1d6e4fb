"""Bytes, JSON and policy documents, one module at a time."""
