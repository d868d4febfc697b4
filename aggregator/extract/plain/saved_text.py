"""Plain text saved by a person: finds headline, byline, date and boilerplate, and returns the article.

Head (before the first paragraph of prose, at most `end_lines` lines): masthead, slogan, topic, headline,
byline, date and standfirst, classified by position and form. If the outlet is known (from the folder's name),
its masthead is known too. Lines between masthead and headline are compared with the text: a headline shares
words with the text, a slogan ("The paper of the valley") does not. Middle: boilerplate lines go. End:
links to other articles are removed. Everything else stays, in order; a sentence is never cut.
"""

import datetime as dt
import re
from collections.abc import Sequence
from itertools import chain

from aggregator.extract.language import dates
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.plain import boilerplate, outlet_names
from aggregator.extract.plain.bylines import stated_byline
from aggregator.extract.plain.live_text import opens_with_clock
from aggregator.extract.plain.saved_body import (
    has_live_entries,
    is_text,
    opens_text,
    without_boilerplate,
)
from aggregator.extract.plain.saved_head import read_head
from aggregator.model.entry import Published
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    folded,
    one_line,
    word_set,
)


class SavedText(FrozenStruct):
    """The content of a saved text. `lines` are all its lines, with boilerplate and credits, for
    `wire.find_wire`.
    """

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    author: str | None = None
    outlet: str | None = None
    published: Published | None = None
    lines: tuple[str, ...] = ()


def read_saved_text(
    text: str,
    tuning: ExtractTuning,
    *,
    outlet: str | None = None,
    zone: str | None = None,
    seen: dt.datetime | None = None,
) -> SavedText:
    """Extract the article from clean `text` that includes headline and boilerplate.

    `outlet`: its name, if known; its masthead may be before the headline. `zone` and `seen` as in dates.py.
    """
    lines = _lines(text)
    limit = tuning.end_lines
    is_live = has_live_entries(lines)
    first = _first_prose(lines, limit, is_live=is_live)
    body_start = _after_standfirst(lines, first, limit)
    head_lines = max(0, limit - body_start) if is_live else 0
    body = without_boilerplate(lines[body_start:], head_lines=head_lines)
    head = read_head(
        lines[:first],
        body,
        outlet=outlet,
        tuning=tuning,
        standfirst=lines[first:body_start],
        closing=lines[max(body_start, len(lines) - 2 * limit) :],
    )
    stated = head.title or _breadcrumb_title(lines)
    title, tail_outlet = outlet_names.split_title(stated, outlet)
    return SavedText(
        title=title or _opening(body, tuning),
        paragraphs=(*head.deck, *body),
        author=head.author,
        outlet=head.outlet or tail_outlet,
        published=dates.published_from_text(
            lines[: body_start or limit], zone, seen, day_first=_is_day_first(body)
        ),
        lines=tuple(lines),
    )


def _lines(text: str) -> list[str]:
    """Return the lines with one space between words; where lines were broken to a width, the blocks."""
    rows = (block.split("\n") for block in re.split(r"\n[^\S\n]*\n", text))
    blocks = [list(filter(None, map(one_line, block))) for block in rows]
    if _is_hard_wrapped(blocks):
        return [" ".join(block) for block in blocks if block]
    return list(chain.from_iterable(blocks))


def _is_hard_wrapped(blocks: list[list[str]]) -> bool:
    """Return whether line ends inside blocks are hard wraps: full lines that end within a sentence."""
    inner = list(chain.from_iterable(block[:-1] for block in blocks))
    if len(blocks) < 2 or len(inner) < 4:
        return False
    broken = sum(45 <= len(line) <= 110 and not ends_sentence(line) for line in inner)
    return broken >= 0.6 * len(inner)


def _first_prose(lines: Sequence[str], limit: int, *, is_live: bool) -> int:
    """Return where the text begins: at the first prose within `limit` lines, not counting boilerplate."""
    others = 0
    for number, line in enumerate(lines[: limit * _MENU_LINES]):
        if boilerplate.is_boilerplate(line) or dates.is_date_line(line):
            continue
        if (is_live and opens_with_clock(line)) or (
            opens_text(line) and not boilerplate.breadcrumb_pieces(line)
        ):
            return number
        others += 1
        if others >= limit:
            return number + 1
    return min(len(lines), limit * _MENU_LINES)


def _after_standfirst(lines: Sequence[str], first: int, limit: int) -> int:
    """Return where the text continues after a standfirst, or `first` if there is none.

    A standfirst is a first paragraph with a byline or date line after it and a headline before it.
    """
    if first == 0:
        return 0
    reach = range(first + 1, min(len(lines), max(first, limit) + 1))
    prose = [number for number in reach if is_text(lines[number])]
    last_mark = None
    for number in reach:
        if number in prose[1:2]:
            break
        line = lines[number]
        if dates.is_date_line(line) or stated_byline(line) is not None:
            last_mark = number
    if last_mark is None or not prose or prose[-1] <= last_mark:
        return first
    return last_mark + 1


_MENU_LINES = 4  # tolerated lines of menus and share buttons for each line of the head
_ENGLISH = word_set("the and of to said that with from")


def _is_day_first(body: Sequence[str]) -> bool | None:
    """Return whether the text's language writes 3/4/2024 with the day first.

    None for English, which uses both orders, for languages with the year first, and for short texts.
    """
    text_words = folded(" ".join(body)[:2000]).split()
    is_spaced = sum(map(len, text_words)) < 15 * len(text_words)
    if len(text_words) < 12 or not is_spaced:
        return None
    share = sum(word in _ENGLISH for word in text_words) / len(text_words)
    return True if share < 0.05 else None


def _breadcrumb_title(lines: Sequence[str]) -> str:
    """Return the headline in a breadcrumb line at either end, for a text saved without its headline."""
    for line in (*lines[:3], *reversed(lines[-6:])):
        pieces = [p for p in boilerplate.breadcrumb_pieces(line) if count_words(p) >= 4]
        if pieces:
            return max(pieces, key=len)
    return ""


def _opening(body: Sequence[str], tuning: ExtractTuning) -> str:
    """Return the first sentence, for a text without any headline; it also stays in the text."""
    from aggregator.text.sentences import split_sentences

    first = body[0] if body else ""
    words = next(iter(split_sentences(first)), first).split()
    opening = " ".join(words[: tuning.title_words])
    return f"{opening} …" if len(words) > tuning.title_words else opening
