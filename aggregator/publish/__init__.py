"""Limit output to what readers and recipients may see, and make it safe: settings, excerpts, JSON, clean texts."""
