"""Corrections by a person, and explanations of the program's decisions."""
