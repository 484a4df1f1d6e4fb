"""Reach out: channel sinks, source adapters, registry, Redis, metrics."""
