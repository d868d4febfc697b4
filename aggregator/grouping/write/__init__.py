"""Write changes of stories: their rows, log, change stream, and the window."""
