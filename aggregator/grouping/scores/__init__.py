"""Compares articles with stories: scores, guards, and how much a text agrees with a story."""
