"""The counts of outlets and independent reports: who prints whose text, and which version of a text is current."""
