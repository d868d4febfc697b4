"""The way of an article: poll, accept, prepare (`workers`), place and render (`placement`).

Imports `sources`, `store` and the packages below them.
"""
