"""An XML parser for feedparser that passes on the text of an element in pieces of up to 8,192 characters.

The parser of the standard library passes on a piece for each line and each reference. An article of escaped HTML has
hundreds of these, and handling them took half of the time.
"""

from typing import Any
from xml.sax.expatreader import ExpatParser


class _Text(str):
    """Text that feedparser leaves as it is: the feed is translated from Windows-1252 already (xml_repair.py).

    feedparser would look up each character of each text that is not ASCII, which took a quarter of the time of parsing
    a feed.
    """

    __slots__ = ()

    def translate(self, _: object) -> str:
        return str(self)


class BufferingParser(ExpatParser):
    """The parser of the standard library, which collects text before passing it on."""

    def reset(self) -> None:
        """Begin a document."""
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]

    def setContentHandler(self, handler: Any) -> None:  # noqa: N802 - its name in the standard library
        """Set feedparser's handler, whose `decode_entities` then only wraps texts in `_Text`."""
        super().setContentHandler(handler)
        handler.decode_entities = lambda _, text: _Text(text)


def create_parser() -> BufferingParser:
    """Return a parser; `xml.sax.make_parser` calls this by its name."""
    return BufferingParser()
