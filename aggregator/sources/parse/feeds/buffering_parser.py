"""The XML parser of feedparser, which gets the text of an element in pieces of up to 8,192 characters.

The parser of the standard library gives it a piece for each line and each reference: an article of escaped
HTML has hundreds, and handling them took half of the time.
"""

import re
from typing import Any
from xml.sax.expatreader import ExpatParser

_C1 = re.compile("[\x80-\x9f]")


class _Text(str):
    """Text whose characters feedparser only looks up if some are of Windows-1252.

    Looking up each character of each text that is not ASCII took a quarter of the time of a feed.
    """

    __slots__ = ()

    def translate(self, table: Any) -> str:
        return super().translate(table) if _C1.search(self) else str(self)


class BufferingParser(ExpatParser):
    """A parser of the standard library that collects text before it passes it on."""

    def reset(self) -> None:
        """Begin a document."""
        super().reset()
        self._parser.buffer_text = True  # type: ignore[attr-defined]

    def setContentHandler(self, handler: Any) -> None:  # noqa: N802 - its name in the standard library
        """Set the parser of feedparser, which gets each text from its `decode_entities`."""
        super().setContentHandler(handler)
        handler.decode_entities = lambda _, text: _Text(text)


def create_parser() -> BufferingParser:
    """Return a parser; `xml.sax.make_parser` calls this by its name."""
    return BufferingParser()
