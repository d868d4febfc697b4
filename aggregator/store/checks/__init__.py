"""What must hold between any two transactions, asked of the rows; see store/checking.py."""
