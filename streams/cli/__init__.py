"""The command line, ``atstream COMMAND``; what its exit codes mean is in ``outcome``."""

from streams.cli.root import main

__all__ = ["main"]
