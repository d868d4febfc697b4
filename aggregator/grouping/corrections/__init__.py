"""What a person decided, and why the program decided as it did."""
