"""What other people build on: schemas, topics, documentation, commands."""
