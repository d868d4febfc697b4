"""The head of a saved text: which line is masthead, slogan, topic, headline, byline, date, standfirst.

Each is told by its place and shape. Where the outlet is known (the folder's name) its masthead is known too,
and what stands between masthead and headline can be told from the headline by the text below: a headline
speaks of what the article tells, a slogan ("The paper of the valley") does not.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from aggregator.extract.language import dates
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.lines import count_words, ends_sentence, folded, is_name_like, same_line
from aggregator.extract.liveblog.detect import opens_with_clock
from aggregator.extract.phrases import words
from aggregator.extract.plain import boilerplate, outlet_names
from aggregator.extract.plain.bylines import read_signature, stated_byline
from aggregator.extract.wire.wire import is_agency_name

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
_STEM = 5  # letters that inflections of a word share
_OUTLET_SHARE = 0.75  # of an outlet's name may be in the text: it often is named after its town
_WIDE_FROM = "\u3000"  # scripts whose characters are compared in pairs


class TextHeader(msgspec.Struct, frozen=True, kw_only=True):
    """`deck`: lines between headline and text that belong to the article (standfirst)."""

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
    standfirst: Sequence[str] = (),
    closing: Sequence[str] = (),
) -> TextHeader:
    """What the `lines` above the first paragraph of `body` are; `outlet`: its name, where it is known;
    `standfirst`: lines of prose below them with byline or date line; `closing`: the last lines of the whole,
    which may repeat headline and outlet."""
    author = next((name for name in map(stated_byline, [*lines, *standfirst]) if name), None)
    names = outlet_names.confirmed_names([*lines, *closing])
    text_words = _stems(word for line in body[: tuning.slogan_body_lines] for word in words(line))
    rest = [line for line in lines if not is_head_furniture(line, outlet)]
    place = _place_of_title(rest, [*lines, *closing], text_words, names, tuning)
    above, rest = rest[:place], rest[place:]
    masthead = outlet if outlet and any(outlet_names.is_masthead(line, outlet) for line in lines) else None
    if masthead is None:
        masthead = _masthead(above, lines, names, text_words)
    while len(rest) > 1 and _goes_before(rest[0], rest[1], text_words if masthead else None, tuning):
        rest.pop(0)
    title = rest.pop(0) if rest and count_words(rest[0]) <= tuning.title_words else ""
    rest += [line for line in standfirst if not is_head_furniture(line, outlet)]
    below = [line for line in rest if not same_line(line, title)]
    signature, deck = _signature_and_deck(below)
    entries = tuple(line for line in above if opens_with_clock(line))  # of a live blog, told before the title
    return TextHeader(title=title, outlet=masthead, author=author or signature, deck=entries + deck)


def _place_of_title(
    rest: Sequence[str],
    all_lines: Sequence[str],
    text_words: frozenset[str],
    names: frozenset[str],
    tuning: ExtractTuning,
) -> int:
    """Where the headline stands in `rest`, the lines of the head that are no plain furniture.

    A line that the page repeats is it. Else mastheads and menus go before: short lines, or slogans, that
    speak of nothing that the text tells, where a longer line below does.
    """
    for place, line in enumerate(rest):
        if _is_repeated(line, all_lines) and not outlet_names.looks_like_outlet(line):
            return place
    place = 0
    if len(rest) > 1 and _opens_menu(rest, all_lines, text_words, tuning):
        place = 1
    while place < len(rest) - 1 and _goes_first(rest[place], rest[place + 1 :], text_words, names):
        place += 1
    target = next((n for n in range(place, len(rest)) if _speaks_of_it(rest[n], text_words, tuning)), place)
    is_minor = all(
        _is_short(line, tuning) and (_share_in_text(line, text_words) <= tuning.slogan_share or is_menu(line))
        for line in rest[place:target]
    )
    return target if is_minor and target > place else _below_menu(rest, place, text_words, tuning)


def _opens_menu(
    rest: Sequence[str], all_lines: Sequence[str], text_words: frozenset[str], tuning: ExtractTuning
) -> bool:
    """Whether the first line is a short name, a menu's words come next and a longer line is told below."""
    first = rest[0]
    if (
        all_lines[0] != first
        or count_words(first) >= tuning.kicker_words
        or not outlet_names.is_proper(first)
    ):
        return False
    longer = (line for line in rest[1:] if count_words(line) > tuning.kicker_words)
    return is_menu(all_lines[1]) and any(
        _share_in_text(line, text_words) > tuning.slogan_share for line in longer
    )


def _below_menu(rest: Sequence[str], place: int, text_words: frozenset[str], tuning: ExtractTuning) -> int:
    """Where, below short lines of which the text has no word, the first longer line stands that it has."""
    for number in range(place, len(rest)):
        line = rest[number]
        share = _share_in_text(line, text_words)
        if share > tuning.slogan_share and count_words(line) > tuning.kicker_words:
            return number
        if share or not _is_short(line, tuning):
            break
    return place


def _is_short(line: str, tuning: ExtractTuning) -> bool:
    """Few words, and not a headline in capitals."""
    count = count_words(line)
    return count <= tuning.kicker_words and not (line.isupper() and count >= tuning.kicker_words)


def is_menu(line: str) -> bool:
    """Whether `line` is a section or another short link of a page's menu."""
    return boilerplate.is_weak(line) or boilerplate.is_section(line)


