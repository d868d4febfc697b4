"""What decides which article belongs to which story, and writes stories.

A batch of prepared entries comes in by `place.py` and `place_entry.py`. For each article a decider returns
a change (`changes.py`): `decide.py` for a new one, `revise.py` for a known one, `second_look` for stories
that have changed, `corrections` for what a person said, `deletion` for what is forgotten or too old. `write`
carries changes out. The window (`window.py`) has the live stories in memory; `copies` finds the same text,
`pairs` compares two reports, `outlets` knows what an outlet repeats and how it is called.

The only package that imports datasketch. Imports `store`, `stories` and the packages below them.
"""
