"""Removes boxes of a page that are not part of its article: cards of other articles, sign-ups, captions,
author notes.

Such boxes are between the paragraphs, so extraction of the article's element would include them. They are
recognised by structure (a whole card inside one link, another post inside the post, a list of links) and by
class names and ids. They are removed from the tree before extraction. A box that contains the page's headline
or a large part of its text stays: there the name means something else. See ADR 14.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal

from aggregator.extract.limits import ExtractTuning
from aggregator.text.lines import count_words, ends_sentence, letters_of, word_set

_BLOCKS = ("p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "section", "article", "figure")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NAMED_TAGS = word_set("div section ul ol p dl table figure form details span li fieldset") | {"aside"}
_LOOKED_AT = (*_NAMED_TAGS, "a", "article", "figcaption")
_NAMES_STAND_IN = ("class", "id", "aria-label", "data-testid")
# Names of boxes, whatever their content is.
_NAME = re.compile(
    r"(?:^|[-_ ])(?:newsletters?|biography|author-?(?:bio|info|box|card)|about-the-author|"
    r"info-?box(?:es)?|fact-?box(?:es)?|polls?|quiz|comments?-(?:list|section|area)|"
    r"most-?(?:read|viewed|popular)|notification-bar|debug|media-?info|video-(?:heading|title|description)|"
    r"captions?|image-?(?:widget|credit|caption)|photo-?credit|bildunterschrift|copyright)(?:$|[-_ ])"
)
# Names that mark a box only if it contains a link.
_LEADING_NAME = re.compile(
    r"(?:^|[-_ ])(?:related|teasers?|recommend(?:ed|ations?)|recirc\w*|read-?(?:more|also|next)|promos?|"
    r"promotion|trending|more-(?:from|on|stories)|also-read|see-also|latest-(?:news|box))(?:$|[-_ ])"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME_CHARS = 500
_MARKED = "x-taken-out"
_POST = re.compile(r"post-\d+")  # WordPress's ids of articles
_LABEL_END = (":", "|", "»", ">", "–", "—", "-", "：", "｜", "▸", "►")
_LABEL_WORDS = 6


def without_boxes(root: Any, headlines: Iterable[str], tuning: ExtractTuning) -> None:
    """Remove the boxes from the parsed page `root`, in place.

    `headlines`: those of the article; an element that contains one of them is not a box.
    """
    own = {letters for letters in (letters_of(line).casefold() for line in headlines) if letters}
    most = (1 - tuning.most_share) * _unlinked_length(root)
    boxes = [
        box for box in root.iter(*_LOOKED_AT) if _is_box(box, box.tag, tuning) and _may_go(box, most, own)
    ]
    cards = [box for box in boxes if box.tag == "article" and not _is_other_post(box)]
    if sum(map(_length, cards)) > most:  # the entries of a live blog, each linking to itself
        boxes = [box for box in boxes if box not in cards]
    take_out(root, boxes)


def take_out(root: Any, elements: Iterable[Any]) -> None:
    """Remove `elements` and their content from the tree `root`, in time linear in their number.

    Removing them one by one would copy the text after each element again and again.
    """
    import lxml.etree

    for element in elements:
        element.tag = _MARKED
    lxml.etree.strip_elements(root, _MARKED, with_tail=False)


def without_layout_tables(root: Any) -> None:
    """Turn tables used for layout (a cell has the headline, a table, paragraphs) into plain blocks.

    Otherwise the whole article would be read as one table cell, in one line.
    """
    for table in list(root.iter("table")):
        if any(_lays_out(cell) for cell in table.iter("td")):
            for part in list(table.iter("table", "thead", "tbody", "tfoot", "tr", "td", "th")):
                part.tag = "div"


def _lays_out(cell: Any) -> bool:
    if cell.find(".//h1") is not None or cell.find(".//table") is not None:
        return True
    return len(cell.findall("p")) >= 3


def _is_box(element: Any, tag: str, tuning: ExtractTuning) -> bool:
    if tag == "a":
        return _is_card(element, tuning)
    if tag == "article":
        return _leads_elsewhere(element) or _is_other_post(element)
    if tag == "figcaption" or (tag in _NAMED_TAGS and _is_named(element)):
        return True
    if tag in {"ul", "ol"}:
        return _is_list_of_links(element, tuning)
    return tag == "p" and _is_label_and_link(element, tuning)


# --- recognition of boxes ----------------------------------------------------------------------------------


def _is_card(link: Any, tuning: ExtractTuning) -> bool:
    """Return whether a link surrounds blocks: image, headline and lead of another article."""
    if len(link) == 0 or link.get("href") is None:
        return False
    has_block = next(link.iterdescendants(*_BLOCKS), None) is not None
    return has_block and count_words(_text(link)) >= tuning.headline_words


def _leads_elsewhere(article: Any) -> bool:
    """Return whether an <article> has a heading that links to another page, as a card has."""
    for heading in article.iter(*_HEADINGS):
        link = heading.find(".//a")
        if link is None:
            link = next(heading.iterancestors("a"), None)
        if link is not None and not (link.get("href") or "#").startswith("#"):
            return True
    return False


def _is_other_post(article: Any) -> bool:
    outer = next(article.iterancestors("article"), None)
    if outer is None:
        return False
    inner_post, outer_post = (_POST.fullmatch(e.get("id") or "") for e in (article, outer))
    return bool(inner_post and outer_post and inner_post.group() != outer_post.group())


def _is_named(element: Any) -> bool:
    names = [name for name in map(element.get, _NAMES_STAND_IN) if name]
    if not names:
        return False
    meaning = _meaning(" ".join(names)[:_NAME_CHARS])
    return meaning == "box" or (meaning == "leads" and element.find(".//a") is not None)


@lru_cache(maxsize=4096)  # names recur within a page and an outlet
def _meaning(name: str) -> Literal["box", "leads", ""]:
    plain = _CAMEL.sub("-", name).lower()
    if _NAME.search(plain):
        return "box"
    return "leads" if _LEADING_NAME.search(plain) else ""


def _is_list_of_links(box: Any, tuning: ExtractTuning) -> bool:
    items = box.findall("li")
    return len(items) >= 2 and all(_is_link_item(item, tuning) for item in items)


def _is_link_item(item: Any, tuning: ExtractTuning) -> bool:
    """Return whether the item is mostly a link, as long as a headline, and does not end a sentence."""
    linked = sum(_length(link) for link in item.iter("a"))
    if not linked or 2 * linked < _length(item):
        return False
    text = _text(item)
    return count_words(text) >= tuning.headline_words and not text.endswith(".")


def _is_label_and_link(paragraph: Any, tuning: ExtractTuning) -> bool:
    """Match "READ ALSO | Headline of another article": a label, then a link up to the end."""
    links = paragraph.findall(".//a")
    if len(links) != 1:
        return False
    text, linked = _text(paragraph), _text(links[0])
    if not linked or not text.endswith(linked) or ends_sentence(linked):
        return False
    if count_words(linked) < tuning.headline_words:
        return False
    label = text[: -len(linked)].strip()
    return bool(label) and count_words(label) <= _LABEL_WORDS and label.endswith(_LABEL_END)


# --- exceptions --------------------------------------------------------------------------------------------


def _may_go(box: Any, most: float, own: set[str]) -> bool:
    if box.get("itemprop") == "articleBody" or _length(box) > most:
        return False
    if box.tag != "a" and box.find(".//h1") is not None:
        return False
    return not any(letters_of(_text(heading)).casefold() in own for heading in box.iter(*_HEADINGS))


def _length(element: Any) -> int:
    return len("".join(element.text_content().split()))


def _unlinked_length(root: Any) -> int:
    """Count the letters of the page that are not in a link."""
    body = next(iter(root.iter("body")), root)
    linked = sum(_length(link) for link in body.iter("a"))
    data = sum(_length(script) for script in body.iter("script"))
    return max(0, _length(body) - linked - data)


def _text(element: Any) -> str:
    return " ".join(element.text_content().split())
