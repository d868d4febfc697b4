"""Delete articles: by the command `forget`, or because they are old."""
