"""Compare articles with stories: scores, guards, and the agreement of a text with a story."""
