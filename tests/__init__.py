"""Proof by suite: unit, properties, golden, contracts, topology, simulation, integration."""
