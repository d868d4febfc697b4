"""A web page: which of it is the article, and what the page says about it.

Boxes that are no part of an article are taken out first (`boxes`); then trafilatura reads the text. A second
opinion is asked only where the first has signs of having failed, since a second opinion on every page does
more harm than good (see `extract_text`). What it found is completed (`scattered`) and cleaned (`outside`,
`repeats`, `links`).

Every reader is given what is within the limits of `markup.bounded`; trafilatura copies the tree it is given,
so its changes do not reach ours. Its `deduplicate` stays off: it keeps state between documents and would
empty the fourth copy of an agency's text.

Lines that are links: teasers of other articles inside a text, and pages that hold nothing else.

Lines that say again what is known: the headline, in other pieces; a paragraph a second time.

What a reader took from behind the article: its box ended, and other boxes of the page follow.

The box of the article is the smallest that holds nearly all words found. What stands behind it, in a box of
another build, is about the outlet, the author or other articles.
"""

import datetime as dt
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from aggregator.extract.html.boxes import (
    with_whole_words,
    without_boxes,
    without_layout_tables,
    without_unread,
)
from aggregator.extract.html.dom import html_to_text, tree_of, within_limits
from aggregator.extract.html.metadata import PageFacts, read_facts
from aggregator.extract.html.split_body import gather
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.lines import count_words, ends_sentence

_TAGS = ("p", "li", "h2", "h3", "h4", "div", "blockquote", "td", "span", "section", "dd", "dt", "pre")
_CONTAINERS = frozenset({"div", "section", "td", "blockquote", "li", "dd"})
_LEVELS = 3
_KEY_CHARS = 50


class _TextPlace(msgspec.Struct, frozen=True):
    number: int  # in the order of the page
    element: Any
    above: tuple[Any, ...]  # from the element's box to the root


def without_what_follows(root: Any, text: str, tuning: ExtractTuning) -> str:
    """`text` (one paragraph a line) without the lines that stand behind the article's box on `root`."""
    lines = text.split("\n")
    words: dict[str, int] = {}
    for line in lines:
        words[_key(line)] = words.get(_key(line), 0) + count_words(line)
    words.pop("", None)
    places = _places(root, words)
    box = _box_of(words, places, tuning.article_share)
    if box is None:
        return text
    inside = [place for found in places.values() for place in found if box in place.above]
    last = max(place.number for place in inside)
    builds = {_build(place) for place in inside}
    behind = {key for key, found in places.items() if _is_behind(found, box, last, builds)}
    return "\n".join(line for line in lines if _key(line) not in behind)


def _is_behind(found: list[_TextPlace], box: Any, last: int, builds: set[tuple[str, ...]]) -> bool:
    return all(
        place.number > last and box not in place.above and _build(place) not in builds for place in found
    )


def _places(root: Any, wanted: Collection[str]) -> dict[str, list[_TextPlace]]:
    found: dict[str, list[_TextPlace]] = {}
    for number, element in enumerate(root.iter(*_TAGS)):
        if element.tag in _CONTAINERS and not (element.text or "").strip():
            continue  # what opens it is looked at for itself
        key = _opening_key(element)
        if key in wanted:
            found.setdefault(key, []).append(_TextPlace(number, element, tuple(element.iterancestors())))
    return found


def _opening_key(element: Any) -> str:
    """The key of the element's text, of which no more is read than the key takes."""
    letters = ""
    for piece in element.itertext():
        letters += _MARKS.sub("", piece[: 4 * _KEY_CHARS])
        if len(letters) >= _KEY_CHARS:
            break
    return letters[:_KEY_CHARS]


def _box_of(lengths: Mapping[str, int], places: Mapping[str, list[_TextPlace]], share: float) -> Any:
    """The deepest element that holds `share` of the words that were found on the page; None without any."""
    words: dict[Any, int] = {}
    depth: dict[Any, int] = {}
    for key, found in places.items():
        above = {box: len(place.above) - n for place in found for n, box in enumerate(place.above)}
        for box, level in above.items():
            words[box] = words.get(box, 0) + lengths[key]
            depth[box] = level
    total = sum(lengths[key] for key in places)
    enough = [box for box, count in words.items() if count >= share * total]
    return max(enough, key=depth.__getitem__, default=None)


def _build(place: _TextPlace) -> tuple[str, ...]:
    return tuple(f"{box.tag} {box.get('class') or ''}" for box in place.above[:_LEVELS])


def _key(line: str) -> str:
    return _MARKS.sub("", line[: 4 * _KEY_CHARS])[:_KEY_CHARS]


_HEAD_LINES = 6  # a repeated headline stands above the text


def without_repeats(text: str, headlines: Iterable[str], tuning: ExtractTuning) -> str:
    """`text` (one paragraph a line) without repeated headlines and without paragraphs that stood before.

    Letters alone are compared, since a topic and a headline are often glued together: "EuropeRain expected".
    """
    known = {letters for letters in map(_letters_of_line, headlines) if letters}
    seen: set[str] = set()
    kept = []
    for number, line in enumerate(text.split("\n")):
        letters = _letters_of_line(line)
        is_headline = number < _HEAD_LINES and letters in known
        is_again = letters in seen and not line.startswith("|") and count_words(line) >= tuning.repeated_words
        if not (is_headline or is_again):
            kept.append(line)
        seen.add(letters)
    return "\n".join(kept)


