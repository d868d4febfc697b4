"""Extraction from a web page: the article's text and the page's metadata.

Hidden elements (unseen.py) and boxes that are not part of the article (boxes.py) are removed first;
then trafilatura extracts the text (library.py), which is completed (split_body.py).

All parsing happens within the limits of `dom.bound_html`. trafilatura works on a copy of the tree.
"""

from copy import deepcopy
from datetime import datetime
from typing import Any

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.boxes import (
    find_boxes,
    have_paragraphs,
    take_out,
    without_layout_tables,
)
from aggregator.extract.html.dom import bound_html, tree_of
from aggregator.extract.html.library import extract_markup, extract_text
from aggregator.extract.html.metadata import PageFacts, read_facts
from aggregator.extract.html.page_parts import (
    further_articles,
    page_numbers,
    with_lead,
)
from aggregator.extract.html.page_signals import PageSignals
from aggregator.extract.html.split_body import complete_body, line_key, structure_of
from aggregator.extract.html.unseen import without_invisible
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import count_words, ends_sentence, is_prose, letters_of

_FIRST_PARAGRAPHS = 3

# Boxes may take away at most this share of the words in the article's paragraphs (chosen)
_MOST_LOST = 1 / 3

# The library reads each of them several times. Scripts of JSON stay, because it looks for articles in them.
_WITHOUT_TEXT = """
    descendant::*[self::svg or self::style or self::link or self::meta
    or self::script[not(contains(@type, 'json'))]]
"""


def without_link_lines(
    root: Any, text: str, tuning: ExtractTuning
) -> tuple[str, float]:
    """Return `text` without the lines that are links of the page `root`, and their share, 0 to 1.

    Lines that end a sentence stay. Lines of a few words stay, too (names and sources are linked), unless they
    stand before or after all other lines, like menus; they do not count in the share.
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


def unlink_paragraphs(root: Any) -> None:
    """Take the links off sentences that are wholly linked, if unlinked sentences have the same structure.

    The library takes such paragraphs for menus, and leaves them out.
    """
    sentences = [p for p in root.iter("p") if is_prose(p.text_content())]
    structures = {
        structure_of(sentence) for sentence in sentences if not sentence.xpath(".//a")
    }
    for sentence in sentences:
        for link in sentence.xpath(".//a"):
            is_whole = letters_of(link.text_content()) == letters_of(
                sentence.text_content()
            )
            if is_whole and structure_of(sentence) in structures:
                link.drop_tag()


class Page(FrozenStruct):
    """An article extracted from a page; `text` has one paragraph per line."""

    facts: PageFacts
    text: str = ""
    truncated: bool = False
    # Share of the extracted words in lines that are links, 0 to 1
    link_share: float = 0.0
    # None if they were not read, because the text is long enough
    signals: PageSignals | None = None
    # The HTML of the text, with links, code, tables and pictures; "" if these could not be matched to it
    markup: str = ""


def read_page(
    html: str,
    *,
    tuning: ExtractTuning,
    url: str | None = None,
    zone: str | None = None,
    seen: datetime | None = None,
) -> Page | None:
    """Extract the article in `html`; return None if nothing can be parsed. `zone` and `seen` as in dates.py."""
    page = bound_html(html)
    root = tree_of(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen)
    without_invisible(root)
    take_out(root, root.xpath(_WITHOUT_TEXT))
    take_out(root, further_articles(root, facts))
    numbers, has_more_pages = page_numbers(root)
    take_out(root, numbers)
    without_layout_tables(root)
    unlink_paragraphs(root)
    root, body = _without_boxes(root, url, tuning)
    text, link_share = without_link_lines(
        root, complete_body(root, body, tuning), tuning
    )
    text = with_lead(root, text, facts)
    return Page(
        facts=facts,
        text=text,
        truncated=page.truncated or has_more_pages,
        link_share=link_share,
        markup=extract_markup(root, text, url) if text else "",
    )


def _without_boxes(
    root: Any, url: str | None, tuning: ExtractTuning
) -> tuple[Any, str]:
    """Return the page and its text, without its boxes unless the library finds the article in them.

    This is only checked for boxes with much text, and for pages with little, which may be lists of links.
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
        left = set(map(line_key, text.split("\n")))
        lines = uncleaned.split("\n")
        prose = list(filter(is_prose, lines)) or lines
        lost = [line for line in prose if line_key(line) not in left]
        first_lost = lost[:_FIRST_PARAGRAPHS]
        lacks_beginning = (
            len(first_lost) == _FIRST_PARAGRAPHS
            and first_lost == prose[:_FIRST_PARAGRAPHS]
        )
        if lacks_beginning or (
            sum(map(count_words, lost)) > _MOST_LOST * sum(map(count_words, prose))
        ):
            return whole, uncleaned
    return root, text
