"""The whole system on real retail transactions, with a live view, a crash and a proof."""
