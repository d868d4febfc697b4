"""Recognises link posts: entries that have a link and its particulars instead of a text.

Lists of links write particulars, such as "Points: 10" and "[link] [comments]", instead of a text or below it. A
line of particulars has nothing but short links, bare addresses, dates, and counters with their labels. A few
other words ("submitted by") are particulars, too, if the entry has a sure link: a link in brackets, to the entry's
own page, or named by its address or by words known for links. So the particulars of an unknown list are recognised in
any language.
"""

import re
from collections.abc import Iterable
from copy import deepcopy
from functools import lru_cache
from string import whitespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aggregator.extract.html.dom import (
    BLOCK_END,
    Fragment,
    lines_of,
    marked_lines,
    read_fragment,
)
from aggregator.extract.phrases import are_phrases, label_of, phrases, words
from aggregator.extract.plain.boilerplate import is_boilerplate
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    same_line,
    word_list,
)

# A longer line is text (as in titled texts)
_LINE_CHARS = 400
# A link with more words is a headline, and not a button (chosen)
_LINK_WORDS = 6
# A line of particulars may have this many other words: "submitted by", "at Slash News" (chosen)
_OTHER_WORDS = 4
# The longest value after a known label: "Category: Science and nature" (chosen)
_VALUE_WORDS = 4

# These signs replace a link that is surely a particular, and a link that may be one
_SURE_LINK = "‖"
_POSSIBLE_LINK = "¦"
_BLANK = BLOCK_END + whitespace
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\((?:[\w-]{1,60}\.){1,4}[a-z]{2,10}\)")
_NUMBER = re.compile(r"\d[\d.,:/T-]*+(?:\s?[kKmM]\b)?")
_SEGMENT = re.compile(
    rf"[.;](?:\s+|$)|(?:(?<!\s)\s++)?[|•·{_SURE_LINK}{_POSSIBLE_LINK}]\s*|(?<!\s)\s++[–—/-]\s+|,\s+(?=\d)|(?<=\d)\s+(?=#)"
)
_AROUND = "[](){}<>« »【】（）#:| "
_LABELS = word_list("label published updated link_posts")
_KNOWN = word_list("link_posts entry_links whole_line ambiguous published updated")


class OwnText(NamedTuple):
    """The text of an entry without particulars, and its whole markup.

    `article_url` is the address of the article that a link post links to; None for any other entry.
    """

    text: str
    fragment: Fragment
    article_url: str | None


def own_text(markup: str, title: str, url: str | None) -> OwnText:
    """Return the own text of an HTML fragment; `url` is the address of its entry.

    Without a title, everything is text. Below a text, only lines that are surely particulars are left out.
    """
    fragment = read_fragment(markup)
    root = deepcopy(fragment.root)
    lines = marked_lines(root)
    article_url = None
    if title and lines:
        lines, article_url = _remove_particulars(lines, root, title, url)
    return OwnText("\n".join(lines), fragment, article_url)


def _remove_particulars(
    lines: list[str], root: Any, title: str, url: str | None
) -> tuple[list[str], str | None]:
    """Return the `lines` of a tree that are text, and the address of the article if the entry is a link post."""
    links_and_cells = list(root.iter("a", "td", "dd"))
    last = below = lines[-1]
    if links_and_cells:
        below = "".join(links_and_cells[-1].xpath("following::text()"))
        below = below.partition(BLOCK_END)[2]
    # Most texts end below all links, with a line that has more than particulars
    if below.strip(_BLANK) and not same_line(last, title) and _unknown_parts(last):
        return lines, None
    links = _replace_links(links_and_cells, title, url)
    marked = lines_of(root)
    has_sure_link = any(_SURE_LINK in line for line in marked)
    if all(
        same_line(line, title) or _is_particulars(line, has_sure_link=has_sure_link)
        for line in marked
    ):
        # The link to the article leads to another host, and another link leads to the entry's own page.
        if url is not None and any(href == url for _, href in links):
            for label, href in links:
                if phrases("entry_links").has(words(label)) and href.startswith("http"):
                    is_other = urlsplit(href).hostname != urlsplit(url).hostname
                    return [], href if is_other else None
        return [], None
    # Joined cells and links of several lines leave fewer marked lines. Lines cannot be matched then, so all are text.
    if len(lines) == len(marked):
        while len(marked) > 1 and _is_below_text(
            marked[-1], has_sure_link=has_sure_link
        ):
            marked.pop()
        lines = lines[: len(marked)]
    return lines, None


def _replace_links(
    links_and_cells: Iterable[Any], title: str, url: str | None
) -> list[tuple[str, str]]:
    """Replace links that are not text by signs, put colons between cells, and return each link's words and address.

    The words of a long link stay, because it is a headline.
    """
    links = []
    for element in links_and_cells:
        before = element.getprevious()
        if element.tag != "a":
            is_cell = before is not None and before.tag in ("td", "th", "dt")
            if is_cell and not (before.tail or "").strip(_BLANK):
                before.tail = ": "
                element.text = (element.text or "").removeprefix(BLOCK_END)
        elif href := element.get("href"):
            label = " ".join(lines_of(element))
            links.append((label, href))
            sign = _POSSIBLE_LINK
            if not label:
                sign = ""
            elif not _unknown_parts(label):
                sign = _SURE_LINK
            elif count_words(label) > _LINK_WORDS and not same_line(label, title):
                continue
            elif href == url or label[0] in _AROUND:
                sign = _SURE_LINK
            del element[:]
            element.text = sign
    return links


def _is_particulars(line: str, *, has_sure_link: bool) -> bool:
    """Return whether a line has nothing but particulars.

    If the entry has a sure link, a line with a link may also have a few other words.
    """
    unknown = _unknown_parts(line)
    if not unknown or not has_sure_link:
        return not unknown
    before, *after = re.split(f"[{_SURE_LINK}{_POSSIBLE_LINK}]", line)
    # "Ada Lorne wins the race", with a link to her page, is a text: it continues after the link.
    continues = _SURE_LINK not in line and any(
        part in between for part in unknown for between in after
    )
    if not after or continues or ends_sentence(before.strip()):
        return False
    return count_words(" ".join(unknown)) <= _OTHER_WORDS


def _is_below_text(line: str, *, has_sure_link: bool) -> bool:
    """Return whether the last line is surely particulars, and not the item of a list or a source of the text."""
    has_label = any(map(str.isalpha, line))
    is_sure = _SURE_LINK in line or (
        has_label and (_POSSIBLE_LINK in line or _NUMBER.search(line) is not None)
    )
    return is_sure and _is_particulars(line, has_sure_link=has_sure_link)


def _unknown_parts(line: str) -> list[str]:
    """Return the parts of a line that are not addresses, dates, counters or known words."""
    if len(line) > _LINE_CHARS:
        return [line]
    parts = (part.strip(_AROUND) for part in _SEGMENT.split(_ADDRESS.sub(" ", line)))
    return [part for part in parts if part and not _is_known_part(part)]


@lru_cache(maxsize=1024)  # labels recur in a feed
def _is_known_part(part: str) -> bool:
    label, value = label_of(part)
    if count_words(value) <= _VALUE_WORDS and any(
        phrases(kind).has(label) for kind in _LABELS
    ):
        return True
    rest = words(_NUMBER.sub(" ", part))
    return are_phrases(rest, _KNOWN) or is_boilerplate(part)
