"""Plain text saved by a person: finds headline, byline, date and boilerplate, and returns the article.

The head ends at the first paragraph of prose. The headline stands there below the name of an outlet or a topic, and
above byline, date and standfirst. Boilerplate is removed from the body, and everything below the first boilerplate
after the last sentence. Everything else stays, in order; a sentence is never cut.
"""

import datetime as dt
import re
from collections.abc import Sequence
from itertools import chain

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.language import dates
from aggregator.extract.plain import boilerplate
from aggregator.extract.plain.bylines import read_signature, stated_byline
from aggregator.extract.plain.live_text import opens_with_clock
from aggregator.extract.plain.outlet_names import (
    looks_like_outlet,
    split_title,
    stands_in,
)
from aggregator.extract.plain.titled_text import SavedText
from aggregator.extract.wire.wire import is_agency_name
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    is_name_like,
    is_prose,
    one_line,
    same_line,
)
from aggregator.text.sentences import split_sentences

# A text with this many lines that begin with a clock time is a live blog
_LIVE_ENTRIES = 3


def read_saved_text(
    text: str,
    tuning: ExtractTuning,
    *,
    outlet: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> SavedText:
    """Extract the article from clean `text` that includes headline and boilerplate.

    `outlet` is its name, if known; it may stand above the headline. `zone` and `seen` as in dates.py.
    """
    blocks = [
        list(filter(None, map(one_line, block.split("\n"))))
        for block in re.split(r"\n[^\S\n]*\n", text)
    ]
    inner = list(chain.from_iterable(block[:-1] for block in blocks))
    broken = sum(45 <= len(line) <= 110 and not ends_sentence(line) for line in inner)
    if len(inner) >= 4 and broken >= 0.6 * len(inner):
        # Most line ends inside blocks are within a sentence: the lines were broken to a width.
        blocks = [[" ".join(block)] for block in blocks if block]
    blocks = [block for block in blocks if block]
    named = None
    if outlet and len(blocks) >= 3 and stands_in(outlet, blocks[0][0]):
        # A block that begins with the outlet's name is a masthead with its slogan.
        named = outlet
        del blocks[0]
    lines = list(chain.from_iterable(blocks))
    is_live = sum(map(opens_with_clock, lines)) >= _LIVE_ENTRIES
    first = _text_start(lines, tuning.end_lines, is_live=is_live)
    above = lines[:first]
    author = next(filter(None, map(stated_byline, above)), None)
    head = [line for line in above if not _is_of_page(line)]
    while head:
        is_known = outlet is not None and stands_in(outlet, head[0])
        is_outlet = is_known or looks_like_outlet(head[0])
        if is_outlet and named is None:
            named = outlet if is_known else head[0]
        if not (is_outlet or _is_topic(*head, tuning=tuning)):
            break
        head.pop(0)
    title = ""
    if head and count_words(head[0]) <= tuning.title_words:
        title = head.pop(0)
    deck = []
    for line in head:
        if same_line(line, title) or is_agency_name(line) or boilerplate.is_weak(line):
            continue
        signature = read_signature(line)
        if signature is not None:
            author = author or signature
        elif count_words(line) >= 4 or ends_sentence(line):
            deck.append(line)
    body = _without_boilerplate(lines[first:], tuning.end_lines if is_live else 0)
    title, tail_outlet = split_title(title or _breadcrumb_title(lines), outlet)
    if not title and body:
        # Without any headline the first sentence names the article, and stays in the text.
        opening = next(iter(split_sentences(body[0])), body[0]).split()
        title = " ".join(opening[: tuning.title_words])
        title += " …" * (len(opening) > tuning.title_words)
    return SavedText(
        title=title,
        paragraphs=(*deck, *body),
        author=author,
        outlet=named or tail_outlet,
        published=dates.published_from_text(
            lines[: first or tuning.end_lines], zone, seen
        ),
        lines=tuple(lines),
    )


def _text_start(lines: Sequence[str], limit: int, *, is_live: bool) -> int:
    """Return the line where the text begins: its first prose, or the line below byline and date of a standfirst."""
    others = 0
    number = -1
    first = start = None
    for number, line in enumerate(lines):
        if dates.is_date_line(line) or stated_byline(line) is not None:
            start = number + 1 if first is not None else None
        elif boilerplate.is_boilerplate(line):
            continue
        elif _is_text(line) or (is_live and opens_with_clock(line)):
            if first is not None:
                return start or first
            first = number
        else:
            others += 1
            if others == limit:
                break
    return number + 1 if first is None else first


def _is_text(line: str) -> bool:
    """Return whether the line is prose, several sentences, or many words with a colon at the end."""
    is_open = line.endswith((":", "：")) or ". " in line
    return is_prose(line) or (is_open and count_words(line) >= 8)


def _is_of_page(line: str) -> bool:
    """Return whether a line above the text belongs to the page and not to the article."""
    return (
        boilerplate.is_boilerplate(line)
        or dates.is_date_line(line)
        or stated_byline(line) is not None
        or bool(boilerplate.breadcrumb_pieces(line))
        or boilerplate.is_headline_bullet(line)
    )


def _is_topic(line: str, *below: str, tuning: ExtractTuning) -> bool:
    """Return whether `line` is a section, a menu or a topic above a longer headline; capitals are a headline."""
    words = count_words(line)
    is_headline = ends_sentence(line) or line.isupper()
    if words > tuning.headline_words or (is_headline and words > 1):
        return False
    return boilerplate.is_weak(line) or any(
        max(5, words + 2) <= count_words(other) <= tuning.title_words
        and not is_name_like(other)
        and read_signature(other) is None
        for other in below
    )


def _breadcrumb_title(lines: Sequence[str]) -> str:
    """Return the headline in a breadcrumb line at either end, for a text saved without its headline."""
    for line in (*lines[:3], *reversed(lines[-6:])):
        pieces = [p for p in boilerplate.breadcrumb_pieces(line) if count_words(p) >= 4]
        if pieces:
            return max(pieces, key=len)
    return ""


def _without_boilerplate(lines: Sequence[str], head_lines: int) -> list[str]:
    """Return the body; a live blog also loses bulleted headlines in its first `head_lines` lines."""
    body: list[str] = []
    # The length of the body when boilerplate first followed its last sentence
    end = None
    are_links = False  # below a heading of related links
    is_removed = False  # the line before
    for number, line in enumerate(lines):
        is_heading = boilerplate.heads_related_links(line)
        is_removed = (
            is_heading
            or boilerplate.is_boilerplate(line)
            or (is_removed and boilerplate.is_weak(line))
            or bool(boilerplate.breadcrumb_pieces(line))
            or (number < head_lines and boilerplate.is_headline_bullet(line))
        )
        if is_removed:
            are_links = are_links or is_heading
            end = len(body) if end is None else end
            continue
        is_link = are_links and line.endswith("?")
        if _is_text(line) or (ends_sentence(line) and not is_link):
            end = None
            are_links = are_links and not is_prose(line)
        elif are_links:
            continue
        elif end is None and boilerplate.is_navigation(line):
            end = len(body)
        body.append(boilerplate.without_bullet(line))
    return body[:end]
