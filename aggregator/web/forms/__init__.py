"""The forms of pages: signing in, corrections, sources, marks and mutes."""
