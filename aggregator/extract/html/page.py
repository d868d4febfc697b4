"""Extraction from a web page: the article's text and the page's metadata.

What readers do not see (unseen.py) and boxes that are not part of the article (boxes.py) are removed first;
then trafilatura extracts the text, which is completed.

All parsing happens within the limits of `dom.bound_html`. trafilatura works on a copy of the tree. Its
option `deduplicate` stays off: it keeps state between documents and would empty the fourth copy of an
agency's text.

A body may be split into several elements by an embed or an advertisement, and extraction finds the one best
element. The elements of one article have the same structure: the same tags and classes on three levels. If
the paragraphs found are in elements of one structure, then whole elements of that structure without extracted
paragraphs are added at their position.
"""

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from functools import cache
from itertools import islice
from typing import Any

from aggregator.extract.html.boxes import (
    find_boxes,
    have_paragraphs,
    take_out,
    without_layout_tables,
)
from aggregator.extract.html.dom import bound_html, tree_of
from aggregator.extract.html.metadata import PageFacts, read_facts
from aggregator.extract.html.page_signals import PageSignals
from aggregator.extract.html.unseen import without_invisible
from aggregator.extract.limits import ExtractTuning
from aggregator.model.core import FrozenStruct
from aggregator.text.lines import count_words, ends_sentence, is_prose, letters_of

# Beyond, the text is read without justext: it compares each paragraph with those after it, so that 13,000 of
# them take 30 s and 3,000 take 1.5 s. Of 217 real pages the largest has 1,366.
_MAX_COMPARED = 3_000

# Of the letters of a page's text that its markup must have. Of 98 real pages 94 have more than .9, the others
# less than .7, because their text was found by a fallback of the library.
_LEAST_MARKUP = 0.85
_WITH_INLINE_CODE = frozenset(
    {"p", "item", "cell", "head", "hi", "ref", "quote", "del"}
)

_FIRST_PARAGRAPHS = 3
# Of the words of the article's paragraphs that boxes may take away (chosen)
_MOST_LOST = 1 / 3


def without_link_lines(
    root: Any, text: str, tuning: ExtractTuning
) -> tuple[str, float]:
    """Return `text` without lines that are a link of the page `root` as a whole, and their share, 0 to 1.

    Lines that end a sentence stay. Lines of a few words stay, too (names and sources are linked), unless they
    are before or after all other lines, like menus; they do not count in the share.
    """
    links = {letters_of(link.text_content()) for link in root.iter("a")}
    whole = text.split("\n")
    headlines = {
        line
        for line in whole
        if count_words(line) >= tuning.headline_words and letters_of(line) in links
    }
    lines = [line for line in whole if line not in headlines or ends_sentence(line)]
    for end in (0, -1):
        while (
            lines and letters_of(lines[end]) in links and not ends_sentence(lines[end])
        ):
            lines.pop(end)
    linked = sum(count_words(line) for line in whole if line in headlines)
    return "\n".join(lines), linked / (sum(map(count_words, whole)) or 1)


_log = logging.getLogger(__name__)


class Page(FrozenStruct):
    """An article extracted from a page; `text` has one paragraph per line."""

    facts: PageFacts
    text: str = ""
    truncated: bool = False
    # Share of the extracted words in lines that are links, 0 to 1
    link_share: float = 0.0
    # None: not read, because the text is long enough
    signals: PageSignals | None = None
    # Of the text, with links, code, tables and pictures; "" where they cannot be told
    markup: str = ""


