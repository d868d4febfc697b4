"""Count outlets and independent reports: who prints whose text, and which state of a text is current."""
