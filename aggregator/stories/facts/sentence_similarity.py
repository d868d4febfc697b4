"""The similarity of two sentences of one story.

The base is the cosine of TF-IDF vectors with document frequencies *inside the story*, where a word of every
sentence carries no information, however rare it is elsewhere. Containment, bigrams, shared content words and
equal figures raise it; different quotations, different names, or shared names only lower it, because most
wrong pairs share two names and nothing else.

    s = .40 cosine + .25 containment x min(1, n/4) + .15 bigrams + .20 min(1, content weight / 9)
        + .08 an equal number + .08 the same "not" + .04 a shared name - .12 disjoint names
        - .15 different quotations - .08 different lengths - .10 only one denies;
        at most .35 where n < 2, the cosine < .6 and no "not" is shared

n: shared content words without names and attribution; words that every report has count a third.
The weights depend on each other; they were set on 130 pairs judged by hand and verified on 105 others.
"""

import math
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from aggregator.stories.facts.denial_cues import cues_of, denies, negates
from aggregator.stories.facts.figures import Figure, figures_in
from aggregator.stories.facts.source_sentences import Sentence, SourceReport
from aggregator.stories.lexicon import language_words, word_list, words_of
from aggregator.stories.words import WordToken, generic_heads, tokens

ATTRIBUTION_FACTOR = 0.55  # squared .30: attribution in both sentences; once .55: in one of them
INHERITED_FACTOR = 0.5  # names taken over from the previous sentence
GENERIC_SHARE = 0.34
NEGATION_REACH = 2  # content words after a negation that it applies to
ORDINAL_AFTER = re.compile(r"(?:st|nd|rd|th)\b", re.IGNORECASE)
QUOTATION = re.compile(r"“([^”“]{1,600})”|\"([^\"]{1,600})\"|„([^“„]{1,600})“|«([^»]{1,600})»")


# --- the names in a story, and the names that a sentence refers to without repeating them ------------------

INHERITED = 3  # names that a sentence takes over from the previous one
PLACES, CAPITAL = frozenset({"city", "province", "town"}), frozenset({"capital"})
CAPITAL_NOUNS = frozenset({"de", "lb"})
BARE_PREPOSITIONS = frozenset(
    {"aus", "bei", "gegen", "in", "nach", "nahe", "um", "von", "vor", "zwischen", "über"}
)
PRONOUN_OPENERS = frozenset({"he", "she", "they", "it"})


@dataclass(frozen=True, slots=True)
class StoryNames:
    """The names of a story: words that are capitalized inside sentences and seldom in lower case."""

    words: frozenset[str]
    capital: str | None  # the name most often attached to "the capital"

    @classmethod
    def of(
        cls, sentences: Sequence[Sequence[WordToken]], languages: Collection[str | None] = ()
    ) -> "StoryNames":
        """Find the names in all sentences; a word that only opens sentences is not a name.

        Where every noun is capitalized (German), a name is next to another capitalized word or after a
        preposition without an article.
        """
        inside: Counter[str] = Counter()
        small: Counter[str] = Counter()
        nouns = not CAPITAL_NOUNS.isdisjoint(languages)
        for words in sentences:
            for index, token in enumerate(words):
                if not token.capital:
                    small[token.lower] += 1
                elif index and not nouns:
                    inside[token.lower] += 1
                elif nouns:
                    before = words[index - 1] if index else None
                    after = words[index + 1] if index + 1 < len(words) else None
                    if _beside(before, token) or _beside(token, after):
                        inside[token.lower] += 1
                    elif before is not None:
                        counter = inside if before.lower in BARE_PREPOSITIONS else small
                        counter[token.lower] += 1
        not_names = words_of("not_names").union(*(word_list(each, "not_names") for each in languages))
        names = frozenset(w for w, n in inside.items() if n >= small[w] and w not in not_names)
        return cls(names, _capital(sentences, names))

    def is_name(self, token: WordToken) -> bool:
        """Whether the token is capitalized and a name in this story."""
        return token.capital and bool(token.head) and token.lower in self.words

    def named(self, words: Sequence[WordToken]) -> list[str]:
        """Return the heads of the names in a sentence, in order, each once."""
        return list(dict.fromkeys(token.head for token in words if self.is_name(token)))

    def places_of(self, sentences: Sequence[Sequence[WordToken]]) -> list[str | None]:
        """Return for each sentence of a report the last name before it that was called a city or province."""
        last: str | None = None
        places: list[str | None] = []
        for words in sentences:
            places.append(last)
            last = _attached(words, self.words, PLACES) or last
        return places

    def context(
        self, words: Sequence[WordToken], before: Sequence[WordToken] | None, place: str | None
    ) -> list[str]:
        """Return heads of names that the sentence refers to by "the capital", "the city" or a pronoun."""
        own = self.named(words)
        implied: list[str] = []
        lowered = {token.lower for token in words}
        if "capital" in lowered and self.capital:
            implied.append(self.capital)
        if place and lowered & PLACES and not _attached(words, self.words, PLACES):
            implied.append(place)
        opener = words[0].lower if words else ""
        if before is not None and (not own or opener in PRONOUN_OPENERS):
            implied += self.named(before)[:INHERITED]
        return [head for head in dict.fromkeys(implied) if head not in own]


