"""How alike two sentences of one story are: do they state the same fact?

The measure is the cosine of TF-IDF vectors whose document frequencies are counted *inside the story* (a word
that all its sentences share tells nothing here, however rare it is elsewhere), helped by containment,
bigrams, shared content words that are no names, equal figures; held back where both quote different words,
name different names, or share nothing but names: most wrong pairs share two names and nothing else.

    s = .40 cosine + .25 containment x min(1, n/4) + .15 bigrams + .20 min(1, content weight / 9)
        + .08 an equal number + .04 a shared name - .12 disjoint names - .15 different quotations
        - .08 unlike lengths - .10 only one denies;   at most .35 where n < 2 and the cosine < .6

n: shared content words, names and attribution left out, words of every report counting a third.
The weights belong together (set on 130 hand-judged pairs, kept on 105 others): change them as a set.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from aggregator.stories.denial_cues import NEGATION, denies, negates
from aggregator.stories.lexicon import words_of
from aggregator.stories.names import StoryNames
from aggregator.stories.reports import Report, Sentence
from aggregator.stories.words import Token, generic_heads, tokens

ATTRIBUTION_FACTOR = 0.55  # squared .30: attribution in both sentences; once .55: in one of them
INHERITED_FACTOR = 0.5  # names taken over from the sentence before
GENERIC_SHARE = 0.34
NEGATION_REACH = 2  # words of meaning that a "no" or "not" is about
QUOTATION = re.compile(r"“([^”“]{1,600})”|\"([^\"]{1,600})\"|„([^“„]{1,600})“|«([^»]{1,600})»")
ATTRIBUTION = (
    re.compile(r"^(?:according to|in the words of|as told by)\b[^,]{1,120},", re.IGNORECASE),
    re.compile(r",\s*(?:according to)\b[^,.]{1,120}(?=[,.]|$)", re.IGNORECASE),
    re.compile(
        r"[,”\"]\s*(?:(?:he|she|they|it)\s+)?(?:said|says|told|tells|reported|announced|added|stated|claimed|wrote)\b"
        r"(?!(?:\s\w+){0,4}\sthat\b)[^“\"]{0,120}$",
        re.IGNORECASE,
    ),
    re.compile(
        r",\s*(?:the |an? )?[^,“”\"]{2,99}\s(?:said|says|told|tells|reported|announced|added)\b[^“\"]{0,80}$",
        re.IGNORECASE,
    ),
    re.compile(
        r"^[^,“\"]{2,110}?\s(?:said|says|say|told|announced|claimed|claims|reported|reports?|confirmed|asserted|added)"
        r"\s(?:that\b|:|on \w+ that\b)",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True, slots=True)
class Features:
    """What is compared of one sentence. Dicts keep the order of the words: sums must not depend on hashes."""

    sentence: Sentence
    weights: dict[str, float]
    norm: float
    total: float
    bigrams: frozenset[tuple[str, str]]
    names: frozenset[str]  # of what is said: without those in the attribution, with those it means
    mentioned: frozenset[str]  # all of them
    content: dict[str, float]  # heads that are neither names nor attribution, with their in-story weights
    numbers: frozenset[str]
    quoted: frozenset[str]
    length: int
    attributed: bool  # names who says it; "he said" does not
    denies: bool
    negates: bool  # a plain "no" or "not"
    negated: frozenset[str]  # the first heads behind each of them


def read_features(reports: Sequence[Report]) -> list[Features]:
    """The features of every sentence of the story, report by report in order."""
    found = {
        (sentence.report, sentence.position): tokens(sentence.text, report.article.language)
        for report in reports
        for sentence in report.sentences
    }
    names = StoryNames.of(list(found.values()))
    frequency: Counter[str] = Counter()
    for words in found.values():
        frequency.update(list(dict.fromkeys(token.head for token in words if token.head)))
    weight = {head: math.log((len(found) + 1) / (df + 0.5)) for head, df in frequency.items()}
    features: list[Features] = []
    for report in reports:
        places = names.places_of([found[s.report, s.position] for s in report.sentences])
        for sentence in report.sentences:
            words = found[sentence.report, sentence.position]
            before = found.get((sentence.report, sentence.follows)) if sentence.follows is not None else None
            context = names.context(words, before, places[sentence.position])
            features.append(_features(sentence, words, names, context, weight))
    return features


def likeness(a: Features, b: Features) -> float:
    """0 (nothing in common) to about 1.1; symmetric. Thresholds: `count_from`, `near_from`."""
    if len(b.weights) < len(a.weights):
        a, b = b, a
    dot = shared_weight = 0.0
    for head, mine in a.weights.items():
        theirs = b.weights.get(head)
        if theirs is not None:
            dot += mine * theirs
            shared_weight += min(mine, theirs)
    if dot <= 0.0:
        return 0.0
    cosine = dot / (a.norm * b.norm)
    containment = shared_weight / (min(a.total, b.total) or 1.0)
    n, content_weight = _shared_content(a, b)
    s = 0.40 * cosine + 0.25 * containment * min(1.0, n / 4) + 0.15 * _shared_bigrams(a, b)
    s += 0.20 * min(1.0, content_weight / 9) + _signs(a, b, containment)
    if n < 2 and cosine < 0.6:
        s = min(s, 0.35)
    return max(0.0, s)


def _shared_content(a: Features, b: Features) -> tuple[float, float]:
    n = weight = 0.0
    generic = generic_heads()
    for head, mine in a.content.items():
        if head in b.content:
            share = GENERIC_SHARE if head in generic else 1.0
            n += share
            weight += share * mine
    return n, weight


def _shared_bigrams(a: Features, b: Features) -> float:
    least = min(len(a.bigrams), len(b.bigrams))
    return len(a.bigrams & b.bigrams) / least if least else 0.0


def _signs(a: Features, b: Features, containment: float) -> float:
    """Single signs for and against one fact."""
    s = 0.0
    if a.numbers & b.numbers:
        s += 0.08
    if a.names & b.names:
        s += 0.04
    elif a.names and b.names:
        s -= 0.12
    least_quoted = min(len(a.quoted), len(b.quoted))
    if least_quoted >= 5 and len(a.quoted & b.quoted) < 0.4 * least_quoted:
        s -= 0.15  # two quotations of one speech
    if min(a.length, b.length) < 0.45 * max(a.length, b.length) and containment < 0.6:
        s -= 0.08
    return s - (0.10 if a.denies != b.denies else 0.0)


def _features(
    sentence: Sentence,
    words: Sequence[Token],
    names: StoryNames,
    context: Sequence[str],
    weight: dict[str, float],
) -> Features:
    spans = [match.span() for pattern in ATTRIBUTION for match in pattern.finditer(sentence.text)]
    heads = [token for token in words if token.head]
    weights: dict[str, float] = {}
    content: dict[str, float] = {}
    own_names: dict[str, None] = {}
    for token in heads:
        attributing = _within(token, spans)
        value = weight[token.head] * (ATTRIBUTION_FACTOR if attributing else 1.0)
        weights[token.head] = max(value, weights.get(token.head, 0.0))
        if not names.is_name(token):
            if not attributing:
                content[token.head] = weight[token.head]
        elif not attributing:
            own_names[token.head] = None
    for head in context:
        weights.setdefault(head, INHERITED_FACTOR * weight.get(head, 0.0))
        own_names[head] = None
    return Features(
        sentence=sentence,
        weights=weights,
        norm=math.sqrt(sum(value * value for value in weights.values())) or 1.0,
        total=sum(weights.values()),
        bigrams=frozenset((x.head, y.head) for x, y in pairwise(heads)),
        names=frozenset(own_names),
        mentioned=frozenset((*own_names, *names.named(words))),
        content=content,
        numbers=frozenset(t.head for t in heads if t.head[0].isdigit() and not _is_year(t.head)),
        quoted=frozenset(_quoted(sentence.text, heads)),
        length=len(words),
        attributed=any(token.lower not in words_of("pronouns") for token in words if _within(token, spans)),
        denies=denies(sentence.text),
        negates=negates(sentence.text),
        negated=frozenset(_negated(sentence.text, heads)),
    )


def _negated(text: str, heads: Sequence[Token]) -> list[str]:
    found: list[str] = []
    for match in NEGATION.finditer(text):
        found += [token.head for token in heads if token.start >= match.end()][:NEGATION_REACH]
    return found


def _quoted(text: str, heads: Sequence[Token]) -> list[str]:
    spans = [match.span() for match in QUOTATION.finditer(text)]
    return [token.head for token in heads if _within(token, spans)]


def _within(token: Token, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= token.start < end for start, end in spans)


def _is_year(head: str) -> bool:
    return len(head) == 4 and head.isdigit() and 1900 <= int(head) <= 2099
