"""Sink processes against a real broker and a real HTTP channel."""
