"""Places entries: what each becomes, by corrections, copies and scores, and what one that comes again changes."""
