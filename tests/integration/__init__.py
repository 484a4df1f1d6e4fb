"""The system on real brokers, which the suite starts itself."""
