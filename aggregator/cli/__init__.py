"""The commands: each parses its options, calls, and prints. Imports every package."""
