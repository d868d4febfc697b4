"""Decides all placed articles again, and computes derived rows again."""
