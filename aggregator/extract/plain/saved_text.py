"""Reads plain text saved by a person: finds headline, byline, date and boilerplate, and returns the article.

The head ends at the first paragraph of prose. The names of outlets, sections and topics stand above the headline;
byline, date and standfirst stand below it. Boilerplate and links to other articles are removed from the body and the
end. Everything else stays, in order, and a sentence is never cut.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import chain

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.language import dates
from aggregator.extract.phrases import words
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

_LIVE_ENTRIES = (
    3  # a text with this many lines that begin with a clock time is a live blog
)
_VERSES = 4  # this many short lines in a row are not headings
_MENU_LINES = 4  # for each line of the head, this many lines are searched, because menus and buttons may be among them
_INNER_STOP = re.compile(r"[^\W\d_]{3}[.。](?:\s|(?<=。))[\"”»)]?\s*[^\Wa-z\d_]")
_PIECES = re.compile(r"[|>»›•·]|\s[-–—/]\s")
_STEM = 5  # the inflections of a word share this many first letters


def read_saved_text(
    text: str,
    tuning: ExtractTuning,
    *,
    outlet: str | None = None,
    zone: str | None = None,
    seen: datetime | None = None,
) -> SavedText:
    """Extract the article from clean `text` that includes headline and boilerplate.

    `outlet` is the name of its outlet, if known; this name may stand above the headline. `zone` and `seen` are used as
    in dates.py.
    """
    blocks = [
        list(filter(None, map(one_line, block.split("\n"))))
        for block in re.split(r"\n[^\S\n]*\n", text)
    ]
    blocks = [block for block in blocks if block]
    inner = list(chain.from_iterable(block[:-1] for block in blocks))
    broken = sum(45 <= len(line) <= 110 and not ends_sentence(line) for line in inner)
    if len(blocks) >= 2 and len(inner) >= 4 and broken >= 0.6 * len(inner):
        # Most line ends inside blocks are within a sentence, so the lines were broken to a width.
        blocks = [[" ".join(block)] for block in blocks]
    named = None
    if outlet and len(blocks) >= 3 and stands_in(outlet, blocks[0][0]):
        # A block above the headline that begins with the outlet's name is a masthead, perhaps with a slogan.
        below = blocks[1][0]
        if not (_opens_text(below) or _is_of_page(below)):
            named = outlet
            del blocks[0]
    lines = list(chain.from_iterable(blocks))
    limit = tuning.end_lines
    is_live = sum(map(opens_with_clock, lines)) >= _LIVE_ENTRIES
    first = _first_prose(lines, limit, is_live=is_live)
    body_start = _after_standfirst(lines, first, limit)
    body = _without_boilerplate(
        lines[body_start:], max(0, limit - body_start) if is_live else 0
    )
    headline, head_outlet, author, deck = _read_head(
        lines[:first], lines[first:body_start], body, outlet=outlet, tuning=tuning
    )
    title, tail_outlet = split_title(headline or _breadcrumb_title(lines), outlet)
    if not title and body:
        # Without any headline the first sentence names the article, and stays in the text.
        opening = next(iter(split_sentences(body[0])), body[0]).split()
        title = " ".join(opening[: tuning.title_words])
        title += " …" * (len(opening) > tuning.title_words)
    return SavedText(
        title=title,
        paragraphs=(*deck, *body),
        author=author,
        outlet=named or head_outlet or tail_outlet,
        published=dates.published_from_text(lines[: body_start or limit], zone, seen),
        lines=tuple(lines),
    )


def _first_prose(lines: Sequence[str], limit: int, *, is_live: bool) -> int:
    """Return the number of the line where the text begins: the first prose after at most `limit` lines.

    Boilerplate and dates do not count towards the limit.
    """
    others = 0
    for number, line in enumerate(lines[: limit * _MENU_LINES]):
        if boilerplate.is_boilerplate(line) or dates.is_date_line(line):
            continue
        if (is_live and opens_with_clock(line)) or (
            _opens_text(line) and not boilerplate.breadcrumb_pieces(line)
        ):
            return number
        others += 1
        if others >= limit:
            return number + 1
    return min(len(lines), limit * _MENU_LINES)


def _opens_text(line: str) -> bool:
    """Return whether the line is prose, several sentences, or many words with a colon at the end."""
    word_count = count_words(line)
    return (
        is_prose(line)
        or (word_count >= 8 and line.endswith((":", "：")))
        or (word_count >= 12 and _INNER_STOP.search(line) is not None)
    )


def _is_text(line: str) -> bool:
    return _opens_text(line) or opens_with_clock(line)


def _after_standfirst(lines: Sequence[str], first: int, limit: int) -> int:
    """Return the number of the line where the text continues after a standfirst; `first` if there is none.

    A standfirst is the first paragraph below a headline, if a byline or date line follows it.
    """
    if first == 0:
        return 0
    reach = range(first + 1, min(len(lines), max(first, limit) + 1))
    prose = [number for number in reach if _is_text(lines[number])]
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


def _read_head(
    lines: Sequence[str],
    standfirst: Sequence[str],
    body: Sequence[str],
    *,
    outlet: str | None,
    tuning: ExtractTuning,
) -> tuple[str, str | None, str | None, list[str]]:
    """Classify the lines above the text and the lines of its standfirst; `body` has the rest of the text.

    Return headline, outlet, author, and the lines below the headline that are part of the article.
    """
    author = next(filter(None, map(stated_byline, (*lines, *standfirst))), None)
    stems = frozenset().union(*map(_stems, body))
    candidates = [line for line in lines if not _is_of_page(line)]
    named = None
    while candidates:
        line, *below = candidates
        is_known = outlet is not None and stands_in(outlet, line)
        is_outlet = is_known or (looks_like_outlet(line) and not _stems(line) <= stems)
        if is_outlet and named is None:
            named = outlet if is_known else line
        is_above = bool(below) and _is_above_headline(line, below, stems, tuning)
        if not (is_outlet or is_above):
            break
        candidates.pop(0)
    title = ""
    if candidates and count_words(candidates[0]) <= tuning.title_words:
        title = candidates.pop(0)
    deck = []
    candidates += [line for line in standfirst if not _is_of_page(line)]
    for line in candidates:
        if same_line(line, title) or is_agency_name(line) or _is_menu(line):
            continue
        signature = read_signature(line)
        if signature is not None:
            author = author or signature
        elif count_words(line) >= 4 or ends_sentence(line):
            deck.append(line)
    return title, named, author, deck


def _is_of_page(line: str) -> bool:
    """Return whether `line`, before the text, belongs to the page and not to the article."""
    return (
        boilerplate.is_boilerplate(line)
        or dates.is_date_line(line)
        or stated_byline(line) is not None
        or bool(boilerplate.breadcrumb_pieces(line))
        or boilerplate.is_headline_bullet(line)
    )


def _is_menu(line: str) -> bool:
    """Return whether `line` is a section, another link of a menu, or a row of links and names of outlets."""
    if boilerplate.is_weak(line) or boilerplate.is_section(line):
        return True
    pieces = [piece.strip() for piece in _PIECES.split(line)]
    return len(pieces) > 1 and all(
        looks_like_outlet(piece)
        or boilerplate.is_boilerplate(piece)
        or boilerplate.is_weak(piece)
        for piece in pieces
    )


def _is_above_headline(
    line: str, below: Sequence[str], stems: frozenset[str], tuning: ExtractTuning
) -> bool:
    """Return whether `line` is a section, a topic, or a short line that has no word in common with the text.

    Four or more words in capitals are a headline with its standfirst below, because topics are shorter.
    """
    following = below[0]
    if _is_menu(line):
        return any(
            count_words(other) >= 3 and not is_name_like(other) for other in below
        )
    line_count = count_words(line)
    if (
        line_count > tuning.headline_words
        or ends_sentence(line)
        or (line.isupper() and line_count >= tuning.headline_words)
    ):
        return False
    if _stems(line).isdisjoint(stems) and any(
        count_words(other) > tuning.headline_words
        and not _stems(other).isdisjoint(stems)
        for other in below
    ):
        return True
    return (
        max(5, line_count + 2) <= count_words(following) <= tuning.title_words
        and not is_name_like(following)
        and read_signature(following) is None
    )


def _stems(line: str) -> frozenset[str]:
    """Return the stems of longer words, and numbers.

    If there are none, as in Chinese, return the pairs of characters.
    """
    line_words = words(line)
    stems = {word[:_STEM] for word in line_words if len(word) >= 4 or word.isdigit()}
    if not stems:
        joined = "".join(line_words)
        stems = {joined[at : at + 2] for at in range(len(joined) - 1)}
    return frozenset(stems)


def _breadcrumb_title(lines: Sequence[str]) -> str:
    """Return the headline in a breadcrumb line at either end, for a text saved without its headline."""
    for line in (*lines[:3], *reversed(lines[-6:])):
        pieces = [p for p in boilerplate.breadcrumb_pieces(line) if count_words(p) >= 4]
        if pieces:
            return max(pieces, key=len)
    return ""


def _without_boilerplate(lines: Sequence[str], head_lines: int) -> list[str]:
    """Return the body; a live blog also loses bulleted headlines in its first `head_lines` lines."""
    is_removed = []
    is_below_heading = False
    for number, line in enumerate(lines):
        removed = (
            boilerplate.is_boilerplate(line)
            or bool(boilerplate.breadcrumb_pieces(line))
            or dates.is_labelled_date(line)
            or (number < head_lines and boilerplate.is_headline_bullet(line))
        )
        if boilerplate.heads_related_links(line):
            is_below_heading = removed = True
        elif is_below_heading and not removed:
            # The lines between a heading of related links and the next prose are links.
            is_below_heading = not _is_text(line)
            removed = is_below_heading and (
                not ends_sentence(line) or line.endswith("?")
            )
        is_removed.append(removed)
    for order in (range(1, len(lines)), range(len(lines) - 2, -1, -1)):
        for number in order:
            # Weak lines are boilerplate next to other boilerplate.
            if is_removed[number - order.step] and boilerplate.is_weak(lines[number]):
                is_removed[number] = True
    last = max(
        (
            number
            for number, line in enumerate(lines)
            if not is_removed[number] and (ends_sentence(line) or _opens_text(line))
        ),
        default=len(lines),
    )
    # Below the last sentence, the text ends at the first line of boilerplate or row of links. Lines between the two are
    # dropped, too, because a heading would have a text below it. A list, a table and verses stay.
    end = next(
        (
            number
            for number in range(last + 1, len(lines))
            if is_removed[number] or boilerplate.is_navigation(lines[number])
        ),
        len(lines),
    )
    if end < len(lines) and not _is_list(lines[last:end]):
        end = last + 1
    return [
        boilerplate.without_bullet(line)
        for line, removed in zip(lines[:end], is_removed[:end], strict=True)
        if not removed
    ]


def _is_list(lines: Sequence[str]) -> bool:
    """Return whether the lines after the first are a list or table that it introduces, or verses."""
    below = lines[1:]
    has_marks = all(
        boilerplate.without_bullet(line) != line or any(map(str.isdigit, line))
        for line in below
    )
    is_introduced = any(line.endswith((":", "：")) for line in lines)
    return is_introduced or has_marks or len(below) >= _VERSES
