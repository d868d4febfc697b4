"""The parser below feedparser gives it text in large pieces."""

import xml.sax
from io import BytesIO
from xml.sax.handler import ContentHandler

import feedparser
import pytest

from aggregator.sources.parse.feeds.buffering_parser import BufferingParser
from tests.support.read_feeds import read
from tests.support.rss import item, rss


class Pieces(ContentHandler):
    """Collects the pieces of text."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def characters(self, content: str) -> None:
        self.pieces.append(content)


@pytest.mark.parametrize(
    "text", ["&lt;p&gt;Rain &amp;amp; wind&lt;/p&gt;\n" * 50, "<![CDATA[<p>\n]]>" * 50]
)
def test_feedparser_gets_lines_and_references_in_one_piece(text: str) -> None:
    read(rss(item("Rain", "Wind.")).encode())
    pieces = Pieces()
    parser = xml.sax.make_parser(feedparser.api.PREFERRED_XML_PARSERS)
    assert isinstance(parser, BufferingParser)
    parser.setContentHandler(pieces)
    parser.parse(BytesIO(f"<rss>{text}</rss>".encode()))
    assert len(pieces.pieces) == 1
