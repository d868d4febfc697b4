"""Extracts the article from a web page: its text, and the metadata of the page.

Hidden elements (unseen.py) and boxes that are not part of the article (boxes.py) are removed first. Then
trafilatura, "the library", extracts the text (library.py), and missing paragraphs are added (split_body.py).
Functions on the tree of the page change the tree in place; functions on the text return a new text.

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
    unwrap_layout_tables,
)
from aggregator.extract.html.dom import bound_html, tree_of
from aggregator.extract.html.inline_text import (
    has_inline_texts,
    name_struck,
    write_inline_texts,
)
from aggregator.extract.html.library import extract_markup, extract_text
from aggregator.extract.html.metadata import PageFacts, read_facts
from aggregator.extract.html.page_parts import (
    further_articles,
    page_numbers,
    with_lead,
)
from aggregator.extract.html.page_signals import PageSignals
from aggregator.extract.html.split_body import complete_body, line_key, structure_of
from aggregator.extract.html.unseen import remove_hidden
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import count_words, ends_sentence, is_prose, letters_of

# Boxes are kept if the text without them would lack all of its first paragraphs (this many), or more than this share
# of the words in its paragraphs (chosen)
_FIRST_PARAGRAPHS = 3
_MOST_LOST = 1 / 3

# These elements have no text, and the library would read them several times. Scripts with JSON stay, because the
# library looks for articles in them.
_WITHOUT_TEXT = """
    descendant::*[self::svg or self::style or self::link or self::meta
    or self::script[not(contains(@type, 'json'))]]
"""


class Page(FrozenStruct):
    """An article extracted from a page; `text` has one paragraph per line."""

    facts: PageFacts
    text: str = ""
    truncated: bool = False
    # Share of the extracted words in lines that are links, 0 to 1
    link_share: float = 0.0
    # None if the signals were not read, because the text is long enough
    signals: PageSignals | None = None
    # The HTML of the text, with links, code, tables and pictures; "" if it would lack much of the text
    markup: str = ""


def read_page(
    html: str,
    *,
    tuning: ExtractTuning,
    url: str | None = None,
    zone: str | None = None,
    seen: datetime | None = None,
) -> Page | None:
    """Extract the article in `html`; return None if nothing can be parsed.

    Dates are read with `zone` and `seen` (`metadata.read_facts`).
    """
    page = bound_html(html)
    root = tree_of(page.html)
    if root is None:
        return None
    facts = read_facts(root, zone=zone, seen=seen)
    name_struck(root)
    remove_hidden(root)
    take_out(root, root.xpath(_WITHOUT_TEXT))
    take_out(root, further_articles(root, facts))
    numbers, has_more_pages = page_numbers(root)
    take_out(root, numbers)
    unwrap_layout_tables(root)
    unlink_paragraphs(root)
    root, text = _remove_boxes(root, url, tuning)
    # The markup is for people, who see struck words struck and numbers raised.
    written = root
    if has_inline_texts(root):
        root = deepcopy(root)
        write_inline_texts(root)
        text = extract_text(root, url)
    text = complete_body(root, text, tuning)
    text, link_share = without_link_lines(root, text, tuning)
    text = with_lead(root, text, facts)
    return Page(
        facts=facts,
        text=text,
        truncated=page.truncated or has_more_pages,
        link_share=link_share,
        markup=extract_markup(written, text, url) if text else "",
    )


def unlink_paragraphs(root: Any) -> None:
    """Remove the links around whole paragraphs, if paragraphs without links have the same structure.

    The library would otherwise take these paragraphs for menus and leave them out.
    """
    paragraphs = [p for p in root.iter("p") if is_prose(p.text_content())]
    structures = {structure_of(p) for p in paragraphs if not p.xpath(".//a")}
    for paragraph in paragraphs:
        for link in paragraph.xpath(".//a"):
            is_whole = letters_of(link.text_content()) == letters_of(
                paragraph.text_content()
            )
            if is_whole and structure_of(paragraph) in structures:
                link.drop_tag()


def _remove_boxes(root: Any, url: str | None, tuning: ExtractTuning) -> tuple[Any, str]:
    """Remove the boxes from the page, and return the page and its text.

    If much of the article is lost with the boxes, return a copy of the page that still has them. This is only checked
    if the boxes have much text, or the page has little text and may be a list of links.
    """
    boxes = find_boxes(root, tuning)
    whole = None
    if have_paragraphs(boxes) or not have_paragraphs([root]):
        whole = deepcopy(root)
    take_out(root, boxes)
    text = extract_text(root, url)
    if whole is None:
        return root, text
    whole_text = extract_text(whole, url)
    keys_left = set(map(line_key, text.split("\n")))
    lines = whole_text.split("\n")
    paragraphs = list(filter(is_prose, lines)) or lines
    lost = [line for line in paragraphs if line_key(line) not in keys_left]
    first = paragraphs[:_FIRST_PARAGRAPHS]
    lacks_beginning = len(first) == _FIRST_PARAGRAPHS and lost[: len(first)] == first
    lost_words = sum(map(count_words, lost))
    if lacks_beginning or lost_words > _MOST_LOST * sum(map(count_words, paragraphs)):
        return whole, whole_text
    return root, text


def without_link_lines(
    root: Any, text: str, tuning: ExtractTuning
) -> tuple[str, float]:
    """Return `text` without the lines that are links of the page `root`, and the share of its words in linked lines.

    Lines that end a sentence stay. Lines of a few words stay, too, because names and sources are linked, unless they
    stand before or after all other lines, like menus. Lines of a few words do not count in the share, 0 to 1.
    """
    links = {letters_of(link.text_content()) for link in root.iter("a")}
    all_lines = text.split("\n")
    # The linked lines with enough words for the headline of another article
    headlines = {
        line
        for line in all_lines
        if count_words(line) >= tuning.headline_words and letters_of(line) in links
    }
    lines = [line for line in all_lines if line not in headlines or ends_sentence(line)]
    for end in (0, -1):
        while (
            lines and letters_of(lines[end]) in links and not ends_sentence(lines[end])
        ):
            lines.pop(end)
    linked_words = sum(count_words(line) for line in all_lines if line in headlines)
    return "\n".join(lines), linked_words / (sum(map(count_words, all_lines)) or 1)
