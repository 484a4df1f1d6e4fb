"""The local stack without its servers."""
