"""Finds the stored article with the same text as another one, and excerpts of it."""
