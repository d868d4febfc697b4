"""The title of a story: which titles of its articles are compared, their scores, and the choice."""
