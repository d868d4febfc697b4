"""Denials, found by cue words, with the claims that they deny where these are clear."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.stories.facts.denial_cues import CUE, denial_at, is_anaphoric, negates
from aggregator.stories.facts.facts import FactGroup
from aggregator.stories.facts.sentence_similarity import SentenceFeatures, similarity
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.lexicon import language_words
from aggregator.stories.tuning import StoryTuning
from aggregator.stories.words import generic_heads, head_of, tokens

DENIED_WORDS = 10  # after a cue, searched for a negation in the denied claim
CORE_WORDS = 3  # first content words of the denied claim, which name it
ANAPHORIC_WORDS = 8  # words before a denial of "that"; with more, the claim is in the sentence itself
CUE_HEADS = frozenset(
    {"report", "claim", "alleg", "charg", "accus", "suggest", "idea", "notion", "rumor", "rumour"}
)
PASSIVE = re.compile(r"\s+(?:by|par|por|von|da)\b", re.IGNORECASE)
SAYS = re.compile(r"\b(?:said|says?|told|according|reports?|reported|claim\w*|announced)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denial:
    """A denial, and the claim of another outlet where it is clear. Sentences by index.

    `before` is the previous sentence of the report, to which an anaphoric denial ("denied similar reports")
    refers. `also` are sentences of other outlets that state the opposite of the claim in plain words.
    """

    denial: int
    claim: int | None = None
    before: int | None = None
    also: tuple[int, ...] = ()


def denials(
    features: Sequence[SentenceFeatures],
    facts: Sequence[FactGroup],
    origins: Sequence[str],
    tuning: StoryTuning,
) -> list[Denial]:
    """Return the denials of a story in the order of its reports. `origins[i]` is the outlet of sentence i.

    A denial without a claim of another outlet is returned only if it can stand alone and states what is
    denied, or if the previous sentence does.
    """
    counted = frozenset(index for fact in facts for index in fact.members)
    context = _DenialContext(features, counted, origins, tuning)
    number_of = {(each.sentence.report, each.sentence.position): n for n, each in enumerate(features)}
    result: list[Denial] = []
    used: set[int] = set()  # already with another denial
    for index, each in enumerate(features):
        if not each.denies or index in used:
            continue
        match = denial_at(each.sentence.text, each.language)
        assert match is not None, "`denies` is set by `denial_at`"
        if is_anaphoric(each.sentence.text, match, each.language):
            before = len(each.sentence.text[: match.start()].split())
            denied = _anaphoric(features, number_of, index, tuning) if before < ANAPHORIC_WORDS else None
        else:
            denied = _find_denial(context, index, match)
        if denied is not None:
            result.append(denied)
            used.update(denied.also)
    return result


def _anaphoric(
    features: Sequence[SentenceFeatures],
    number_of: Mapping[tuple[int, int], int],
    index: int,
    tuning: StoryTuning,
) -> Denial | None:
    """Return a denial of "similar reports" with the previous sentence, if that can stand alone."""
    each = features[index]
    if each.sentence.follows is None:
        return None
    before = number_of.get((each.sentence.report, each.sentence.follows))
    if before is None or features[before].denies:
        return None
    alone = standalone(features[before].sentence.text, features[before].language)
    return Denial(index, before=before) if alone >= tuning.lead_from else None


@dataclass(frozen=True, slots=True)
class _DenialContext:
    """The sentences among which a denial is found."""

    features: Sequence[SentenceFeatures]
    counted: frozenset[int]  # sentences of counted facts
    origins: Sequence[str]
    tuning: StoryTuning


def _find_denial(context: _DenialContext, index: int, match: re.Match[str]) -> Denial | None:
    each = context.features[index]
    denied_words = _denied_words(each, match)
    others = {i: f for i, f in enumerate(context.features) if context.origins[i] != context.origins[index]}
    # The claim of "denied that no siren sounded" is negated, too; else a negated sentence repeats the denial.
    denied = " ".join(each.sentence.text[match.end() :].split()[:DENIED_WORDS])
    claims = {i: other for i, other in others.items() if other.negates == negates(denied, each.language)}
    claim = _claim(each, denied_words, claims, context)
    if claim is not None:
        return Denial(index, claim=claim)
    also = [i for i, other in others.items() if _contradicts(each, other, denied_words, context.tuning)]
    if also or standalone(each.sentence.text, each.language) >= context.tuning.lead_from:
        return Denial(index, also=_one_per_origin(also, context.origins))
    return None


def _contradicts(
    one: SentenceFeatures, other: SentenceFeatures, denied_words: Mapping[str, float], tuning: StoryTuning
) -> bool:
    """Whether `other` negates the denied claim in plain words ("has not fled the country")."""
    if other.denies or not other.negates or not one.names & other.names:
        return False
    generic = generic_heads()
    core = [head for head in denied_words if head not in generic][:CORE_WORDS]
    negated_core = other.negated.intersection(core)
    # Computed here, because pairs that share only one word were not compared.
    return bool(negated_core) and similarity(one, other) >= tuning.denied_too_from


def _one_per_origin(indexes: Sequence[int], origins: Sequence[str]) -> tuple[int, ...]:
    first: dict[str, int] = {}
    for index in indexes:
        first.setdefault(origins[index], index)
    return tuple(first.values())


def _claim(
    denial: SentenceFeatures,
    denied_words: dict[str, float],
    others: Mapping[int, SentenceFeatures],
    context: _DenialContext,
) -> int | None:
    """Return which of `others` is the denied claim, preferably a counted fact; None in doubt."""
    scored = []
    for index, other in others.items():
        if len(denied_words) < 2 or other.denies or CUE.search(other.sentence.text):
            continue
        is_counted = index in context.counted
        score = _claim_score(denial, other, denied_words, 2 if is_counted else 3)
        if score >= context.tuning.claim_from:
            scored.append((not is_counted, -score, index))
    return min(scored)[2] if scored else None


def _denied_words(denial: SentenceFeatures, match: re.Match[str]) -> dict[str, float]:
    """Return the content words of the denied claim, with their weights in the story.

    They follow the cue; in the passive ("denied by") they precede it. In languages other than English they
    are on either side where hardly anything follows ("wurden zurückgewiesen").
    """
    text, language = denial.sentence.text, denial.language
    cue = {token.head for token in tokens(match.group(), language)} | CUE_HEADS
    words = language_words(language).denial
    if words is not None and words.objects:
        objects = re.findall(words.objects, text, re.IGNORECASE)
        cue.update(head_of(one.lower(), language or "en") for one in objects)
    content = [t for t in tokens(text, language) if t.head in denial.content and t.head not in cue]
    behind = [token for token in content if token.start >= match.end()]
    if PASSIVE.match(text, match.end()):
        behind = [token for token in content if token.end <= match.start()]
    elif len(behind) < 2 and words is not None:
        behind = content
    return {token.head: denial.content[token.head] for token in behind}


def _claim_score(
    denial: SentenceFeatures, other: SentenceFeatures, denied_words: dict[str, float], least: int
) -> float:
    """Score a claim; 0 if fewer than `least` denied words are shared."""
    generic = generic_heads()
    shared = [head for head in denied_words if head in other.content]
    if sum(1 for head in shared if head not in generic) < least:
        return 0.0
    weight = sum(denied_words[head] for head in shared)
    score = 0.6 * weight / sum(denied_words.values()) + 0.4 * min(1.0, weight / 9)
    if denial.names & other.names:
        score += 0.10
    if denial.sentence.report != other.sentence.report:
        score += 0.05
    if SAYS.search(other.sentence.text) or other.attributed:
        score += 0.05
    return score
