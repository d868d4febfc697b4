"""Invariants that hold between any two transactions; see store/maintenance/integrity_check.py."""