def _is_repeated(line: str, all_lines: Sequence[str]) -> bool:
    """Whether a line of three words or more stands twice among `all_lines`, or ends another of them."""
    if count_words(line) < 3 or is_name_like(line):
        return False
    name = folded(line)
    others = [other for other in all_lines if other != line or all_lines.count(line) > 1]
    return any(
        same_line(line, other) or (len(name) >= 15 and folded(other).endswith(" " + name)) for other in others
    )


def _is_masthead_like(line: str, text_words: frozenset[str], names: frozenset[str]) -> bool:
    if outlet_names.is_confirmed(line, names):
        return True
    return outlet_names.looks_like_outlet(line) and _share_in_text(line, text_words) < _OUTLET_SHARE


def _goes_first(line: str, below: Sequence[str], text_words: frozenset[str], names: frozenset[str]) -> bool:
    """Whether `line` is the outlet's name, or a menu's with something like a headline `below`."""
    if _is_masthead_like(line, text_words, names):
        return True
    return is_menu(line) and any(count_words(other) >= 3 and not is_name_like(other) for other in below)


def _speaks_of_it(line: str, text_words: frozenset[str], tuning: ExtractTuning) -> bool:
    is_long = count_words(line) >= 3
    return is_long and not is_name_like(line) and _share_in_text(line, text_words) >= tuning.headline_share


def _masthead(
    above: Sequence[str], lines: Sequence[str], names: frozenset[str], text_words: frozenset[str]
) -> str | None:
    """The outlet's name among the lines above the headline, in a breadcrumb or beside a menu's words; a bare
    name only where it opens the text, is written like one and a menu's word comes next."""
    for line in above:
        if _is_masthead_like(line, text_words, names):
            return line
    beside = next((name for line in lines if (name := outlet_names.outlet_beside(line))), None)
    if beside is not None:
        return beside
    first = lines[0] if lines else ""
    is_first = bool(above) and above[0] == first and len(first.split()) >= 2 and len(lines) > 1
    is_bare = is_first and outlet_names.is_proper(first) and not is_menu(first)
    is_bare = is_bare and _share_in_text(first, text_words) < _OUTLET_SHARE
    return first if is_bare and (is_menu(lines[1]) or boilerplate.breadcrumb_pieces(lines[1])) else None


def is_head_furniture(line: str, outlet: str | None = None) -> bool:
    """Whether `line`, standing above the text, is there for page or outlet, not for the article."""
    return (
        boilerplate.is_furniture(line)
        or dates.is_date_line(line)
        or dates.is_clock_line(line)
        or stated_byline(line) is not None
        or bool(boilerplate.breadcrumb_pieces(line))
        or boilerplate.is_headline_bullet(line)
        or outlet_names.outlet_beside(line) is not None
        or (outlet is not None and outlet_names.is_masthead(line, outlet))
    )


def _goes_before(line: str, following: str, text_words: frozenset[str] | None, tuning: ExtractTuning) -> bool:
    """Whether `line` stands above the headline: a topic, or a slogan where `text_words` (the words of the
    text) is
    given, which it is under a masthead only."""
    if count_words(following) > tuning.title_words or read_signature(following) is not None:
        return False
    return _is_kicker(line, following, tuning) or (
        text_words is not None and _is_slogan(line, following, text_words, tuning)
    )


def _is_kicker(line: str, following: str, tuning: ExtractTuning) -> bool:
    """A topic above the headline: a few words, then a line that is longer and is itself a headline.

    Four words or more in capitals are themselves a headline, with its standfirst below: topics are shorter.
    """
    words, next_words = count_words(line), count_words(following)
    if is_name_like(following):
        return False
    if boilerplate.is_section(line):
        return next_words >= 3
    is_loud = line.isupper() and words >= tuning.kicker_words
    is_short = words <= tuning.kicker_words and next_words >= max(5, words + 2)
    return is_short and not is_loud and not ends_sentence(line)


def _is_slogan(line: str, following: str, text_words: frozenset[str], tuning: ExtractTuning) -> bool:
    """Like a slogan in its words, or speaking of nothing that the text tells, while the next line does."""
    if count_words(line) > tuning.slogan_words or count_words(following) < 3 or ends_sentence(following):
        return False
    share, next_share = _share_in_text(line, text_words), _share_in_text(following, text_words)
    if _SLOGAN.fullmatch(line):
        return share < tuning.headline_share
    if _READERS.fullmatch(line):
        return share < next_share
    return share <= tuning.slogan_share and next_share >= tuning.headline_share


def _share_in_text(line: str, text_words: frozenset[str]) -> float:
    """Of the words in `line` (without spaces: its pairs of characters), the share that the text has."""
    found = _stems(words(line))
    return len(found & text_words) / len(found) if found else 0.0


def _stems(found: Iterable[str]) -> frozenset[str]:
    """The beginnings of words that mean something; characters that are words of their own, in pairs."""
    all_words = list(found)
    stems = {word[:_STEM] for word in all_words if len(word) >= 4 or word.isdigit()}
    pairs = {
        a + b for a, b in pairwise(all_words) if len(a) == len(b) == 1 and a > _WIDE_FROM and b > _WIDE_FROM
    }
    return frozenset(stems | pairs)


def _signature_and_deck(rest: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The bare name among the lines under the headline, if any, and those that tell something."""
    author: str | None = None
    deck: list[str] = []
    for line in rest:
        name = None if boilerplate.is_section(line) else read_signature(line)
        if is_agency_name(line) or is_menu(line):
            continue
        if name is not None:
            author = author or name
        elif count_words(line) >= 4 or ends_sentence(line):
            deck.append(line)
    return author, tuple(deck)
