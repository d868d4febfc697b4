"""Compare two reports: terms, features, and the model that gives the odds that they report one event."""
