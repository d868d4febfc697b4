"""The form that a list of links has instead of a text, or below it: "Points: 10", "[link] [comments]".

A line belongs to the form if it has nothing but short links, bare addresses, dates, and counters with their
labels. Unlisted words ("submitted by") belong to it, too, if they are few and the entry has a link that surely
belongs to a form: in brackets, to the entry's own page, or named by its address or by words known for links. So
the form of an unknown list is recognised, in any language.
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
# A form may have this many words outside of links and lists: "submitted by", "at Slash News" (chosen)
_OTHER_WORDS = 4
# The longest value after a known label: "Category: Science and nature" (chosen)
_VALUE_WORDS = 4

# These signs take the place of a link
_SURE, _OTHER = "‖", "¦"
_BLANK = BLOCK_END + whitespace
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\((?:[\w-]{1,60}\.){1,4}[a-z]{2,10}\)")
_NUMBER = re.compile(r"\d[\d.,:/T-]*+(?:\s?[kKmM]\b)?")
_SEGMENT = re.compile(
    rf"[.;](?:\s+|$)|\s*[|•·{_SURE}{_OTHER}]\s*|\s+[–—/-]\s+|,\s+(?=\d)|(?<=\d)\s+(?=#)"
)
_AROUND = "[](){}<>« »【】（）#:| "
_LABELS = word_list("label published updated entry_form")
_KNOWN = word_list("entry_form entry_links whole_line ambiguous published updated")


class OwnText(NamedTuple):
    """The text of an entry without its form, and its markup, whole.

    `article_url` is the article's address if the form links to it.
    """

    text: str
    fragment: Fragment
    article_url: str | None


def own_text(markup: str, title: str, url: str | None) -> OwnText:
    """Return the own text of an HTML fragment; `url` is the address of its entry.

    Without a title everything is text. Below a text only lines that surely belong to a form are left out.
    """
    fragment = read_fragment(markup)
    root = deepcopy(fragment.root)
    lines = marked_lines(root)
    article_url = None
    if title and lines:
        lines, article_url = _without_form(lines, root, title, url)
    return OwnText("\n".join(lines), fragment, article_url)


def _without_form(
    lines: list[str], root: Any, title: str, url: str | None
) -> tuple[list[str], str | None]:
    """Return the lines of the tree `root` that are text, and the address of the article, if a form links to it."""
    marks = list(root.iter("a", "td", "dd"))
    last = below = lines[-1]
    if marks:
        below = "".join(marks[-1].xpath("following::text()")).partition(BLOCK_END)[2]
    # Most texts end below all links, with a line that cannot belong to a form
    if below.strip(_BLANK) and not same_line(last, title) and _unknown_parts(last):
        return lines, None
    links = _sign_links(marks, title, url)
    signed = lines_of(root)
    has_sure = any(_SURE in line for line in signed)
    if all(
        same_line(line, title) or _is_of_form(line, has_sure=has_sure)
        for line in signed
    ):
        # The link to the article leads to another host, beside one to the entry's own page.
        if url is not None and any(href == url for _, href in links):
            for label, href in links:
                if phrases("entry_links").has(words(label)) and href.startswith("http"):
                    is_other = urlsplit(href).hostname != urlsplit(url).hostname
                    return [], href if is_other else None
        return [], None
    # Cells that became one line, and a link of several lines, leave fewer lines; then all lines are text.
    if len(lines) == len(signed):
        while len(signed) > 1 and _ends_text(signed[-1], has_sure=has_sure):
            signed.pop()
        lines = lines[: len(signed)]
    return lines, None


def _sign_links(
    marks: Iterable[Any], title: str, url: str | None
) -> list[tuple[str, str]]:
    """Put signs in the place of links that are not text, and colons between cells; return all links."""
    links = []  # words and address
    for mark in marks:
        cell = mark.getprevious()
        if mark.tag != "a":
            is_beside = cell is not None and cell.tag in ("td", "th", "dt")
            if is_beside and not (cell.tail or "").strip(_BLANK):
                cell.tail = ": "
                mark.text = (mark.text or "").removeprefix(BLOCK_END)
        elif href := mark.get("href"):
            label = " ".join(lines_of(mark))
            links.append((label, href))
            sign = _OTHER
            if not label:
                sign = ""
            elif not _unknown_parts(label):
                sign = _SURE
            elif count_words(label) > _LINK_WORDS and not same_line(label, title):
                continue
            elif href == url or label[0] in _AROUND:
                sign = _SURE
            del mark[:]
            mark.text = sign
    return links


def _is_of_form(line: str, *, has_sure: bool) -> bool:
    """Return whether a line has no own text; `has_sure` means that the entry has a sure link of a form."""
    unknown = _unknown_parts(line)
    if not unknown or not has_sure:
        return not unknown
    before, *after = re.split(f"[{_SURE}{_OTHER}]", line)
    # "Ada Lorne wins the race", with a link to her page, is a text.
    goes_on = _SURE not in line and any(
        part in between for part in unknown for between in after
    )
    if not after or goes_on or ends_sentence(before.strip()):
        return False
    return count_words(" ".join(unknown)) <= _OTHER_WORDS


def _ends_text(line: str, *, has_sure: bool) -> bool:
    """Return whether a line below a text surely belongs to a form; items of lists and sources do not."""
    has_label = any(map(str.isalpha, line))
    is_sure = _SURE in line or (
        has_label and (_OTHER in line or _NUMBER.search(line) is not None)
    )
    return is_sure and _is_of_form(line, has_sure=has_sure)


def _unknown_parts(line: str) -> list[str]:
    """Return the parts of a line that are not addresses, dates, counters or listed words of forms."""
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
