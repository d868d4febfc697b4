"""Finds boxes of a page that are not part of its article.

Cards of other articles, sign-ups, captions and author notes stand between the paragraphs, so extraction of the
article's element would include them. Boxes are recognised by structure (a whole card inside one link, another post
inside the post, a list of links) and by class names and ids. page.py removes them from the tree before extraction, but
keeps them if much of the article would be lost with them. See ADR 14.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.text.lines import count_words, one_line, word_list, word_set

_BLOCKS = word_set("p div h1 h2 h3 h4 h5 h6 ul ol section article figure")
_HEADINGS = word_list("h1 h2 h3 h4 h5 h6")
_NAMED_TAGS = word_set(
    "div section ul ol p dl table figure form details span li fieldset"
) | {"aside"}
_CANDIDATE_TAGS = (*_NAMED_TAGS, "a", "article")
_NAME_ATTRIBUTES = word_list("class id aria-label data-testid")
# Names of boxes with any content.
_BOX_NAME = re.compile(
    r"(?:^|[-_ ])(?:newsletters?|biography|author-?(?:bio|info|box|card)|about-the-author|"
    r"info-?box(?:es)?|fact-?box(?:es)?|polls?|quiz|comments?-(?:list|section|area)|"
    r"most-?(?:read|viewed|popular)|notification-bar|debug|media-?info|video-(?:heading|title|description)|"
    r"captions?|image-?(?:widget|credit|caption)|photo-?credit|bildunterschrift|copyright)(?:$|[-_ ])"
)
# Names of boxes that lead to other articles; they count only with a link in the box.
_LINKING_BOX_NAME = re.compile(
    r"(?:^|[-_ ])(?:related|teasers?|recommend(?:ed|ations?)|recirc\w*|read-?(?:more|also|next)|promos?|"
    r"promotion|trending|more-(?:from|on|stories)|also-read|see-also|latest-(?:news|box))(?:$|[-_ ])"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME_CHARS = 500
_MARKED = "x-taken-out"
_POST = re.compile(r"post-\d+")  # WordPress's ids of articles
# Boxes at one place may be the article if they have at least this many paragraphs of at least this many words, and at
# least this many words in these paragraphs together (chosen: 12 of 217 real pages have such boxes).
_PARAGRAPHS, _PARAGRAPH_WORDS, _ARTICLE_WORDS = 3, 10, 100


def find_boxes(root: Any, tuning: ExtractTuning) -> list[Any]:
    """Return the boxes of the parsed page `root`."""
    return [
        box
        for box in root.iter(*_CANDIDATE_TAGS)
        if _is_box(box, tuning)
        and box.get("itemprop") != "articleBody"
        and (box.tag == "a" or box.find(".//h1") is None)
    ]


def have_paragraphs(boxes: Iterable[Any]) -> bool:
    """Return whether the boxes below one parent have at least the text of a short article in paragraphs."""
    paragraphs: dict[Any, list[int]] = {}
    for box in boxes:
        words = (count_words(element_line(paragraph)) for paragraph in box.iter("p"))
        paragraphs.setdefault(box.getparent(), []).extend(
            n for n in words if n >= _PARAGRAPH_WORDS
        )
    return any(
        len(p) >= _PARAGRAPHS and sum(p) >= _ARTICLE_WORDS for p in paragraphs.values()
    )


def take_out(root: Any, elements: Iterable[Any]) -> None:
    """Remove `elements` with their content from the tree `root`, in time linear in their number.

    Removing them one by one would copy the text after each element again and again.
    """
    import lxml.etree

    for element in elements:
        element.tag = _MARKED
    lxml.etree.strip_elements(root, _MARKED, with_tail=False)


def unwrap_layout_tables(root: Any) -> None:
    """Turn tables used for layout (a cell has the headline, a table, paragraphs) into plain blocks.

    Otherwise the whole article would be read as one table cell, in one line.
    """
    for table in list(root.iter("table")):
        if table.xpath(".//td[.//h1 or .//table or count(p) >= 3]"):
            for part in list(
                table.iter("table", "thead", "tbody", "tfoot", "tr", "td", "th")
            ):
                part.tag = "div"


def _is_box(element: Any, tuning: ExtractTuning) -> bool:
    tag = element.tag
    if tag == "a":
        # A link around blocks is a card: image, headline and lead of another article.
        if len(element) == 0 or element.get("href") is None:
            return False
        has_block = next(element.iterdescendants(*_BLOCKS), None) is not None
        return has_block and count_words(element_line(element)) >= tuning.headline_words
    if tag == "article":
        return _is_announcement(element, tuning) or _is_other_post(element)
    if tag in _NAMED_TAGS and _is_named(element):
        return True
    if tag not in ("ul", "ol"):
        return False
    items = element.findall("li")
    return len(items) >= 2 and all(_is_link_item(row, tuning) for row in items)


def _is_announcement(article: Any, tuning: ExtractTuning) -> bool:
    """Return whether an <article> has a heading that links to another page, and only few other words."""
    for heading in article.iter(*_HEADINGS):
        link = heading.find(".//a")
        if link is None:
            link = next(heading.iterancestors("a"), None)
        if link is not None and not (link.get("href") or "#").startswith("#"):
            words = count_words(element_line(article)) - count_words(
                element_line(heading)
            )
            return words <= tuning.nearly_empty_words
    return False


def _is_other_post(article: Any) -> bool:
    """Return whether an <article> is a post within another post of WordPress."""
    outer = next(article.iterancestors("article"), None)
    if outer is None:
        return False
    own_id, outer_id = (article.get("id") or "", outer.get("id") or "")
    are_posts = _POST.fullmatch(own_id) and _POST.fullmatch(outer_id)
    return are_posts is not None and own_id != outer_id


def _is_named(element: Any) -> bool:
    meaning = _meaning(names_in(element, _NAME_ATTRIBUTES))
    return meaning == "box" or (
        meaning == "leads on" and element.find(".//a") is not None
    )


def names_in(element: Any, attributes: Iterable[str]) -> str:
    """Return the names in these attributes of an element, which may tell what the element is."""
    return " ".join(filter(None, map(element.get, attributes)))


def hyphenated(names: str) -> str:
    """Return names of elements in lower case, with hyphens between the words of each."""
    return _CAMEL.sub("-", names[:_NAME_CHARS]).lower()


@lru_cache(maxsize=4096)  # names recur within a page and an outlet
def _meaning(name: str) -> Literal["box", "leads on", ""]:
    plain = hyphenated(name)
    if _BOX_NAME.search(plain):
        return "box"
    return "leads on" if _LINKING_BOX_NAME.search(plain) else ""


def _is_link_item(item: Any, tuning: ExtractTuning) -> bool:
    """Return whether at least half of an item is links, and the item has the length of a headline and no full stop."""
    linked = sum(map(_length, item.iter("a")))
    if not linked or 2 * linked < _length(item):
        return False
    text = element_line(item)
    return count_words(text) >= tuning.headline_words and not text.endswith(".")


def _length(element: Any) -> int:
    return len("".join(element.text_content().split()))


def element_line(element: Any) -> str:
    """Return the text of an element in one line."""
    return one_line(element.text_content())
