"""A web page: which of it is the article, and what the page says about it.

trafilatura reads the text; a second opinion is asked only where the first has signs of having failed, since a
second opinion on every page does more harm than good (see `extract_text`). Every reader is given a `str`
within the limits of `markup.bounded`; trafilatura's `deduplicate` stays off: it keeps state between documents
and would empty the fourth copy of an agency's text.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words
from aggregator.text.markup import bounded, html_to_text
from aggregator.text.metadata import PageFacts, read_facts

_log = logging.getLogger(__name__)

# Chosen on the very pages they are measured on (217, benchmarks/extraction.py): unproven elsewhere. The plain
# reading found less than .6 of the article on six: three have far more in the fallback (27, 118 and 150 words
# against 686, 775 and 982), the others are missed by both. On one page of 143 words the fallback is wrong.
_ENOUGH_WORDS = 150
_HARDLY_ANY_WORDS = 40
_OPENING_CHARS = 4000
_CLEARLY_MORE = 3.0


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """An article read out of a page: `text` has one paragraph a line."""

    facts: PageFacts
    text: str = ""
    truncated: bool = False
    link_share: float = 0.0  # of the body's words that stand in links, 0 to 1
    opening: str = ""  # the first words that a visitor sees, walls and dialogues included


def read_page(
    html: str,
    *,
    rules: TextRules,
    url: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> Page | None:
    """The article in `html`; None when there is no page to parse. `zone` and `seen` as in `dates`."""
    page = bounded(
        html,
        max_chars=rules.max_html_chars,
        max_elements=rules.max_elements,
        max_attributes=rules.max_attributes,
    )
    root = _parsed(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen, max_chars=rules.max_metadata_chars)
    text = extract_text(page.html, url, stated_words=count_words(facts.body))
    spoken = " ".join(_spoken(root))
    return Page(
        facts=facts,
        text=text,
        truncated=page.truncated,
        link_share=_link_share(root, count_words(spoken)),
        opening=" ".join(spoken[:_OPENING_CHARS].split()),
    )


def extract_text(html: str, url: str | None = None, *, stated_words: int = 0) -> str:
    """The article's paragraphs, one a line; "" when none is found. `html` must be bounded already.

    `stated_words`: how long the page itself says its article is (JSON-LD), 0 when it does not.

    The plain reading is kept wherever it found an article's worth of words. Only where it found little are
    the readings with a fallback asked, and the one with clearly more is taken, readability's only where the
    others have next to nothing: on pages of many countries it is the worst (benchmarks/extraction.py).
    """
    plain = _by_trafilatura(html, url, fast=True)
    if count_words(plain) >= max(_ENOUGH_WORDS, stated_words / _CLEARLY_MORE):
        return plain
    thorough = _by_trafilatura(html, url, fast=False)
    best = thorough if count_words(thorough) > _CLEARLY_MORE * count_words(plain) else plain
    if count_words(best) >= _HARDLY_ANY_WORDS:
        return best
    other = _by_readability(html)
    return other if count_words(other) > _CLEARLY_MORE * max(count_words(best), _HARDLY_ANY_WORDS) else best


def _parsed(html: str) -> Any:
    import lxml.etree
    import lxml.html

    try:
        return lxml.html.document_fromstring(html, parser=lxml.html.HTMLParser(huge_tree=False))
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return None


def _by_trafilatura(html: str, url: str | None, *, fast: bool) -> str:
    import trafilatura

    def read() -> str:
        found = trafilatura.bare_extraction(
            html, url=url, fast=fast, include_comments=False, deduplicate=False, with_metadata=False
        )
        return (getattr(found, "text", None) or "") if found is not None else ""

    return _opinion("trafilatura", read)


def _by_readability(html: str) -> str:
    import readability

    return _opinion(
        "readability", lambda: html_to_text(readability.Document(html).summary(html_partial=True))
    )


def _opinion(reader: str, read: Callable[[], str]) -> str:
    """The boundary against strangers' markup: what a library raises on it is logged and means "no opinion".

    A lack of memory is not the page's opinion and goes on to the worker's limits.
    """
    try:
        return read()
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the one named boundary of this room
        _log.warning("%s failed on a page", reader, exc_info=True)
        return ""


def _link_share(root: Any, words: int) -> float:
    linked = sum(count_words(" ".join(link.itertext())) for link in root.iter("a"))
    return min(1.0, linked / words) if words else 0.0


def _spoken(root: Any) -> list[str]:
    body = next(iter(root.iter("body")), root)
    return [
        piece
        for element in body.iter()
        if isinstance(element.tag, str) and element.tag not in ("script", "style", "template")
        for piece in (element.text, element.tail)
        if piece
    ]
