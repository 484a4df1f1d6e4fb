"""Speaks: Avro schemas, topics as data, bytes to facts and back, registry rules."""
