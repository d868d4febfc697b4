"""Names of outlets in texts: masthead lines, the end of a title."""

import re

from aggregator.extract.phrases import label_of, phrases, single_words, table, words
from aggregator.extract.plain.boilerplate import (
    breadcrumb_pieces,
    is_boilerplate,
    is_section,
    is_weak,
)
from aggregator.text.lines import count_words, ends_sentence, folded, word_set

_CAMEL = re.compile(r"\b[A-Z][a-z]+[A-Z]{1,3}(?:[a-z]*)\b|\b[a-z]+[A-Z]\w+")
_DOMAIN = re.compile(r"(?:www\.)?[a-z0-9-]{2,40}(?:\.[a-z]{2,12}){1,2}", re.IGNORECASE)
_SEPARATED = re.compile(r"\s+[|\-–—•»]\s+|\s+::\s+")


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
        not is_proper(line)
        or phrases("desks").stand_in(line_words)
        or phrases("call_to_action").at(line_words)
    ):
        return False
    has_outlet_word = any(
        word in single_words("outlets", "words") for word in line_words if len(word) > 1
    )
    return (
        bool(_CAMEL.search(line))
        or (has_outlet_word and line_words not in phrases("outlets").whole)
        or _ends_like_one(line)
    )


def is_proper(line: str) -> bool:
    """Return whether every word begins like a name; in scripts without capitals every word does."""
    return all(
        not w[0].islower() or w.lower() in _SMALL or _CAMEL.match(w) is not None
        for w in line.split()
    )


def _ends_like_one(line: str) -> bool:
    last = line.rpartition(" ")[2].casefold()
    return any(
        last.endswith(end) and len(last) > len(end)
        for end in table()["outlets"]["ends"]
    )


_SMALL = word_set("""
    & and da das de dei del delle den der des di die do dos du e el et für het i il la le les of the und van
    y
""")


def is_masthead(line: str, outlet: str) -> bool:
    """Return whether `line` is the name `outlet`, alone or with an edition or a section.

    Case, punctuation, "&" and articles are ignored; of a domain its name is compared.
    """
    name = outlet.strip()
    if _DOMAIN.fullmatch(name):
        name = _HOST.sub(r"\g<name>", name)
    name = _key(name)
    pieces = [piece for piece in _PIECES.split(line) if piece.strip()]
    if not name or name not in map(_key, pieces):
        return False
    return all(
        _key(piece) == name or len(piece.split()) <= _EDITION_WORDS for piece in pieces
    )


_HOST = re.compile(r"^(?:www\.)?(?P<name>[^.]+)\..*")
_PIECES = re.compile(r"\s*[|>»›•·]\s*|\s+[-–—/]\s+|:\s+")
# "Saturday Sports Final"; a longer piece next to the name is a headline
_EDITION_WORDS = 4
_UNWEIGHED = _SMALL | word_set("und et y e en les los las den il lo het o a")


def _key(name: str) -> str:
    name_words = folded(name).split()
    return "".join(word for word in name_words if word not in _UNWEIGHED) or "".join(
        name_words
    )


def outlet_beside(line: str) -> str | None:
    """Return the name in a line that otherwise has only boilerplate, or None.

    Examples: "The Lantern - Back to home", "Lantern > World > Syria".
    """
    steps = breadcrumb_pieces(line)
    if steps:
        return steps[0] if _is_front_page(steps[0]) else None
    if label_of(line)[0] in phrases("label").whole | phrases("bylines").whole:
        return None
    pieces = [piece.strip() for piece in _PIECES.split(line) if piece.strip()]
    names = [piece for piece in pieces if not (is_boilerplate(piece) or is_weak(piece))]
    if len(names) == 1 < len(pieces) and looks_like_outlet(names[0]):
        return names[0]
    return None


def _is_front_page(step: str) -> bool:
    """Return whether the first step of a breadcrumb line is the name of the outlet."""
    return (
        not is_section(step)
        and words(step) not in phrases("breadcrumb_home").whole
        and count_words(step) <= 5
        and is_proper(step)
        and not is_boilerplate(step)
    )


def split_title(title: str, outlet: str | None) -> tuple[str, str | None]:
    """Split a title with the outlet's name, "Rain expected | The Example Times", into (headline, outlet).

    The end is split off if it is `outlet` or looks like an outlet, the beginning if it is `outlet`; otherwise
    return the whole title and None.
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
        if at.group().strip() in ("|", "::") and count_words(tail) <= 4:
            return split_title(head, outlet)[0], None
        break
    return title, None


def _is_name_of(outlet: str | None, name: str) -> bool:
    return _key(name) == _key(outlet) if outlet else False
