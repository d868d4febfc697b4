"""What readers and recipients may see, and its safe form: settings, excerpt limit, JSON of stories, clean texts."""
