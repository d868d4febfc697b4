"""What a person starts: ingest, doctor, backup, restore, export, evaluation.

Imports `pipeline` and the packages below it, not `web`.
"""
