"""The way of an article: poll (`kinds`, `polling`), accept, prepare (`workers`), and hand over to grouping.

`recluster` decides all articles again. The package imports `grouping`, `sources` and the packages below them.
"""