def _letters_of_line(line: str) -> str:
    return _MARKS.sub("", line).casefold()


_MARKS = re.compile(r"[\W_]+")


class UnlinkedText(msgspec.Struct, frozen=True):
    """A text without its teasers; `share` of its words stood in lines that are links, 0 to 1."""

    text: str
    words: int  # before
    share: float


def remove_link_lines(root: Any, text: str, tuning: ExtractTuning) -> UnlinkedText:
    """`text` (one paragraph a line) without the lines that are, from end to end, a link on the page `root`.

    Lines that end a sentence stay, and so do those of a few words, unless they stand above or below all
    others, as menus and tags do: names and sources are linked, too.
    """
    links = {_letters(link.text_content()) for link in root.iter("a")}
    lines = text.split("\n")
    is_link = [_letters(line) in links and not ends_sentence(line) for line in lines]
    first = next((n for n, is_one in enumerate(is_link) if not is_one), len(lines))
    last = next((n for n in range(len(lines) - 1, -1, -1) if not is_link[n]), -1)
    words = list(map(count_words, lines))
    linked = sum(
        count
        for count, line in zip(words, lines, strict=True)
        if _letters(line) in links and count >= tuning.teaser_words
    )
    kept = [
        line
        for n, line in enumerate(lines)
        if not is_link[n] or (words[n] < tuning.teaser_words and first < n < last)
    ]
    return UnlinkedText("\n".join(kept), sum(words), linked / (sum(words) or 1))


def _letters(line: str) -> str:
    return _MARKS.sub("", line)


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
    tuning: ExtractTuning,
    url: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> Page | None:
    """The article in `html`; None when there is no page to parse. `zone` and `seen` as in `dates`."""
    page = within_limits(html, tuning)
    root = _parsed(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen, max_chars=tuning.max_metadata_chars)
    read = _read(root, page.html, url, facts, tuning)
    is_short = count_words(read.text) < tuning.enough_words  # only then it may be a wall
    return Page(
        facts=facts,
        text=read.text,
        truncated=page.truncated,
        words=read.words,
        link_share=read.share,
        opening=_opening(_parsed(page.html), tuning.opening_chars) if is_short else "",
    )


def _read(root: Any, html: str, url: str | None, facts: PageFacts, tuning: ExtractTuning) -> UnlinkedText:
    """The article in the page `root`, which is changed; `html`: the page, as yet unchanged.

    Where hardly anything is left without the boxes, the whole page is read: then it is a list of links, which
    must be seen to be told, or a box was the article.
    """
    headlines = (facts.title, *facts.headings)
    without_unread(root)
    with_whole_words(root)
    without_layout_tables(root)
    gone = without_boxes(root, headlines, tuning)
    stated = count_words(facts.body)
    found = extract_text(root, url, tuning=tuning, stated_words=stated)
    if gone and count_words(found) < tuning.enough_words:
        whole = _parsed(html)
        more = extract_text(whole, url, tuning=tuning, stated_words=stated)
        read = remove_link_lines(whole, more, tuning)
        if read.share >= tuning.list_link_share:
            return read
        if count_words(found) < tuning.hardly_any_words:
            root, found = whole, more
    if _stands_in_data(found, facts.body, tuning):
        found = html_to_text(facts.body)
    text = without_what_follows(root, gather(root, found, tuning), tuning)
    return remove_link_lines(root, without_repeats(text, headlines, tuning), tuning)


def _stands_in_data(found: str, stated: str, tuning: ExtractTuning) -> bool:
    """Whether the page's data has the article and its boxes do not: a script fills them.

    Then hardly anything was found, or the beginning of what the data has; or trafilatura took the text out of
    the data, all in one line. Data about something else is not believed.
    """
    words, found_words = count_words(stated), count_words(found)
    if words < tuning.enough_words:
        return False
    if found_words == words:
        return "\n" not in found and "\n" in stated
    if found_words >= tuning.enough_words or words <= tuning.clearly_more * found_words:
        return False
    return found_words < tuning.hardly_any_words or any(
        line in stated for line in found.split("\n") if count_words(line) >= tuning.repeated_words
    )


def extract_text(root: Any, url: str | None = None, *, tuning: ExtractTuning, stated_words: int = 0) -> str:
    """The article's paragraphs, one a line; "" when none is found. `root` is the bounded page, parsed.

    `stated_words`: how long the page itself says its article is (JSON-LD), 0 when it does not.

    The fast reading is kept wherever it found an article's worth of words. Only where it found little is the
    reading with fallbacks tried, and it is taken where it has clearly more. readability-lxml as a third
    reading changed no page of either sample set (benchmarks/extraction.py).
    """
    plain = _by_trafilatura(root, url, fast=True)
    if count_words(plain) >= max(tuning.enough_words, stated_words / tuning.clearly_more):
        return plain
    thorough = _by_trafilatura(root, url, fast=False)
    return thorough if count_words(thorough) > tuning.clearly_more * count_words(plain) else plain


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
