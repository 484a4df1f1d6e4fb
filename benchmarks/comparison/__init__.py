"""All sides on one broker: installed, started, measured from outside (``benchmarks/peers/README.md``)."""
