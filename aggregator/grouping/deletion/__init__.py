"""Articles that go: by the command `forget`, or because they are old."""
