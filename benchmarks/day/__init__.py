"""A real day: the daemon reads 117 real feeds for the first time, then goes on. See docs/evaluation.md."""
