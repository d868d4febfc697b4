"""The similarity of two sentences of one story.

The base is the cosine of TF-IDF vectors with document frequencies *inside the story*, where a word of every
sentence carries no information, however rare it is elsewhere. Containment, bigrams, shared content words and
equal figures raise it; different quotations, different names, or shared names only lower it, because most
wrong pairs share two names and nothing else.

    s = .40 cosine + .25 containment x min(1, n/4) + .15 bigrams + .20 min(1, content weight / 9)
        + .08 an equal number + .08 the same "not" + .04 a shared name - .12 disjoint names
        - .15 different quotations - .08 different lengths;
        at most .35 where n < 2, the cosine < .6 and no "not" is shared

n: shared content words without names and attribution; words that every report has count a third.
The weights depend on each other; they were set on 130 pairs judged by hand and verified on 105 others.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain, pairwise
from typing import NamedTuple

from aggregator.stories.facts.figures import YEAR, Figure, figures_in, may_have_figures
from aggregator.stories.facts.source_sentences import Sentence, SourceReport
from aggregator.stories.lexicon import language_words, word_list
from aggregator.stories.words import WordToken, generic_heads, tokens
from aggregator.text.names import BARE_PREPOSITIONS, CAPITAL_NOUNS

ATTRIBUTION_FACTOR = 0.55  # squared .30: attribution in both sentences; once .55: in one of them
INHERITED_FACTOR = 0.5  # names taken over from the previous sentence
GENERIC_SHARE = 0.34
FAR = 0.2  # a pair of less by its words alone is not compared by bigrams and signs
NEGATION_REACH = 2  # content words after a negation that it applies to
ORDINAL_AFTER = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
QUOTATION = re.compile(r"“([^”“]{1,600})”|\"([^\"]{1,600})\"|„([^“„]{1,600})“|«([^»]{1,600})»")


# --- the names in a story ----------------------------------------------------------------------------------

INHERITED = 3  # names that a sentence takes over from the previous one
PRONOUN_OPENERS = frozenset({"he", "she", "they", "it"})


def _names_in_story(sentences: Sequence["ReadSentence"], languages: Collection[str | None]) -> frozenset[str]:
    """Return words that are capitalized inside sentences and seldom in lower case.

    Where every noun is capitalized (German), a name is next to another capitalized word or after a
    preposition without an article.
    """
    inside: Counter[str] = Counter()
    small: Counter[str] = Counter()
    nouns = not CAPITAL_NOUNS.isdisjoint(languages)
    for sentence in sentences:
        words = sentence.words
        small.update([token.lower for token in words if not token.capital])
        if not nouns:
            inside.update([token.lower for token in words[1:] if token.capital])
            continue
        for before, token, after in zip((None, *words), words, (*words[1:], None), strict=False):
            if token.capital and (_beside(before, token) or _beside(token, after)):
                inside[token.lower] += 1
            elif token.capital and before is not None:
                counter = inside if before.lower in BARE_PREPOSITIONS else small
                counter[token.lower] += 1
    not_names = frozenset[str]().union(*(word_list(each, "not_names") for each in (None, *languages)))
    return frozenset(word for word, n in inside.items() if n >= small[word] and word not in not_names)


def _beside(token: WordToken | None, other: WordToken | None) -> bool:
    """Whether two capitalized words are separated by one space; not "Die Stadt"."""
    if token is None or other is None or not token.head:
        return False
    return token.capital and other.capital and other.start - token.end == 1


def _inherited(sentence: "ReadSentence", own: Collection[str], before: Sequence[str]) -> list[str]:
    """Return the names that a sentence without names, or opening with "he", takes from the one before it."""
    opener = sentence.words[0].lower if sentence.words else ""
    if own and opener not in PRONOUN_OPENERS:
        return []
    return [head for head in before[:INHERITED] if head not in own]


# --- the features of sentences and their similarity --------------------------------------------------------


class ReadSentence:
    """What a sentence says by itself, in whichever story it stands.

    Most sentences are like none of another report: what only tells similar ones apart is read when asked for.
    """

    def __init__(self, text: str, language: str | None) -> None:
        self.text, self.language = text, language
        self.words = tokens(text, language)
        self.headed = [token for token in self.words if token.head]  # all with a head
        self.heads = dict.fromkeys([token.head for token in self.headed])  # in order, each once
        spans = [match.span() for each in attribution_patterns(language) for match in each.finditer(text)]
        # The words in the part that states who says it
        self.attributing = [token for token in self.words if _within(token, spans)] if spans else []
        # Numbers that are no year and no ordinal ("the 9th Circuit")
        numbers = [
            token for token in self.headed if token.head[0].isdigit() and not YEAR.fullmatch(token.head)
        ]
        self.numbers = frozenset([one.head for one in numbers if not ORDINAL_AFTER.match(text, one.end)])

    @cached_property
    def bigrams(self) -> frozenset[tuple[str, str]]:
        return frozenset(pairwise([token.head for token in self.headed]))

    @cached_property
    def quoted(self) -> frozenset[str]:
        spans = [match.span() for match in QUOTATION.finditer(self.text)]
        return frozenset([token.head for token in self.headed if _within(token, spans)] if spans else ())

    @property
    def attributed(self) -> bool:
        """Whether it names its speaker; "he said" does not."""
        pronouns = word_list(self.language, "pronouns")
        return any(token.lower not in pronouns for token in self.attributing)

    @cached_property
    def denies(self) -> bool:
        return denies(self.text, self.language)

    @cached_property
    def negations(self) -> Sequence[int]:
        """The ends of plain negations: a negated sentence does not state the same as one that is not."""
        return [match.end() for match in cues_of(self.language).negation.finditer(self.text)]

    @cached_property
    def negated(self) -> frozenset[str]:
        """The first heads after each negation."""
        after = ([one.head for one in self.headed if one.start >= end] for end in self.negations)
        return frozenset(chain.from_iterable(heads[:NEGATION_REACH] for heads in after))

    @cached_property
    def figures(self) -> Sequence[Figure]:
        lowered = frozenset([token.lower for token in self.words])
        may_have = may_have_figures(self.text, lowered, self.language)
        return figures_in(self.text, self.language) if may_have else ()


@dataclass(frozen=True, slots=True)
class SentenceFeatures:
    """A sentence in its story. Dicts keep the order of words, so that sums do not depend on hashes."""

    sentence: Sentence
    read: ReadSentence
    weights: dict[str, float]
    norm: float
    total: float
    names: frozenset[str]  # without those in the attribution, with inherited ones
    mentioned: frozenset[str]  # all names
    content: dict[str, float]  # heads that are no names nor attribution, with weights


def read_features(reports: Sequence[SourceReport]) -> list[SentenceFeatures]:
    """Return the features of every sentence of the story, by report."""
    read = [[ReadSentence(s.text, report.article.language) for s in report.sentences] for report in reports]
    names = _names_in_story([*chain.from_iterable(read)], {report.article.language for report in reports})
    frequency: Counter[str] = Counter()
    for one in chain.from_iterable(read):
        frequency.update(one.heads.keys())
    count = sum(map(len, read)) + 1
    weight = {head: math.log(count / (df + 0.5)) for head, df in frequency.items()}
    features: list[SentenceFeatures] = []
    for report, of_report in zip(reports, read, strict=True):
        named = [
            list(dict.fromkeys(t.head for t in one.headed if t.capital and t.lower in names))
            for one in of_report
        ]
        for sentence, one, own in zip(report.sentences, of_report, named, strict=True):
            before = () if sentence.follows is None else named[sentence.follows]
            features.append(_features(sentence, one, own, _inherited(one, own, before), weight))
    return features


def similarity(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the similarity of two sentences that share a word, 0 to about 1.1; symmetric."""
    if len(b.weights) < len(a.weights):
        a, b = b, a
    dot = shared_weight = 0.0
    weights = b.weights
    for head, mine in a.weights.items():
        if head in weights:
            theirs = weights[head]
            dot += mine * theirs
            shared_weight += mine if mine < theirs else theirs  # min() is slower
    cosine_ = dot / (a.norm * b.norm)
    containment = shared_weight / (min(a.total, b.total) or 1.0)
    n, content_weight = shared_content(a, b)
    s = 0.40 * cosine_ + 0.25 * containment * min(1.0, n / 4) + 0.20 * min(1.0, content_weight / 9)
    if s < FAR:
        return s
    bigrams = len(a.read.bigrams & b.read.bigrams) / max(1, min(len(a.read.bigrams), len(b.read.bigrams)))
    s += 0.15 * bigrams + _signs(a, b, containment)
    if n < 2 and cosine_ < 0.6 and not a.read.negated & b.read.negated:
        s = min(s, 0.35)
    return max(0.0, s)


