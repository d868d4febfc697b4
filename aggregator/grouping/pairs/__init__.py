"""Compares two reports: terms, features, and the model that says how sure it is that they are one event."""
