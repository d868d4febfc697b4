"""Decide which story each article belongs to, and write the stories.

Batches of prepared entries arrive through `place.py` and `place_entry.py`. `decide.py` decides about a new article,
`revise.py` about a known article, and `second_look` about stories that have changed. `corrections` carries out the
decisions of a person, and `deletion` deletes articles that somebody erased or that are too old. `write` writes all of
these changes. The window (`window.py`) holds the live stories in memory, `copies` finds articles with the
same text, `pairs` compares two reports, and `outlet_memory.py` learns the names of outlets and the lines that they
repeat. Which version of a text is the current one is decided when a story is read (`stories/counting/originals.py`).

No other package imports datasketch. This package imports `store`, `stories` and the packages below them.
"""
