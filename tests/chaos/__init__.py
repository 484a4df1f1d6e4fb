"""Seeded rounds of faults on a real Kafka with real processes, judged by a verifier that recomputes everything."""
