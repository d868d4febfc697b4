"""Find stored articles with the same text as an article, and excerpts of it."""
