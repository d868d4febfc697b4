"""Repeat the decisions about stories that have changed, with the articles that came since."""
