"""What must hold between any two transactions, asked of the rows; see
store/maintenance/integrity_check.py.
"""
