"""The way of an article: poll (`kinds`), accept, prepare (`workers`), hand over to grouping, render.

`recluster` decides all of them again. Imports `grouping`, `sources` and the packages below them.
"""
