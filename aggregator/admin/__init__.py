"""Tasks that a person starts: ingest, doctor, backup, restore, export, evaluation.

Imports `publish` and the packages below it, not `web`.
"""
