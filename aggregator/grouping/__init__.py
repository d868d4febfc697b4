"""What belongs together: copies (`copies`), events (`events`), constraints, identity of entries.

Pure, and the only package that imports datasketch. Imports `extract` and the packages below it.
"""
