"""Listen: a batch of events in, changed state and outputs out."""
