"""The core, one module at a time."""
