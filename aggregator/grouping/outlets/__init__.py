"""What is learned of outlets: the lines that they repeat, and their names."""
