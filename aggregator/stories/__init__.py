"""The content of a story: title, lead, openings of the other reports, quotations, names, topics and counts.

All functions are pure. The package imports `extract` and the packages below it.
"""
