"""The commands: each parses its options, calls another package, and prints the result. Imports every package."""
