"""The sink process: consumes one channel's updates, tells the channel, acknowledges; never part of the worker."""
