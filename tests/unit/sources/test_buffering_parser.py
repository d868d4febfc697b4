"""Feedparser gets text in large pieces, and nothing that is not used."""

import xml.sax
from io import BytesIO
from unittest.mock import Mock
from xml.sax.handler import ContentHandler

import feedparser
import pytest

from aggregator.sources.parse.feeds.buffering_parser import BufferingParser
from aggregator.sources.parse.feeds.feedparser_feed import for_feedparser
from tests.support.read_feeds import read
from tests.support.rss import item, rss


@pytest.mark.parametrize(
    "text", ["&lt;p&gt;Rain &amp;amp; wind&lt;/p&gt;\n" * 50, "<![CDATA[<p>\n]]>" * 50]
)
def test_feedparser_gets_lines_and_references_in_one_piece(text: str) -> None:
    read(rss(item("Rain", "Wind.")).encode())
    handler = Mock(spec=ContentHandler)
    parser = xml.sax.make_parser(feedparser.api.PREFERRED_XML_PARSERS)
    assert isinstance(parser, BufferingParser)
    parser.setContentHandler(handler)
    parser.parse(BytesIO(f"<rss>{text}</rss>".encode()))
    assert handler.characters.call_count == 1


def test_feedparser_does_not_get_the_categories_of_the_feed_itself() -> None:
    """A blog had 1,261 of them."""
    feed = '<feed><category term="blog"/><entry><category term="ferry"/></entry></feed>'
    assert for_feedparser(feed).count("<category") == 1
