"""The local stack: a broker, a schema registry and a Redis-compatible server on this machine's loopback."""
