"""Finds the names of outlets in a line above the headline and at the ends of a title."""

import re
from collections.abc import Sequence

from aggregator.extract.phrases import PHRASES, phrases, single_words, words
from aggregator.extract.plain.boilerplate import is_section
from aggregator.text.lines import count_words, ends_sentence, fold_line, word_set

_CAMEL = re.compile(r"\b[A-Z][a-z]+[A-Z]{1,3}(?:[a-z]*)\b|\b[a-z]+[A-Z]\w+")
_DOMAIN = re.compile(r"(?:www\.)?[a-z0-9-]{2,40}(?:\.[a-z]{2,12}){1,2}", re.IGNORECASE)
_PIECES = re.compile(r"(?:(?<!\s)\s++)?[|>»›•·]\s*|(?<!\s)\s++[-–—/]\s+|:\s+")
_EDITION_WORDS = 4  # "Saturday Sports Final"
_SEPARATED = re.compile(r"(?<!\s)\s++[|\-–—•»]\s+|(?<!\s)\s++::\s+")


def looks_like_outlet(line: str) -> bool:
    """Return whether `line` is a few capitalised words typical of outlets ("The Daily Example")."""
    parts = line.split()
    if (
        not 1 <= len(parts) <= 5
        or len(line) > 45
        or ends_sentence(line)
        or is_section(line)
    ):
        return False
    if len(parts) == 1 and _DOMAIN.fullmatch(line):
        return True
    line_words = words(line)
    if (
        not _is_proper(parts)
        or phrases("desks").occurs_in(line_words)
        or phrases("call_to_action").at(line_words)
    ):
        return False
    has_outlet_word = any(
        word in single_words("outlets", "words") for word in line_words if len(word) > 1
    )
    last = parts[-1].casefold()
    return (
        bool(_CAMEL.search(line))
        or (has_outlet_word and line_words not in phrases("outlets").whole)
        or any(
            last.endswith(end) and last != end
            for end in PHRASES.content["outlets"]["ends"]
        )
    )


def _is_proper(parts: Sequence[str]) -> bool:
    """Return whether all words are capitalised; words of scripts without capitals pass, too."""
    return all(
        not word[0].islower() or word.lower() in _SMALL or _CAMEL.match(word)
        for word in parts
    )


_SMALL = word_set("""
    & and da das de dei del delle den der des di die do dos du e el et für het i il la le les of the und van
    y
""")
_UNWEIGHED = _SMALL | word_set("und et y e en les los las den il lo het o a")


def _key(name: str) -> str:
    name_words = fold_line(name).split()
    return "".join(word for word in name_words if word not in _UNWEIGHED) or "".join(
        name_words
    )


def stands_in(outlet: str, line: str) -> bool:
    """Return whether `line` is the name of the outlet, alone or with an edition or section.

    Case, punctuation, "&" and articles are ignored. A line with a longer piece beside the name is a headline.
    """
    name = _key(outlet)
    pieces = _PIECES.split(line)
    return (
        bool(name)
        and all(
            _key(piece) == name or len(piece.split()) <= _EDITION_WORDS
            for piece in pieces
        )
        and name in map(_key, pieces)
    )


def split_title(title: str, outlet: str | None) -> tuple[str, str | None]:
    """Split a title with the outlet's name, "Rain expected today | The Example Times", into (headline, outlet).

    The end is split off if it is `outlet` or looks like an outlet, and the beginning if it is `outlet`. Another short
    end after "|" or "::" is dropped if it may be the name of a section, but not if it tells a fact ("Five dead"). The
    outlet is None if none was found. A headline keeps at least three words.
    """
    breaks = list(_SEPARATED.finditer(title))
    if not breaks:
        return title, None
    beginning = title[: breaks[0].start()]
    rest = title[breaks[0].end() :].strip()
    if count_words(rest) >= 3 and _is_name_of(outlet, beginning):
        return split_title(rest, outlet)[0], beginning.strip()
    for at in reversed(breaks):
        tail = title[at.end() :].strip()
        head = title[: at.start()].strip()
        if count_words(head) < 3:
            continue
        if _is_name_of(outlet, tail) or looks_like_outlet(tail):
            return split_title(head, outlet)[0], tail
        is_name = _is_proper(tail.split()) and not any(map(str.isdigit, tail))
        is_short = at.group().strip() in ("|", "::") and count_words(tail) <= 4
        if is_short and (is_name or is_section(tail)):
            return split_title(head, outlet)[0], None
        break
    return title, None


def _is_name_of(outlet: str | None, name: str) -> bool:
    return _key(name) == _key(outlet) if outlet else False
