"""The head of a saved text: which line is masthead, slogan, topic, headline, byline, date, standfirst.

Each is told by its place and shape. Where the outlet is known (the folder's name) its masthead is known too,
and what stands between masthead and headline can be told from the headline by the text below: a headline
speaks of what the article tells, a slogan ("The paper of the valley") does not.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from aggregator.text import dates, furniture, outlets
from aggregator.text.bylines import read_signature, stated_byline
from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words, ends_sentence, folded, is_name_like
from aggregator.text.wire import is_agency_name

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


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """`deck`: lines between headline and text that belong to the article (standfirst)."""

    title: str = ""
    outlet: str | None = None
    author: str | None = None
    deck: tuple[str, ...] = ()


def read_head(lines: Sequence[str], body: Sequence[str], *, outlet: str | None, rules: TextRules) -> Head:
    """What the `lines` above the first paragraph of `body` are; `outlet`: its name, where it is known."""
    author = next((name for name in map(stated_byline, lines) if name), None)
    rest = [line for line in lines if not is_head_furniture(line, outlet)]
    masthead = outlet if outlet and any(outlets.is_masthead(line, outlet) for line in lines) else None
    if masthead is None and len(rest) > 1 and outlets.looks_like_outlet(rest[0]):
        masthead = rest.pop(0)
    told = _stems(word for line in body[: rules.slogan_body_lines] for word in folded(line).split())
    while len(rest) > 1 and _goes_before(rest[0], rest[1], told if masthead else None, rules):
        rest.pop(0)
    title = rest.pop(0) if rest and count_words(rest[0]) <= rules.title_words else ""
    signature, deck = _signature_and_deck(rest)
    return Head(title=title, outlet=masthead, author=author or signature, deck=deck)


def is_head_furniture(line: str, outlet: str | None = None) -> bool:
    """Whether `line`, standing above the text, is there for page or outlet, not for the article."""
    return (
        furniture.is_furniture(line)
        or dates.is_date_line(line)
        or stated_byline(line) is not None
        or bool(furniture.breadcrumb_pieces(line))
        or furniture.is_teaser_bullet(line)
        or (outlet is not None and outlets.is_masthead(line, outlet))
    )


def _goes_before(line: str, following: str, told: frozenset[str] | None, rules: TextRules) -> bool:
    """Whether `line` stands above the headline: a topic, or a slogan where `told` (the words of the text) is
    given, which it is under a masthead only."""
    if count_words(following) > rules.title_words or read_signature(following) is not None:
        return False
    return _is_kicker(line, following, rules) or (
        told is not None and _is_slogan(line, following, told, rules)
    )


def _is_kicker(line: str, following: str, rules: TextRules) -> bool:
    """A topic above the headline: a few words, then a line that is longer and is itself a headline.

    Four words or more in capitals are themselves a headline, with its standfirst below: topics are shorter.
    """
    words, next_words = count_words(line), count_words(following)
    if is_name_like(following):
        return False
    if furniture.is_section(line):
        return next_words >= 3
    is_loud = line.isupper() and words >= rules.kicker_words
    is_short = words <= rules.kicker_words and next_words >= max(5, words + 2)
    return is_short and not is_loud and not ends_sentence(line)


def _is_slogan(line: str, following: str, told: frozenset[str], rules: TextRules) -> bool:
    """Like a slogan in its words, or speaking of nothing that the text tells, while the next line does."""
    if count_words(line) > rules.slogan_words or count_words(following) < 3 or ends_sentence(following):
        return False
    share, next_share = _share_told(line, told), _share_told(following, told)
    if _SLOGAN.fullmatch(line):
        return share < rules.headline_share
    if _READERS.fullmatch(line):
        return share < next_share
    return share <= rules.slogan_share and next_share >= rules.headline_share


def _share_told(line: str, told: frozenset[str]) -> float:
    words = _stems(folded(line).split())
    return len(words & told) / len(words) if words else 0.0


def _stems(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in words if len(word) >= 4 or word.isdigit())


def _signature_and_deck(rest: Sequence[str]) -> tuple[str | None, tuple[str, ...]]:
    """The bare name among the lines under the headline, if any, and those that tell something."""
    author: str | None = None
    deck: list[str] = []
    for line in rest:
        name = None if furniture.is_section(line) else read_signature(line)
        if is_agency_name(line):
            continue
        if name is not None:
            author = author or name
        elif count_words(line) >= 4:
            deck.append(line)
    return author, tuple(deck)
