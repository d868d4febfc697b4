"""What a story shows: title, lead, what the other reports say first, quotations, names, counts.

Pure. Imports `extract` and the packages below it.
"""
