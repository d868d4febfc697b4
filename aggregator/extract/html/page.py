"""A web page: which of it is the article, and what the page says about it.

Boxes that are no part of an article are taken out first (`boxes`); then trafilatura reads the text. A second
opinion is asked only where the first has signs of having failed, since a second opinion on every page does
more harm than good (see `extract_text`). What it found is completed (`scattered`) and cleaned (`outside`,
`repeats`, `links`).

Every reader is given what is within the limits of `markup.bounded`; trafilatura copies the tree it is given,
so its changes do not reach ours. Its `deduplicate` stays off: it keeps state between documents and would
empty the fourth copy of an agency's text.
"""

import datetime as dt
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from aggregator.extract.html.after_body import without_what_follows
from aggregator.extract.html.boxes import (
    with_whole_words,
    without_boxes,
    without_layout_tables,
    without_unread,
)
from aggregator.extract.html.dom import html_to_text, tree_of, within_limits
from aggregator.extract.html.link_lines import Unlinked, without_teasers
from aggregator.extract.html.metadata import PageFacts, read_facts
from aggregator.extract.html.repeated_lines import without_repeats
from aggregator.extract.html.split_body import gather
from aggregator.extract.limits import TextRules
from aggregator.extract.lines import count_words

_log = logging.getLogger(__name__)
_HEAD_TAGS = frozenset({"title", "meta", "link", "script", "style", "base", "noscript", "template", "object"})


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """An article read out of a page: `text` has one paragraph a line."""

    facts: PageFacts
    text: str = ""
    truncated: bool = False
    words: int = 0  # found, links included
    link_share: float = 0.0  # of the words found in lines that are links, 0 to 1
    opening: str = ""  # the first words that a visitor sees; only where the text is short


def read_page(
    html: str,
    *,
    rules: TextRules,
    url: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> Page | None:
    """The article in `html`; None when there is no page to parse. `zone` and `seen` as in `dates`."""
    page = within_limits(html, rules)
    root = _parsed(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen, max_chars=rules.max_metadata_chars)
    read = _read(root, page.html, url, facts, rules)
    is_short = count_words(read.text) < rules.enough_words  # only then it may be a wall
    return Page(
        facts=facts,
        text=read.text,
        truncated=page.truncated,
        words=read.words,
        link_share=read.share,
        opening=_opening(_parsed(page.html), rules.opening_chars) if is_short else "",
    )


def _read(root: Any, html: str, url: str | None, facts: PageFacts, rules: TextRules) -> Unlinked:
    """The article in the page `root`, which is changed; `html`: the page, as yet unchanged.

    Where hardly anything is left without the boxes, the whole page is read: then it is a list of links, which
    must be seen to be told, or a box was the article.
    """
    headlines = (facts.title, *facts.headings)
    without_unread(root)
    with_whole_words(root)
    without_layout_tables(root)
    gone = without_boxes(root, headlines, rules)
    stated = count_words(facts.body)
    found = extract_text(root, url, rules=rules, stated_words=stated)
    if gone and count_words(found) < rules.enough_words:
        whole = _parsed(html)
        more = extract_text(whole, url, rules=rules, stated_words=stated)
        read = without_teasers(whole, more, rules)
        if read.share >= rules.list_link_share:
            return read
        if count_words(found) < rules.hardly_any_words:
            root, found = whole, more
    if _stands_in_data(found, facts.body, rules):
        found = html_to_text(facts.body)
    text = without_what_follows(root, gather(root, found, rules), rules)
    return without_teasers(root, without_repeats(text, headlines, rules), rules)


def _stands_in_data(found: str, stated: str, rules: TextRules) -> bool:
    """Whether the page's data has the article and its boxes do not: a script fills them.

    Then hardly anything was found, or the beginning of what the data has; or trafilatura took the text out of
    the data, all in one line. Data about something else is not believed.
    """
    words, found_words = count_words(stated), count_words(found)
    if words < rules.enough_words:
        return False
    if found_words == words:
        return "\n" not in found and "\n" in stated
    if found_words >= rules.enough_words or words <= rules.clearly_more * found_words:
        return False
    return found_words < rules.hardly_any_words or any(
        line in stated for line in found.split("\n") if count_words(line) >= rules.repeated_words
    )


def extract_text(root: Any, url: str | None = None, *, rules: TextRules, stated_words: int = 0) -> str:
    """The article's paragraphs, one a line; "" when none is found. `root` is the bounded page, parsed.

    `stated_words`: how long the page itself says its article is (JSON-LD), 0 when it does not.

    The fast reading is kept wherever it found an article's worth of words. Only where it found little is the
    reading with fallbacks tried, and it is taken where it has clearly more. readability-lxml as a third
    reading changed no page of either sample set (benchmarks/extraction.py).
    """
    plain = _by_trafilatura(root, url, fast=True)
    if count_words(plain) >= max(rules.enough_words, stated_words / rules.clearly_more):
        return plain
    thorough = _by_trafilatura(root, url, fast=False)
    return thorough if count_words(thorough) > rules.clearly_more * count_words(plain) else plain


def _parsed(html: str) -> Any:
    root = tree_of(html)
    if root is not None:
        _with_body(root)
    return root


def _with_body(root: Any) -> None:
    """Move what is no head out of the head: the parser leaves <article> there where <body> is not written."""
    head = root.find("head")
    strayed = (
        next((e for e in head if isinstance(e.tag, str) and e.tag not in _HEAD_TAGS), None)
        if head is not None
        else None
    )
    if strayed is None:
        return
    body = root.find("body")
    if body is None:
        body = root.makeelement("body")
        root.append(body)
    moved = [strayed, *strayed.itersiblings()]
    body[:0] = moved


def _by_trafilatura(root: Any, url: str | None, *, fast: bool) -> str:
    import trafilatura

    def read() -> str:
        found = trafilatura.bare_extraction(
            root,
            url=url,
            fast=fast,
            include_comments=False,
            deduplicate=False,
            with_metadata=False,
        )
        return (getattr(found, "text", None) or "") if found is not None else ""

    return _opinion("trafilatura", read)


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


def _opening(root: Any, max_chars: int) -> str:
    """The first words that a visitor sees, in at most `max_chars` characters."""
    body = next(iter(root.iter("body")), root)
    pieces: list[str] = []
    length = 0
    for element in body.iter():
        if length > max_chars:
            break
        if isinstance(element.tag, str) and element.tag not in ("script", "style", "template"):
            for piece in (element.text, element.tail):
                words = " ".join((piece or "").split())
                if words:
                    pieces.append(words)
                    length += len(words) + 1
    return " ".join(pieces)[:max_chars]
