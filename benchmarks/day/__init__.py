"""A real day: the daemon reads 117 real feeds for the first time, then polls them again. See docs/evaluation.md."""
