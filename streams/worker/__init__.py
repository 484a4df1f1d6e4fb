"""The worker: the agents on the batch data plane."""
