"""Place entries: decide about new articles by corrections, copies and scores, and revise known articles."""
