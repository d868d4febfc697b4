"""The subjects of a story: names that its outlets use, and topics by the categories that they declare."""


def subject_key(label: str) -> str:
    """Return the form by which names and topics are compared and found."""
    return " ".join(label.casefold().split())