def cosine(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the cosine of the whole sentences, 0 to 1."""
    dot = sum(mine * b.weights[head] for head, mine in a.weights.items() if head in b.weights)
    return dot / (a.norm * b.norm)


def shows_names(features: SentenceFeatures) -> bool:
    """Whether capital letters mark names in its script and language."""
    text = features.sentence.text
    return features.read.language not in CAPITAL_NOUNS and text.upper() != text.lower()


def named_share(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the share of names in what two sentences share, 0 to 1."""
    shared = {head: min(mine, b.weights[head]) for head, mine in a.weights.items() if head in b.weights}
    named = sum(weight for head, weight in shared.items() if head in a.names and head in b.names)
    return named / sum(shared.values()) if named else 0.0


def shared_content(a: SentenceFeatures, b: SentenceFeatures) -> tuple[float, float]:
    """Return number and weight of the shared words that are no names nor attribution.

    Generic ones count a third.
    """
    n = weight = 0.0
    generic, content = generic_heads(), b.content
    for head, mine in a.content.items():
        if head in content:
            share = GENERIC_SHARE if head in generic else 1.0
            n += share
            weight += share * mine
    return n, weight


def _signs(a: SentenceFeatures, b: SentenceFeatures, containment: float) -> float:
    """Return the sum of the bonuses and penalties."""
    s = 0.0
    if not a.read.numbers.isdisjoint(b.read.numbers):
        s += 0.08
    share_names = not a.names.isdisjoint(b.names)
    if share_names and not a.read.negated.isdisjoint(b.read.negated):
        s += 0.08  # both negate the same thing
    if share_names:
        s += 0.04
    elif a.names and b.names:
        s -= 0.12
    least_quoted = min(len(a.read.quoted), len(b.read.quoted))
    if least_quoted >= 5 and len(a.read.quoted & b.read.quoted) < 0.4 * least_quoted:
        s -= 0.15  # two quotations of one speech
    shorter, longer = sorted((len(a.read.words), len(b.read.words)))
    if shorter < 0.45 * longer and containment < 0.6:
        s -= 0.08
    return s


def _features(
    sentence: Sentence,
    read: ReadSentence,
    named: Collection[str],
    inherited: Sequence[str],
    weight: Mapping[str, float],
) -> SentenceFeatures:
    weights: dict[str, float] = {}
    content: dict[str, float] = {}
    own_names: dict[str, None] = {}
    attributing = {token.start for token in read.attributing}
    for token in read.headed:
        head = token.head
        value = weight[head]
        if token.start in attributing:
            weights.setdefault(head, value * ATTRIBUTION_FACTOR)
            continue
        weights[head] = value  # above 0: no head is in all of `count` sentences
        if token.capital and head in named:
            own_names[head] = None
        else:
            content[head] = value
    for head in inherited:
        weights.setdefault(head, INHERITED_FACTOR * weight[head])
        own_names[head] = None
    return SentenceFeatures(
        sentence=sentence,
        read=read,
        weights=weights,
        norm=math.sqrt(sum(value * value for value in weights.values())) or 1.0,
        total=sum(weights.values()),
        names=frozenset(own_names),
        mentioned=frozenset((*named, *inherited)),
        content=content,
    )


@cache
def attribution_patterns(language: str | None) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the part of a sentence that states who says it."""
    return tuple(re.compile(one, re.IGNORECASE) for one in language_words(language).attribution)


def _within(token: WordToken, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= token.start < end for start, end in spans)


# --- denials and plain negations, by the words of languages.yaml --------------------------------------------


class Cues(NamedTuple):
    """The patterns of one language."""

    denial: re.Pattern[str]
    not_before: re.Pattern[str]
    negation: re.Pattern[str]


def denies(sentence: str, language: str | None = None) -> bool:
    """Whether the sentence reports a denial."""
    cues = cues_of(language)
    return any(
        not cues.not_before.search(sentence[: match.start()]) for match in cues.denial.finditer(sentence)
    )


@cache
def cues_of(language: str | None) -> Cues:
    """Return the patterns of a language; of several languages together where it has no words of its own."""
    words = language_words(language).denial
    denial = words.deny
    if words.reject:
        denial += rf"|{words.reject}\b(?=(?:\W+\w+){{0,6}}?\W+{words.objects}\b)"
        denial += rf"|{words.objects}\b(?:\W+\w+){{0,6}}?\W+{words.reject}"
    # Scripts without spaces have no word boundaries.
    is_spaced = not re.search(r"[\u3040-\u30ff\u3400-\u9fff]", denial)
    return Cues(
        re.compile(rf"\b(?:{denial})\b" if is_spaced else denial, re.IGNORECASE),
        re.compile(words.not_before, re.IGNORECASE),
        re.compile(words.negated, re.IGNORECASE),
    )
