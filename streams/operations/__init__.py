"""What operators and integration teams do beside running workers: replay, verify, explain, topics, schemas."""