def read_page(
    html: str,
    *,
    tuning: ExtractTuning,
    url: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> Page | None:
    """Extract the article in `html`; None if there is no page to parse. `zone` and `seen` as in dates.py."""
    page = bound_html(html)
    root = tree_of(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen)
    without_invisible(root)
    without_layout_tables(root)
    root, body = _without_boxes(root, url, tuning)
    text, link_share = without_link_lines(
        root, complete_body(root, body, tuning), tuning
    )
    return Page(
        facts=facts,
        text=text,
        truncated=page.truncated,
        link_share=link_share,
        markup=extract_markup(root, text, url) if text else "",
    )


def _without_boxes(
    root: Any, url: str | None, tuning: ExtractTuning
) -> tuple[Any, str]:
    """Return the page without its boxes, and its text; with them if the library's article is in them.

    That is asked only of boxes with much text, and of pages with little, which may be lists of links.
    """
    boxes = find_boxes(root, tuning)
    if have_paragraphs(boxes) or not have_paragraphs([root]):
        whole = deepcopy(root)
    else:
        whole = None
    take_out(root, boxes)
    text = extract_text(root, url)
    if whole is not None:
        uncleaned = extract_text(whole, url)
        if _lost_article(uncleaned, text):
            return whole, uncleaned
    return root, text


def _lost_article(uncleaned: str, text: str) -> bool:
    """Return whether `text` has not the first paragraphs of the uncleaned one, or lost many of its words."""
    left = set(map(line_key, text.split("\n")))
    lines = uncleaned.split("\n")
    prose = list(filter(is_prose, lines)) or lines
    lost = [line for line in prose if line_key(line) not in left]
    if (
        len(lost) >= _FIRST_PARAGRAPHS
        and lost[:_FIRST_PARAGRAPHS] == prose[:_FIRST_PARAGRAPHS]
    ):
        return True
    return sum(map(count_words, lost)) > _MOST_LOST * sum(map(count_words, prose))


class _StopWords:
    """The stop words of all languages for justext, which makes a set of what it iterates over, once.

    trafilatura would also keep a tuple of them, which takes 15 MB and at each use 3 ms for its hash.
    """

    def __iter__(self) -> Iterator[str]:
        from justext.utils import get_stoplist, get_stoplists  # type: ignore[import-untyped]

        return (word for language in get_stoplists() for word in get_stoplist(language))


@cache
def _trafilatura() -> Any:
    import trafilatura
    from trafilatura import external

    external.JT_STOPLIST = _StopWords()  # type: ignore[assignment]  # None until its first use
    return trafilatura


def extract_text(root: Any, url: str | None) -> str:
    """Return the article's paragraphs, one per line; "" if none are found, or the library fails.

    The limits of the worker handle MemoryError.
    """
    from justext.core import PARAGRAPH_TAGS  # type: ignore[import-untyped]

    is_long = sum(1 for _ in root.iter(*PARAGRAPH_TAGS)) > _MAX_COMPARED
    return getattr(_extracted(root, url, fast=is_long), "text", None) or ""


def extract_markup(root: Any, text: str, url: str | None) -> str:
    """Return the HTML of a page's text, which is extracted again without its structure being taken away.

    "" where that finds less than `text`: another of the ways found it, or it stood in several elements.
    """
    document = _extracted(
        root,
        url,
        fast=True,
        include_links=True,
        include_images=True,
        include_formatting=True,
    )
    body = getattr(document, "body", None)
    if body is None or len(letters_of("".join(body.itertext()))) < _LEAST_MARKUP * len(
        letters_of(text)
    ):
        return ""
    for code in body.iter("code"):
        is_in_line = (
            code.getparent() is not None and code.getparent().tag in _WITH_INLINE_CODE
        )
        if is_in_line and "\n" not in "".join(code.itertext()):
            code.tag = "hi"
            code.set("rend", "#t")  # how the library writes <tt>
    from trafilatura.htmlprocessing import build_html_output

    return build_html_output(document)


def _extracted(root: Any, url: str | None, *, fast: bool, **included: bool) -> Any:
    """Return what trafilatura extracts from a page; None if it fails."""
    try:
        return _trafilatura().bare_extraction(
            root,
            url=url,
            fast=fast,
            include_comments=False,
            deduplicate=False,
            with_metadata=False,
            **included,
        )
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - a library may raise anything on untrusted markup
        _log.warning(
            "trafilatura failed on a page",
            exc_info=True,
            extra={"event": "page_reader_failed"},
        )
        return None


_LEVELS = 3
KEY_CHARS = 50


class _Paragraph(FrozenStruct):
    text: str
    key: str
    words: int
    box: int  # number of its parent element
    build: tuple[str, ...]


def complete_body(root: Any, text: str, tuning: ExtractTuning) -> str:
    """Return `text` (one paragraph per line) with text of further elements of the same structure."""
    lines = [line for line in text.split("\n") if line]
    keys = {line_key(line) for line in lines}
    paragraphs = list(_paragraphs(root))
    build = _build_of(paragraphs, keys, tuning.most_share * count_words(text))
    if build is None:
        return text
    similar = [paragraph for paragraph in paragraphs if paragraph.build == build]
    extracted_boxes = {paragraph.box for paragraph in similar if paragraph.key in keys}
    missing = {
        number
        for number, paragraph in enumerate(similar)
        if paragraph.box not in extracted_boxes
    }
    return "\n".join(_merged(lines, similar, missing))


def _build_of(
    paragraphs: Sequence[_Paragraph], keys: set[str], least_words: float
) -> tuple[str, ...] | None:
    words: dict[tuple[str, ...], int] = {}
    for paragraph in paragraphs:
        if paragraph.key in keys:
            words[paragraph.build] = words.get(paragraph.build, 0) + paragraph.words
    build = max(words, key=lambda build: (words[build], build), default=None)
    return build if build is not None and words[build] >= least_words else None


def _merged(
    lines: Sequence[str], similar: Sequence[_Paragraph], added: Collection[int]
) -> Iterator[str]:
    """Yield `lines` with the paragraphs `added` (indexes in `similar`) after the line before them."""
    places = {line_key(line): number for number, line in enumerate(lines)}
    behind: dict[int, list[str]] = {}
    place = -1
    for number, paragraph in enumerate(similar):
        if number in added:
            behind.setdefault(place, []).append(paragraph.text)
        else:
            place = max(place, places.get(paragraph.key, place))
    yield from behind.get(-1, ())
    for number, line in enumerate(lines):
        yield line
        yield from behind.get(number, ())


def _paragraphs(root: Any) -> Iterator[_Paragraph]:
    boxes: dict[Any, int] = {}
    for element in root.iter("p"):
        text = " ".join(element.text_content().split())
        box = element.getparent()
        if text and box is not None:
            number = boxes.setdefault(box, len(boxes))
            yield _Paragraph(
                text=text,
                key=line_key(text),
                words=count_words(text),
                box=number,
                build=build_of(element),
            )


def build_of(element: Any) -> tuple[str, ...]:
    """Return the tags and classes of the three elements around `element`."""
    return tuple(
        f"{box.tag} {box.get('class') or ''}"
        for box in islice(element.iterancestors(), _LEVELS)
    )


def line_key(line: str) -> str:
    """Return the first letters of a line, to compare lines regardless of spaces and punctuation."""
    return letters_of(line[: 4 * KEY_CHARS])[:KEY_CHARS]