def _beside(token: WordToken | None, other: WordToken | None) -> bool:
    """Whether two capitalized words are separated by one space; not "Die Stadt"."""
    if token is None or other is None or not token.head:
        return False
    return token.capital and other.capital and other.start - token.end == 1


def _attached(words: Sequence[WordToken], names: frozenset[str], kinds: frozenset[str]) -> str | None:
    """Return the name after "capital", "city of": the next word except "of"."""
    for index, token in enumerate(words):
        if token.lower not in kinds:
            continue
        following = [w for w in words[index + 1 : index + 3] if w.lower != "of"][:1]
        if following and following[0].capital and following[0].lower in names and following[0].head:
            return following[0].head
    return None


def _capital(sentences: Sequence[Sequence[WordToken]], names: frozenset[str]) -> str | None:
    counts = Counter(name for words in sentences if (name := _attached(words, names, CAPITAL)))
    return min(counts, key=lambda name: (-counts[name], name)) if counts else None


# --- the features of sentences and their similarity --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SentenceFeatures:
    """The features of a sentence. Dicts keep the order of words, so that sums do not depend on hashes."""

    sentence: Sentence
    weights: dict[str, float]
    norm: float
    total: float
    bigrams: frozenset[tuple[str, str]]
    names: frozenset[str]  # without those in the attribution, with implied ones
    mentioned: frozenset[str]  # all names
    content: dict[str, float]  # heads that are no names nor attribution, with weights
    numbers: frozenset[str]
    quoted: frozenset[str]
    length: int
    attributed: bool  # names its speaker; "he said" does not
    denies: bool
    negates: bool  # has a plain negation
    negated: frozenset[str]  # the first heads after each negation
    figures: tuple[Figure, ...]
    language: str | None


def read_features(reports: Sequence[SourceReport]) -> list[SentenceFeatures]:
    """Return the features of every sentence of the story, by report."""
    tokens_of = {
        (sentence.report, sentence.position): tokens(sentence.text, report.article.language)
        for report in reports
        for sentence in report.sentences
    }
    names = StoryNames.of(list(tokens_of.values()), {report.article.language for report in reports})
    frequency: Counter[str] = Counter()
    for words in tokens_of.values():
        frequency.update(list(dict.fromkeys(token.head for token in words if token.head)))
    weight = {head: math.log((len(tokens_of) + 1) / (df + 0.5)) for head, df in frequency.items()}
    story = _StoryWords(names, weight)
    features: list[SentenceFeatures] = []
    for report in reports:
        places = names.places_of([tokens_of[s.report, s.position] for s in report.sentences])
        for sentence in report.sentences:
            words = tokens_of[sentence.report, sentence.position]
            previous = (
                None if sentence.follows is None else tokens_of.get((sentence.report, sentence.follows))
            )
            context = names.context(words, previous, places[sentence.position])
            features.append(_features(sentence, words, context, story, report.article.language))
    return features


