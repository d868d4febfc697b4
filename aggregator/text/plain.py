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
from aggregator.text.bylines import stated_byline
from aggregator.text.head import is_head_furniture, read_head
from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words, ends_sentence, is_prose, same_line
from aggregator.text.live import opens_with_clock
from aggregator.text.wire import is_agency_name


class SavedText(msgspec.Struct, frozen=True, kw_only=True):
    """What a saved text holds. `lines` are all its lines, furniture and credits too, for `wire.find_wire`."""

    title: str = ""
    paragraphs: tuple[str, ...] = ()
    author: str | None = None
    outlet: str | None = None
    published: Published | None = None
    lines: tuple[str, ...] = ()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a text before it is read; `zone` and `seen` as in `dates`."""

    rules: TextRules
    headings: tuple[str, ...] = ()  # other forms of its headline, which may be repeated above the text
    outlet: str | None = None  # whose masthead may stand above the headline
    zone: str | None = None
    seen: dt.datetime | None = None


def read_saved_text(text: str, context: Context) -> SavedText:
    """An article out of clean `text` that holds headline and furniture."""
    rules = context.rules
    lines = _lines(text)
    body_start = _first_prose(lines, rules.head_lines)
    body = _without_furniture(lines[body_start:], head_lines=max(0, rules.head_lines - body_start))
    head = read_head(lines[:body_start], body, outlet=context.outlet, rules=rules)
    stated = head.title or _breadcrumb_title(lines) or ""
    title, tail_outlet = outlets.split_title(stated, context.outlet)
    return SavedText(
        title=title or _opening(body, rules),
        paragraphs=_without_title([*head.deck, *body], title),
        author=head.author,
        outlet=head.outlet or tail_outlet or _outlet_of_copyright(lines, rules),
        published=dates.published_from_text(lines[: max(rules.head_lines, 1)], context.zone, context.seen),
        lines=tuple(lines),
    )


def read_titled_text(text: str, title: str, context: Context) -> SavedText:
    """The gentle reading, for a body whose headline is known: the repeated headline and furniture go."""
    lines = _lines(text)
    start = _first_prose(lines, context.rules.head_lines)
    author = next((name for name in map(stated_byline, lines[:start]) if name), None)
    head = [x for x in lines[:start] if not is_head_furniture(x, context.outlet) and not is_agency_name(x)]
    kept = [*head, *_without_furniture(lines[start:], head_lines=0)]
    return SavedText(
        title=title,
        paragraphs=_without_title(kept, title, *context.headings),
        author=author,
        published=dates.published_from_text(lines[:start], context.zone, context.seen),
        lines=tuple(lines),
    )


# --- lines -------------------------------------------------------------------------------------------------


def _lines(text: str) -> list[str]:
    blocks = [
        [" ".join(line.split()) for line in block.split("\n")] for block in re.split(r"\n[^\S\n]*\n", text)
    ]
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


# --- titles that stand elsewhere ---------------------------------------------------------------------------


def _breadcrumb_title(lines: Sequence[str]) -> str | None:
    """The headline in a breadcrumb line at either end, for a text that was saved without its headline."""
    for line in (*lines[:3], *reversed(lines[-6:])):
        pieces = [p for p in furniture.breadcrumb_pieces(line) if count_words(p) >= 4]
        if pieces:
            return max(pieces, key=len)
    return None


def _opening(body: Sequence[str], rules: TextRules) -> str:
    """The first sentence, for a text without any headline; it stays in the text too."""
    from aggregator.text.sentences import split_sentences

    if len(body) > 1 and count_words(body[0]) < rules.prose_words:
        return body[0]  # a headline that ends with a full stop, or a standfirst
    sentences = split_sentences(body[0]) if body else []
    words = (sentences[0] if sentences else (body[0] if body else "")).split()
    return " ".join(words[: rules.title_words]) + (" …" if len(words) > rules.title_words else "")


def _outlet_of_copyright(lines: Sequence[str], rules: TextRules) -> str | None:
    names = (outlets.outlet_of_copyright(line) for line in lines[-rules.closing_lines :])
    return next((name for name in names if name and not is_agency_name(name)), None)


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


def _without_title(paragraphs: Sequence[str], *titles: str) -> tuple[str, ...]:
    """`paragraphs` without the headline where it is repeated, which it is at the top."""
    known = [title for title in titles if title]
    return tuple(p for n, p in enumerate(paragraphs) if n > 3 or not any(same_line(p, t) for t in known))


def _without_related_end(lines: Sequence[str]) -> Sequence[str]:
    """`lines` up to a row of links or a heading of related links after which no sentence follows."""
    end = len(lines)
    while end and furniture.is_navigation(lines[end - 1]):
        end -= 1
    for number in range(end - 1, -1, -1):
        if ends_sentence(lines[number]) and not furniture.is_furniture(lines[number]):
            return lines[:end]
        if furniture.heads_related_links(lines[number]):
            return lines[:number]
        if furniture.is_navigation(lines[number]):
            end = number
    return lines[:end]
