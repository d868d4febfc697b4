"""Plain text as a person saved it: which line is headline, byline, date, furniture, and what is the article.

Head (before the first paragraph of prose, at most `head_lines` lines): masthead, kicker, headline, byline and
date stand there, each told by its place and shape. Middle: whole lines of furniture go. End: links to other
articles go. Everything else stays, in order; a sentence is never cut.
"""

import datetime as dt
import re
from collections.abc import Sequence

import msgspec

from aggregator.model import Published
from aggregator.text import dates, furniture, outlets
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    is_name_like,
    is_prose,
    one_space,
    same_line,
)
from aggregator.text.live import opens_with_clock
from aggregator.text.wire import is_agency_name

_KICKER_WORDS = 4
_TITLE_WORDS = 30
_PROSE_WORDS = 25
_BYLINE = re.compile(
    r"(?:by|von|par|por|di|door|da|text|autor|author|written by|auteur|reporter|от|"
    r"автор)\b\s*:?\s+(?P<name>[^.:;!?\d]{3,80})",
    re.IGNORECASE,
)


class SavedText(msgspec.Struct, frozen=True, kw_only=True):
    """What a saved text holds. `lines` are all its lines, furniture and credits too, for `wire.find_wire`."""

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    author: str | None = None
    outlet: str | None = None
    published: Published | None = None
    lines: tuple[str, ...] = ()


def read_saved_text(
    text: str, *, head_lines: int, zone: str | None = None, seen: dt.datetime | None = None
) -> SavedText:
    """An article out of clean `text` that holds headline and furniture; `zone` and `seen` as in `dates`."""
    lines = _lines(text)
    body_start = _first_prose(lines, head_lines)
    head = _read_head(lines[:body_start])
    body = _without_furniture(lines[body_start:], head_lines=max(0, head_lines - body_start))
    title, outlet = head.title, head.outlet
    title, tail_outlet = outlets.split_title(title or _breadcrumb_title(lines) or "")
    copyrights = (outlets.outlet_of_copyright(line) for line in lines[-8:])
    stated = next((name for name in copyrights if name and not is_agency_name(name)), None)
    return SavedText(
        title=title or _opening(body),
        paragraphs=_without_title([*head.deck, *body], title),
        author=head.author,
        outlet=outlet or tail_outlet or stated,
        published=dates.published_from_text(lines[: max(head_lines, 1)], zone, seen),
        lines=tuple(lines),
    )


def read_titled_text(
    text: str, title: str, *, head_lines: int, zone: str | None = None, seen: dt.datetime | None = None
) -> SavedText:
    """The gentle reading, for a body whose headline is known: the repeated headline and furniture go."""
    lines = _lines(text)
    start = _first_prose(lines, head_lines)
    author = next((a for a in map(_stated_byline, lines[:start]) if a), None)
    head = [x for x in lines[:start] if not _is_head_furniture(x) and not is_agency_name(x)]
    kept = [*head, *_without_furniture(lines[start:], head_lines=0)]
    return SavedText(
        title=title,
        paragraphs=_without_title(kept, title),
        author=author,
        published=dates.published_from_text(lines[:start], zone, seen),
        lines=tuple(lines),
    )


def read_untitled_text(
    text: str, _title: str = "", *, head_lines: int, zone: str | None = None, seen: dt.datetime | None = None
) -> SavedText:
    """A record or entry without a headline: as a saved text is read, since the headline may stand inside."""
    return read_saved_text(text, head_lines=head_lines, zone=zone, seen=seen)


# --- lines -------------------------------------------------------------------------------------------------


def _lines(text: str) -> list[str]:
    blocks = [[one_space(line) for line in block.split("\n")] for block in re.split(r"\n[^\S\n]*\n", text)]
    if _is_hard_wrapped(blocks):
        return [" ".join(line for line in block if line) for block in blocks if any(block)]
    return [line for block in blocks for line in block if line]


def _is_hard_wrapped(blocks: list[list[str]]) -> bool:
    """Whether line ends inside blocks come from a column's width: full lines that break off in a sentence."""
    inner = [line for block in blocks for line in block[:-1] if line]
    if len(blocks) < 2 or len(inner) < 4:
        return False
    broken = sum(1 for line in inner if 45 <= len(line) <= 110 and not ends_sentence(line))
    return broken >= 0.6 * len(inner)


def _first_prose(lines: Sequence[str], limit: int) -> int:
    """Where the article's text begins: the first paragraph of prose among the first `limit` lines."""
    for number, line in enumerate(lines[:limit]):
        if furniture.is_furniture(line) or dates.is_date_line(line):
            continue
        if opens_with_clock(line) or (is_prose(line) and not furniture.breadcrumb_pieces(line)):
            return number
    return min(len(lines), limit)