def similarity(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the similarity, 0 (nothing in common) to about 1.1; symmetric."""
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
    cosine_ = dot / (a.norm * b.norm)
    containment = shared_weight / (min(a.total, b.total) or 1.0)
    n, content_weight = _shared_content(a, b)
    s = 0.40 * cosine_ + 0.25 * containment * min(1.0, n / 4) + 0.15 * _shared_bigrams(a, b)
    s += 0.20 * min(1.0, content_weight / 9) + _signs(a, b, containment)
    if n < 2 and cosine_ < 0.6 and not a.negated & b.negated:
        s = min(s, 0.35)
    return max(0.0, s)


def cosine(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the cosine of the whole sentences, 0 to 1."""
    dot = sum(mine * b.weights[head] for head, mine in a.weights.items() if head in b.weights)
    return dot / (a.norm * b.norm)


def shows_names(features: SentenceFeatures) -> bool:
    """Whether capital letters mark names in its script and language."""
    text = features.sentence.text
    return features.language not in CAPITAL_NOUNS and text.upper() != text.lower()


def shared_words(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Count shared content words without names and attribution; generic ones count a third."""
    return _shared_content(a, b)[0]


def named_share(a: SentenceFeatures, b: SentenceFeatures) -> float:
    """Return the share of names in what two sentences share, 0 to 1."""
    named = other = 0.0
    for head, mine in a.weights.items():
        theirs = b.weights.get(head)
        if theirs is None:
            continue
        if head in a.names and head in b.names:
            named += min(mine, theirs)
        else:
            other += min(mine, theirs)
    return named / (named + other) if named else 0.0


def _shared_content(a: SentenceFeatures, b: SentenceFeatures) -> tuple[float, float]:
    n = weight = 0.0
    generic = generic_heads()
    for head, mine in a.content.items():
        if head in b.content:
            share = GENERIC_SHARE if head in generic else 1.0
            n += share
            weight += share * mine
    return n, weight


def _shared_bigrams(a: SentenceFeatures, b: SentenceFeatures) -> float:
    least = min(len(a.bigrams), len(b.bigrams))
    return len(a.bigrams & b.bigrams) / least if least else 0.0


def _signs(a: SentenceFeatures, b: SentenceFeatures, containment: float) -> float:
    """Return the sum of the bonuses and penalties."""
    s = 0.0
    if a.numbers & b.numbers:
        s += 0.08
    if a.negated & b.negated and a.names & b.names:
        s += 0.08  # both negate the same thing
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


@dataclass(frozen=True, slots=True)
class _StoryWords:
    """Statistics over all sentences of the story."""

    names: StoryNames
    weight: dict[str, float]


def _features(
    sentence: Sentence,
    words: Sequence[WordToken],
    context: Sequence[str],
    story: _StoryWords,
    language: str | None,
) -> SentenceFeatures:
    names, weight = story.names, story.weight
    spans = [
        match.span()
        for pattern in attribution_patterns(language)
        for match in pattern.finditer(sentence.text)
    ]
    pronouns = word_list(language, "pronouns")
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
    return SentenceFeatures(
        sentence=sentence,
        weights=weights,
        norm=math.sqrt(sum(value * value for value in weights.values())) or 1.0,
        total=sum(weights.values()),
        bigrams=frozenset((x.head, y.head) for x, y in pairwise(heads)),
        names=frozenset(own_names),
        mentioned=frozenset((*own_names, *names.named(words))),
        content=content,
        numbers=frozenset(t.head for t in heads if _is_number(t, sentence.text)),
        quoted=frozenset(_quoted(sentence.text, heads)),
        length=len(words),
        attributed=any(token.lower not in pronouns for token in words if _within(token, spans)),
        denies=denies(sentence.text, language),
        negates=negates(sentence.text, language),
        negated=frozenset(_negated(sentence.text, heads, language)),
        figures=tuple(figures_in(sentence.text, language)),
        language=language,
    )


@cache
def attribution_patterns(language: str | None) -> tuple[re.Pattern[str], ...]:
    """Return the patterns of the part of a sentence that states who says it."""
    return tuple(re.compile(one, re.IGNORECASE) for one in language_words(language).attribution)


def _negated(text: str, heads: Sequence[WordToken], language: str | None) -> list[str]:
    negated: list[str] = []
    for match in cues_of(language).negation.finditer(text):
        negated += [token.head for token in heads if token.start >= match.end()][:NEGATION_REACH]
    return negated


def _quoted(text: str, heads: Sequence[WordToken]) -> list[str]:
    spans = [match.span() for match in QUOTATION.finditer(text)]
    return [token.head for token in heads if _within(token, spans)]


def _within(token: WordToken, spans: Sequence[tuple[int, int]]) -> bool:
    return any(start <= token.start < end for start, end in spans)


def _is_number(token: WordToken, text: str) -> bool:
    """Whether the token is a number but no year and no ordinal ("the 9th Circuit")."""
    if not token.head[0].isdigit() or _is_year(token.head):
        return False
    return ORDINAL_AFTER.match(text, token.end) is None


def _is_year(head: str) -> bool:
    return len(head) == 4 and head.isdigit() and 1900 <= int(head) <= 2099
