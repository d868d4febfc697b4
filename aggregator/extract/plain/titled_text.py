"""Reads text whose headline is known: from a feed, a pushed record, or the body of a page.

Hardly anything stands around this text, so a few rules suffice. They reduce spaces, and remove ornaments,
boilerplate, repetitions of the headline, and a byline or date above the first paragraph. Rules of saved texts
(saved_text.py) are left out if they changed less than 1 % of the texts of every kind: 1,579 full articles,
999 leads, 1,045 articles of months, 2,967 entries of the reading list, 1,208 of feeds, and 217 pages.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from aggregator.extract.language import dates
from aggregator.extract.plain.boilerplate import (
    PATTERNS,
    is_known_phrase,
    without_bullet,
)
from aggregator.extract.plain.bylines import stated_byline
from aggregator.model.entry import Published
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    first_prose,
    is_prose,
    letters_of,
    one_line,
)
from aggregator.text.sentences import split_sentences

_ORNAMENT = r"[\s_*—–=~•.…·◇-]+"
_BOILERPLATE = re.compile("|".join((*PATTERNS["titled"], _ORNAMENT)), re.IGNORECASE)
# A longer line is text (chosen; 3 of 1,717 lines removed from full articles were longer)
_LINE_CHARS = 400
# A longer line is not compared with phrases (chosen: 300 and 160 gave the same F1 on pages)
_PHRASE_CHARS = 200
# Byline, date and a headline of any length are searched in the first lines (as in saved texts)
_HEAD_LINES = 12
# A text with fewer lines is not unwrapped
_WRAPPED_LINES = 4
# The longest line of a wrapped text has a width between these, in characters (as in saved texts)
_LEAST_WIDTH, _MOST_WIDTH = 45, 110
# A text is unwrapped if at least this share of its broken lines continues in lower case (64 of 2,967 entries of the
# reading list, 0 of 10,410 others)
_LOWER_SHARE = 0.4
# A repeated headline of this many words is removed anywhere; a shorter line may be a heading
_LONG_HEADLINE = 4


class SavedText(FrozenStruct):
    """The content of a text. `lines` are all its lines, with boilerplate and credits, for `wire.find_wire`."""

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    author: str | None = None
    outlet: str | None = None
    published: Published | None = None
    lines: tuple[str, ...] = ()


def read_titled_text(
    text: str,
    title: str,
    *,
    headings: Sequence[str] = (),
    is_dated: bool,
    zone: str | None = None,
    seen: datetime | None,
) -> SavedText:
    """Return the paragraphs of clean `text`, one per line, and the author and date stated above the first one.

    `headings` are other forms of the headline. If `is_dated`, the time is known, and no date is read in the text.
    `zone` and `seen` are used as in dates.py.
    """
    rows = list(map(one_line, text.split("\n")))
    lines = list(filter(None, rows))
    first = first_prose(lines[:_HEAD_LINES], _HEAD_LINES)
    paragraphs: tuple[str, ...] = ()
    if len(lines) == 1 and is_boilerplate(lines[0]):
        # A button or notice may be run into a text of one line.
        sentences = [s for s in split_sentences(lines[0]) if not is_boilerplate(s)]
        if any(map(is_prose, sentences)):
            paragraphs = (" ".join(sentences),)
    else:
        paragraphs = _paragraphs(rows, first, filter(None, (title, *headings)))
    head = lines[:first]
    return SavedText(
        title=title,
        paragraphs=paragraphs,
        author=next(filter(None, map(stated_byline, head)), None),
        published=None if is_dated else dates.published_from_text(head, zone, seen),
        lines=tuple(lines),
    )


def _paragraphs(
    rows: Sequence[str], first: int, headlines: Iterable[str]
) -> tuple[str, ...]:
    """Return the lines that belong to the text; line `first` begins its prose."""
    titles = {letters_of(name).casefold(): count_words(name) for name in headlines}
    # A longer line is not a headline, even with its spaces and punctuation
    longest = 2 * max(map(len, titles), default=0) + 20
    paragraphs = []
    # Whether each line follows the line before it directly, and is not an item of a list
    joinable = []
    goes_on = [(row, bool(before)) for before, row in pairwise(("", *rows)) if row]
    for number, (line, follows) in enumerate(goes_on):
        if number < first and (
            stated_byline(line) is not None or dates.is_date_line(line)
        ):
            continue
        title_words = 0
        if len(line) <= longest:
            title_words = titles.get(letters_of(line).casefold(), 0)
        is_headline = title_words >= (1 if number <= first else _LONG_HEADLINE)
        if not (is_headline or is_boilerplate(line)):
            paragraphs.append(without_bullet(line))
            joinable.append(follows and paragraphs[-1] == line)
    return _join_wrapped_lines(paragraphs, joinable)


def _join_wrapped_lines(
    lines: Sequence[str], joinable: Sequence[bool]
) -> tuple[str, ...]:
    """Join lines that were broken because the next word did not fit into their width.

    Lines are joined only if most of the breaks before lower case have this reason. A line after an empty line, or
    with the bullet of a list, is not joined.
    """
    width = max(map(len, lines), default=0)
    if len(lines) < _WRAPPED_LINES or not _LEAST_WIDTH <= width <= _MOST_WIDTH:
        return tuple(lines)
    breaks = []
    # Whether each line that continues in lower case was broken because of the width
    going_on = []
    for can, (line, after) in zip(joinable[1:], pairwise(lines), strict=True):
        is_inside = can and not ends_sentence(line)
        next_word = after.partition(" ")[0]
        breaks.append(is_inside and len(line) + 1 + len(next_word) > width)
        if is_inside and after[0].islower():
            going_on.append(breaks[-1])
    if 2 * sum(going_on) <= len(going_on) or sum(going_on) < _LOWER_SHARE * sum(breaks):
        return tuple(lines)
    joined = [lines[0]]
    for is_broken, line in zip(breaks, lines[1:], strict=True):
        if is_broken:
            joined[-1] += f" {line}"
        else:
            joined.append(line)
    return tuple(joined)


def is_boilerplate(line: str) -> bool:
    """Return whether the whole `line` is an ornament, a button, a link or a notice."""
    if len(line) > _LINE_CHARS:
        return False
    return _BOILERPLATE.fullmatch(line) is not None or (
        len(line) <= _PHRASE_CHARS and is_known_phrase(line, count_words(line))
    )
