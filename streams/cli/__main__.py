"""``python -m streams.cli`` is ``atstream``."""

from streams.cli.root import main

if __name__ == "__main__":
    main()
