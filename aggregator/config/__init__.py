"""Settings, the file that they come from, tuning constants, saved queries, messages and logging.

Imports `model`.
"""
