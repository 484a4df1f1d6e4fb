"""Channel sinks and what they share, one module at a time."""
