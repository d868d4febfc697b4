"""The body and the end of a saved text: boilerplate lines go, and links to other articles below it.

Everything else stays, in order; a sentence is never cut.
"""

import re
from collections.abc import Sequence

from aggregator.extract.language import dates
from aggregator.extract.plain import boilerplate
from aggregator.extract.plain.live_text import opens_with_clock
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    is_prose,
)


def has_live_entries(lines: Sequence[str]) -> bool:
    return sum(map(opens_with_clock, lines)) >= _LIVE_ENTRIES


# A text with this many lines that begin with a clock time is a live blog
_LIVE_ENTRIES = 3
_INNER_STOP = re.compile(r"[^\W\d_]{3}[.。](?:\s|(?<=。))[\"”»)]?\s*[^\Wa-z\d_]")


def opens_text(line: str) -> bool:
    """Return whether the line is prose, several sentences, or many words with a colon at the end."""
    word_count = count_words(line)
    return (
        is_prose(line)
        or (word_count >= 8 and line.endswith((":", "：")))
        or (word_count >= 12 and _INNER_STOP.search(line) is not None)
    )


def without_boilerplate(lines: Sequence[str], *, head_lines: int) -> list[str]:
    # The body of a live blog has no more clock times than the whole text: nothing else is searched for them.
    is_live = head_lines > 0 and has_live_entries(lines)
    lines = _without_related_end(lines)
    is_removed = [
        boilerplate.is_boilerplate(line)
        or bool(boilerplate.breadcrumb_pieces(line))
        or dates.is_labelled_date(line)
        or (is_live and number < head_lines and boilerplate.is_headline_bullet(line))
        for number, line in enumerate(lines)
    ]
    _mark_blocks(lines, is_removed)
    _mark_weak(lines, is_removed)
    _mark_tail(lines, is_removed)
    return [
        boilerplate.without_bullet(line)
        for line, removed in zip(lines, is_removed, strict=True)
        if not removed
    ]


def _mark_blocks(lines: Sequence[str], is_removed: list[bool]) -> None:
    """Mark the links after their heading, up to the next prose."""
    is_below_heading = False
    for number, line in enumerate(lines):
        if boilerplate.heads_related_links(line):
            is_below_heading = is_removed[number] = True
        elif is_below_heading and is_text(line) and not is_removed[number]:
            is_below_heading = False
        elif is_below_heading:
            is_link = (
                not ends_sentence(line)
                or line.endswith("?")
                or dates.is_date_line(line)
            )
            is_removed[number] = is_removed[number] or is_link


def is_text(line: str) -> bool:
    return opens_text(line) or opens_with_clock(line)


def _mark_weak(lines: Sequence[str], is_removed: list[bool]) -> None:
    """Mark lines that are boilerplate next to other boilerplate: forwards, then backwards."""
    for order in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        step = -1 if order.step > 0 else 1
        for number in order:
            if (
                not is_removed[number]
                and is_removed[number + step]
                and boilerplate.is_weak(lines[number])
            ):
                is_removed[number] = True


def _mark_tail(lines: Sequence[str], is_removed: list[bool]) -> None:
    """Mark lines after the last sentence if some of them are boilerplate: a heading would have text below.

    In a list, a table or verses only the lines after the boilerplate are marked.
    """
    last = len(lines) - 1
    while last >= 0 and (
        is_removed[last] or not (ends_sentence(lines[last]) or opens_text(lines[last]))
    ):
        last -= 1
    if last < 0:
        return
    below = range(last + 1, len(lines))
    first = next((n for n in below if is_removed[n]), len(lines))
    if last + 1 < first < len(lines) and not _is_list(lines[last:first]):
        first = last + 1
    for number in range(first, len(lines)):
        is_removed[number] = True


def _is_list(lines: Sequence[str]) -> bool:
    """Return whether the lines after the first are a list or table that it introduces, or verses."""
    below = lines[1:]
    has_marks = all(
        boilerplate.without_bullet(line) != line or any(map(str.isdigit, line))
        for line in below
    )
    return (
        any(line.endswith((":", "：")) for line in lines)
        or has_marks
        or len(below) >= _VERSES
    )


_VERSES = 4  # this many short lines in a row are not headings


def _without_related_end(lines: Sequence[str]) -> Sequence[str]:
    """Return `lines` up to a row of links or a heading of related links with no sentence after it."""
    end = len(lines)
    while end and boilerplate.is_navigation(lines[end - 1]):
        end -= 1
    for number in range(end - 1, -1, -1):
        if ends_sentence(lines[number]) and not boilerplate.is_boilerplate(
            lines[number]
        ):
            return lines[:end]
        if boilerplate.heads_related_links(lines[number]):
            return lines[:number]
        if boilerplate.is_navigation(lines[number]):
            end = number
    return lines[:end]
