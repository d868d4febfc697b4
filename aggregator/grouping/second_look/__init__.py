"""Repeats decisions about stories that have changed, with what came since."""
