"""Decides placed articles again, and computes derived rows again."""