# --- the head ----------------------------------------------------------------------------------------------


class _Head(msgspec.Struct):
    title: str = ""
    outlet: str | None = None
    author: str | None = None
    deck: list[str] = []


def _read_head(lines: Sequence[str]) -> _Head:
    head = _Head()
    head.author = next((a for a in map(_stated_byline, lines) if a), None)
    rest = [line for line in lines if not _is_head_furniture(line)]
    if len(rest) > 1 and outlets.looks_like_outlet(rest[0]):
        head.outlet = rest.pop(0)
    if len(rest) > 1 and _is_kicker(rest[0], rest[1]):
        rest.pop(0)
    if rest and count_words(rest[0]) <= _TITLE_WORDS:
        head.title = rest.pop(0)
    for line in rest:
        if is_agency_name(line):
            continue
        if is_name_like(line) and head.author is None and not furniture.is_section(line):
            head.author = line
        elif count_words(line) >= 4:
            head.deck.append(line)
    return head


def _is_head_furniture(line: str) -> bool:
    return (
        furniture.is_furniture(line)
        or dates.is_date_line(line)
        or _stated_byline(line) is not None
        or bool(furniture.breadcrumb_pieces(line))
        or furniture.is_teaser_bullet(line)
    )


def _is_kicker(line: str, following: str) -> bool:
    """A topic above the headline: a few words, then a line that is longer and is itself a headline."""
    words, next_words = count_words(line), count_words(following)
    if is_name_like(following) or dates.is_date_line(following) or next_words > _TITLE_WORDS:
        return False
    if furniture.is_section(line):
        return next_words >= 3
    return words <= _KICKER_WORDS and next_words >= max(5, words + 2) and not ends_sentence(line)


def _stated_byline(line: str) -> str | None:
    """The name after "By", "Von", "Par" ...; None for any other line."""
    found = _BYLINE.fullmatch(line)
    if found is None or count_words(line) > 10:
        return None
    name = re.split(r"\s*(?:,|\||•|–|—| in | for | - )\s*", found["name"])[0].strip()
    return name if name and name[0].isupper() and 1 <= len(name.split()) <= 5 else None


def _breadcrumb_title(lines: Sequence[str]) -> str | None:
    """The headline in a breadcrumb line at either end, for a text that was saved without its headline."""
    for line in (*lines[:3], *reversed(lines[-6:])):
        pieces = [p for p in furniture.breadcrumb_pieces(line) if count_words(p) >= 4]
        if pieces:
            return max(pieces, key=len)
    return None


def _opening(body: Sequence[str]) -> str:
    """The first sentence, for a text without any headline; it stays in the text too."""
    from aggregator.text.sentences import split_sentences

    if len(body) > 1 and count_words(body[0]) < _PROSE_WORDS:
        return body[0]  # a headline that ends with a full stop, or a standfirst
    sentences = split_sentences(body[0]) if body else []
    words = (sentences[0] if sentences else (body[0] if body else "")).split()
    return " ".join(words[:_TITLE_WORDS]) + (" …" if len(words) > _TITLE_WORDS else "")


# --- body and end ------------------------------------------------------------------------------------------


def _without_furniture(lines: Sequence[str], *, head_lines: int) -> list[str]:
    is_live = sum(map(opens_with_clock, lines)) >= 3
    kept: list[str] = []
    after_related = False
    for number, line in enumerate(_without_related_end(lines)):
        if furniture.heads_related_links(line):
            after_related = True
        elif is_prose(line):
            after_related = False
        is_teaser = furniture.is_teaser_bullet(line) and is_live and number < head_lines
        is_link = after_related and not ends_sentence(line)
        if not (is_teaser or is_link or furniture.is_furniture(line) or furniture.breadcrumb_pieces(line)):
            kept.append(furniture.without_bullet(line))
    return kept


def _without_title(paragraphs: Sequence[str], title: str) -> tuple[str, ...]:
    """`paragraphs` without the headline where it is repeated, which it is at the top."""
    return tuple(p for n, p in enumerate(paragraphs) if n > 3 or not title or not same_line(p, title))


def _without_related_end(lines: Sequence[str]) -> Sequence[str]:
    """`lines` up to a heading of related links after which no sentence follows."""
    for number in range(len(lines) - 1, -1, -1):
        if ends_sentence(lines[number]) and not furniture.is_furniture(lines[number]):
            return lines
        if furniture.heads_related_links(lines[number]):
            return lines[:number]
    return lines
