"""The head of a saved text: masthead, slogan, topic, headline, byline and standfirst, by position and form.

Lines between masthead and headline are compared with the text: a headline shares words with the text, a slogan
("The paper of the valley") does not.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise

from aggregator.extract.language import dates
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.phrases import words
from aggregator.extract.plain import boilerplate, outlet_names
from aggregator.extract.plain.bylines import read_signature, stated_byline
from aggregator.extract.plain.live_text import opens_with_clock
from aggregator.extract.wire.wire import is_agency_name
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import (
    count_words,
    ends_sentence,
    folded,
    is_name_like,
    same_line,
)

_PAPER = (
    r"(?:(?:news)?paper|weekly|daily|\w*magazine?|journal|review|\w*zeitung|\w*blatt|hebdomadaire|quotidien|périodique|"
    r"periódico|diario|revista|semanario|giornale|quotidiano|rivista|settimanale|jornal|semanário|krant|\w*blad|"
    r"voice|stimme|voix|voz|voce|stem)"
)

# "The paper of the valley", "Ihre Zeitung für die Insel", "Le journal des gens pressés", "... since 1887"
_SLOGAN = re.compile(
    rf"(?:[^\W\d_]+ ){{0,3}}{_PAPER} (?:of|for|from|that|you|für|der|des|aus|von|du|de|d['’]\w*|pour|qui|"
    r"para|del|per|di|della|che|da|do|voor|van)\b.*|"
    r".*\b(?:since|seit|depuis|desde|dal|sinds|founded|gegründet|fondé|fundado|established|est\.) (?:in )?"
    r"\d{4}",
    re.IGNORECASE,
)

_READERS = re.compile(r"(?:for|für|pour|para|per|voor) \w.*", re.IGNORECASE)
_STEM = 5  # letters of a stem, which inflections of a word share

_OUTLET_SHARE = (
    # Largest share of an outlet's name that may be in the text: it may be named after its town
    0.75
)

_WIDE_FROM = "\u3000"  # from here on, characters are compared in pairs


class TextHeader(FrozenStruct):
    """The classified head. `deck`: lines between headline and text that are part of the article."""

    title: str = ""
    outlet: str | None = None
    author: str | None = None
    deck: tuple[str, ...] = ()


def read_head(
    lines: Sequence[str],
    body: Sequence[str],
    *,
    outlet: str | None,
    tuning: ExtractTuning,
    standfirst: Sequence[str],
    closing: Sequence[str],
) -> TextHeader:
    """Classify the `lines` before the first paragraph of `body`.

    `outlet`: its name, if known. `standfirst`: lines of prose after them with a byline or date line.
    `closing`: the last lines of the whole text, which may repeat headline and outlet.
    """
    author = next(filter(None, map(stated_byline, (*lines, *standfirst))), None)
    text_words = _stems(chain.from_iterable(map(words, body)))
    candidates = [line for line in lines if not is_head_boilerplate(line, outlet)]
    place = _place_of_title(candidates, [*lines, *closing], text_words, tuning)
    above = candidates[:place]
    candidates = candidates[place:]
    masthead = _masthead(above, lines, text_words, outlet)
    slogan_words = text_words if masthead else None
    while len(candidates) > 1 and _goes_before(
        candidates[0], candidates[1], slogan_words, tuning
    ):
        candidates.pop(0)
    title = ""
    if candidates and count_words(candidates[0]) <= tuning.title_words:
        title = candidates.pop(0)
    candidates += [line for line in standfirst if not is_head_boilerplate(line, outlet)]
    below = [line for line in candidates if not same_line(line, title)]
    signature, deck = _signature_and_deck(below)
    entries = tuple(filter(opens_with_clock, above))  # of a live blog before the title
    return TextHeader(
        title=title, outlet=masthead, author=author or signature, deck=entries + deck
    )


def _place_of_title(
    candidates: Sequence[str],
    all_lines: Sequence[str],
    text_words: frozenset[str],
    tuning: ExtractTuning,
) -> int:
    """Return the index of the headline in `candidates`, the lines of the head without clear boilerplate.

    A line that the page repeats is the headline. Otherwise leading lines of mastheads and menus are skipped:
    short lines without words of the text, if a longer line below has some.
    """
    for place, line in enumerate(candidates):
        if _is_repeated(line, all_lines) and not outlet_names.looks_like_outlet(line):
            return place
    place = 0
    while place < len(candidates) - 1 and _goes_first(
        candidates[place], candidates[place + 1 :], text_words
    ):
        place += 1
    return _below_menu(candidates, place, text_words, tuning)


def _below_menu(
    candidates: Sequence[str],
    place: int,
    text_words: frozenset[str],
    tuning: ExtractTuning,
) -> int:
    """Return the index of the first longer line that shares words with the text, after short lines."""
    for number in range(place, len(candidates)):
        line = candidates[number]
        share = _share_in_text(line, text_words)
        if share and count_words(line) > tuning.headline_words:
            return number
        if share or not _is_short(line, tuning):
            break
    return place


def _is_short(line: str, tuning: ExtractTuning) -> bool:
    """Return whether the line has few words and is not a headline in capitals."""
    count = count_words(line)
    return count <= tuning.headline_words and not (
        line.isupper() and count >= tuning.headline_words
    )


def is_menu(line: str) -> bool:
    """Return whether `line` is a section or another short link of a menu."""
    return boilerplate.is_weak(line) or boilerplate.is_section(line)


def _is_repeated(line: str, all_lines: Sequence[str]) -> bool:
    """Return whether a line of three or more words occurs twice in `all_lines` or ends another line."""
    if count_words(line) < 3 or is_name_like(line):
        return False
    name = folded(line)
    others = [
        other for other in all_lines if other != line or all_lines.count(line) > 1
    ]
    return any(
        same_line(line, other)
        or (len(name) >= 15 and folded(other).endswith(" " + name))
        for other in others
    )


def _is_masthead_like(line: str, text_words: frozenset[str]) -> bool:
    return (
        outlet_names.looks_like_outlet(line)
        and _share_in_text(line, text_words) < _OUTLET_SHARE
    )


def _goes_first(line: str, below: Sequence[str], text_words: frozenset[str]) -> bool:
    """Return whether `line` is the outlet's name, or a menu's with something like a headline `below`."""
    if _is_masthead_like(line, text_words):
        return True
    return is_menu(line) and any(
        count_words(other) >= 3 and not is_name_like(other) for other in below
    )


def _masthead(
    above: Sequence[str],
    lines: Sequence[str],
    text_words: frozenset[str],
    outlet: str | None,
) -> str | None:
    """Return the outlet's name among the lines before the headline.

    It is in a breadcrumb or next to a menu's words. A bare name counts only if it begins the text, is written
    like a name and is followed by a menu's words.
    """
    if outlet and any(outlet_names.is_masthead(line, outlet) for line in lines):
        return outlet
    for line in above:
        if _is_masthead_like(line, text_words):
            return line
    beside = next(filter(None, map(outlet_names.outlet_beside, lines)), None)
    if beside or len(lines) < 2 or lines[0] not in above[:1]:
        return beside
    first, second = lines[:2]
    is_bare = (
        len(first.split()) >= 2
        and outlet_names.is_proper(first)
        and not is_menu(first)
        and _share_in_text(first, text_words) < _OUTLET_SHARE
    )
    if is_bare and (is_menu(second) or boilerplate.breadcrumb_pieces(second)):
        return first
    return None


def is_head_boilerplate(line: str, outlet: str | None) -> bool:
    """Return whether `line`, before the text, belongs to the page or outlet and not to the article."""
    return (
        boilerplate.is_boilerplate(line)
        or dates.is_date_line(line)
        or stated_byline(line) is not None
        or bool(boilerplate.breadcrumb_pieces(line))
        or boilerplate.is_headline_bullet(line)
        or outlet_names.outlet_beside(line) is not None
        or (outlet is not None and outlet_names.is_masthead(line, outlet))
    )


def _goes_before(
    line: str, following: str, text_words: frozenset[str] | None, tuning: ExtractTuning
) -> bool:
    """Return whether `line` is before the headline: a topic or, if `text_words` is given, a slogan.

    `text_words` are the words of the text, given only after a masthead.
    """
    if (
        count_words(following) > tuning.title_words
        or read_signature(following) is not None
    ):
        return False
    return _is_kicker(line, following, tuning) or (
        text_words is not None and _is_slogan(line, following, text_words)
    )


def _is_kicker(line: str, following: str, tuning: ExtractTuning) -> bool:
    """Return whether `line` is a topic: a few words before a longer line that is itself a headline.

    Four or more words in capitals are a headline, with its standfirst below: topics are shorter.
    """
    line_count = count_words(line)
    next_count = count_words(following)
    if is_name_like(following):
        return False
    if boilerplate.is_section(line):
        return next_count >= 3
    is_in_capitals = line.isupper() and line_count >= tuning.headline_words
    is_short = line_count <= tuning.headline_words and next_count >= max(
        5, line_count + 2
    )
    return is_short and not is_in_capitals and not ends_sentence(line)


def _is_slogan(line: str, following: str, text_words: frozenset[str]) -> bool:
    """Return whether `line` is worded like a slogan, or has no words of the text while the next line has."""
    if count_words(following) < 3 or ends_sentence(following):
        return False
    share = _share_in_text(line, text_words)
    next_share = _share_in_text(following, text_words)
    is_foreign = share < next_share and (
        not share or _READERS.fullmatch(line) is not None
    )
    return is_foreign or _SLOGAN.fullmatch(line) is not None


def _share_in_text(line: str, text_words: frozenset[str]) -> float:
    """Return the share of the words in `line` (or pairs of characters without spaces) that the text has."""
    stems = _stems(words(line))
    return len(stems & text_words) / (len(stems) or 1)


def _stems(line_words: Iterable[str]) -> frozenset[str]:
    """Return the stems of longer words and numbers, and pairs of characters of scripts without spaces."""
    all_words = list(line_words)
    stems = {word[:_STEM] for word in all_words if len(word) >= 4 or word.isdigit()}
    pairs = {
        a + b
        for a, b in pairwise(all_words)
        if len(a) == len(b) == 1 and a > _WIDE_FROM and b > _WIDE_FROM
    }
    return frozenset(stems | pairs)


def _signature_and_deck(lines: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """Return the bare name among the lines under the headline, if any, and the lines with content."""
    author: str | None = None
    deck = []
    for line in lines:
        name = None if boilerplate.is_section(line) else read_signature(line)
        if is_agency_name(line) or is_menu(line):
            continue
        if name is not None:
            author = author or name
        elif count_words(line) >= 4 or ends_sentence(line):
            deck.append(line)
    return author, tuple(deck)
