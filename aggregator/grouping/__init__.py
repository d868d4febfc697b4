"""Decide which story each article belongs to, and write the stories.

Batches of prepared entries arrive through `place.py` and `place_entry.py`. For each article a decider returns
a change (`changes.py`): `decide.py` for a new article, `revise.py` for a known article, `second_look` for
stories that have changed, `corrections` for the decisions of a person, `deletion` for articles that somebody
erased or that are too old. `write` carries the changes out. The window (`window.py`) holds the live stories in
memory, `copies` finds articles with the same text, `pairs` compares two reports, and
`outlet_memory.py` learns the names of outlets and the lines that they repeat. Which version of a text is the
current one is decided when a story is read (`stories/counting/originals.py`).

No other package imports datasketch. This package imports `store`, `stories` and the packages below them.
"""
