"""Assembles and runs: settings, the batch data plane, the worker, the command line."""
