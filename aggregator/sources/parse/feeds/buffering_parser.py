"""The XML parser of feedparser, which gets the text of an element in pieces of up to 8,192 characters.

The parser of the standard library gives it a piece for each line and each reference: an article of escaped
HTML has hundreds, and handling them took half of the time.
"""

from xml.sax.expatreader import ExpatParser


class BufferingParser(ExpatParser):
    """A parser of the standard library that collects text before it passes it on."""

    def reset(self) -> None:
        """Begin a document."""
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]


def create_parser() -> BufferingParser:
    """Return a parser; `xml.sax.make_parser` calls this by its name."""
    return BufferingParser()
