"""What a story shows: headline, counts, names, facts (`facts`), summary and merged text (`text`).

Pure. Imports `cluster` and the packages below it.
"""
