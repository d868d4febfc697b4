"""Claims and denials side by side: a denial is found by its words, its claim only when it is plain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.stories.facts.denial_cues import CUE, denial_at, leans_back, negates
from aggregator.stories.facts.facts import FactGroup
from aggregator.stories.facts.sentence_similarity import SentenceFeatures, similarity
from aggregator.stories.facts.standalone_sentences import standalone
from aggregator.stories.lexicon import language_words
from aggregator.stories.tuning import StoryTuning
from aggregator.stories.words import generic_heads, head_of, tokens

DENIED_WORDS = 10  # behind a cue, in which what is denied says "no" or not
CORE_WORDS = 3  # words of meaning that name what is denied; further ones tell around it
LEANING_WORDS = 8  # words before a denial of "that"; with more, what is denied stands in the sentence itself
CUE_HEADS = frozenset(
    {"report", "claim", "alleg", "charg", "accus", "suggest", "idea", "notion", "rumor", "rumour"}
)
PASSIVE = re.compile(r"\s+(?:by|par|por|von|da)\b", re.IGNORECASE)
SAYS = re.compile(r"\b(?:said|says?|told|according|reports?|reported|claim\w*|announced)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denial:
    """A denial; the plain claim of another outlet, or what else goes with it. Sentences by number.

    `before`: where the denial leans on it ("denied similar reports"), the sentence before it in its report.
    `also`: sentences of other outlets that say in plain words that it is not so.
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
    """The denials of a story in the order of its reports. `origins[i]` is who says sentence i.

    A denial without a claim of another outlet is one only where it can stand alone, what it denies is said in
    it, and who denies it; or where the sentence before it says what that is.
    """
    counted = frozenset(index for fact in facts for index in fact.members)
    context = _DenialContext(features, counted, origins, tuning)
    number_of = {(each.sentence.report, each.sentence.position): n for n, each in enumerate(features)}
    found: list[Denial] = []
    rest: set[int] = set()  # said with another denial already
    for index, each in enumerate(features):
        if not each.denies or index in rest:
            continue
        match = denial_at(each.sentence.text, each.language)
        assert match is not None, "it denies"
        if leans_back(each.sentence.text, match, each.language):
            before = len(each.sentence.text[: match.start()].split())
            denied = _leaning(features, number_of, index, tuning) if before < LEANING_WORDS else None
        else:
            denied = _find_denial(context, index, match)
        if denied is not None:
            found.append(denied)
            rest.update(denied.also)
    return found


def _leaning(
    features: Sequence[SentenceFeatures],
    number_of: Mapping[tuple[int, int], int],
    index: int,
    tuning: StoryTuning,
) -> Denial | None:
    """A denial of "similar reports" with the sentence before it, when that can stand alone."""
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
    """What a denial is looked at among."""

    features: Sequence[SentenceFeatures]
    counted: frozenset[int]  # sentences of counted facts
    origins: Sequence[str]
    tuning: StoryTuning


def _find_denial(context: _DenialContext, index: int, match: re.Match[str]) -> Denial | None:
    each = context.features[index]
    wanted = _denied_words(each, match)
    others = {i: f for i, f in enumerate(context.features) if context.origins[i] != context.origins[index]}
    # "Denied that no siren sounded": then the claim says "no", too; else a "no" is the denial again.
    denied = " ".join(each.sentence.text[match.end() :].split()[:DENIED_WORDS])
    claims = {i: other for i, other in others.items() if other.negates == negates(denied, each.language)}
    claim = _claim(each, wanted, claims, context)
    if claim is not None:
        return Denial(index, claim=claim)
    also = [i for i, other in others.items() if _says_not(each, other, wanted, context.tuning)]
    if also or standalone(each.sentence.text, each.language) >= context.tuning.lead_from:
        return Denial(index, also=_one_per_origin(also, context.origins))
    return None


def _says_not(
    one: SentenceFeatures, other: SentenceFeatures, wanted: Mapping[str, float], tuning: StoryTuning
) -> bool:
    """Whether a sentence says in plain words that what is denied is not so ("has not fled the country")."""
    if other.denies or not other.negates or not one.names & other.names:
        return False
    generic = generic_heads()
    core = [head for head in wanted if head not in generic][:CORE_WORDS]
    refused = other.negated.intersection(core)
    # Asked anew: pairs that share one word only were not compared.
    return bool(refused) and similarity(one, other) >= tuning.denied_too_from


def _one_per_origin(found: Sequence[int], origins: Sequence[str]) -> tuple[int, ...]:
    first: dict[str, int] = {}
    for index in found:
        first.setdefault(origins[index], index)
    return tuple(first.values())


def _claim(
    denial: SentenceFeatures,
    wanted: dict[str, float],
    others: Mapping[int, SentenceFeatures],
    context: _DenialContext,
) -> int | None:
    """Which of `others` says what is denied, rather one that several outlets have; None in doubt."""
    scored = []
    for index, other in others.items():
        if len(wanted) < 2 or other.denies or CUE.search(other.sentence.text):
            continue
        is_counted = index in context.counted
        score = _claim_score(denial, other, wanted, 2 if is_counted else 3)
        if score >= context.tuning.claim_from:
            scored.append((not is_counted, -score, index))
    return min(scored)[2] if scored else None


def _denied_words(denial: SentenceFeatures, match: re.Match[str]) -> dict[str, float]:
    """Content words of what is denied, with their in-story weights.

    They stand behind the cue, in the passive before it ("denied by"), and in other languages than English on
    either side where hardly anything follows ("wurden zurückgewiesen").
    """
    text, language = denial.sentence.text, denial.language
    cue = {token.head for token in tokens(match.group(), language)} | CUE_HEADS
    words = language_words(language).denial
    if words is not None and words.objects:
        found = re.findall(words.objects, text, re.IGNORECASE)
        cue.update(head_of(one.lower(), language or "en") for one in found)
    content = [t for t in tokens(text, language) if t.head in denial.content and t.head not in cue]
    behind = [token for token in content if token.start >= match.end()]
    if PASSIVE.match(text, match.end()):
        behind = [token for token in content if token.end <= match.start()]
    elif len(behind) < 2 and words is not None:
        behind = content
    return {token.head: denial.content[token.head] for token in behind}


def _claim_score(
    denial: SentenceFeatures, other: SentenceFeatures, wanted: dict[str, float], least: int
) -> float:
    """0 where fewer than `least` denied words are shared: a claim of one outlet needs more."""
    generic = generic_heads()
    shared = [head for head in wanted if head in other.content]
    if sum(1 for head in shared if head not in generic) < least:
        return 0.0
    weight = sum(wanted[head] for head in shared)
    score = 0.6 * weight / sum(wanted.values()) + 0.4 * min(1.0, weight / 9)
    if denial.names & other.names:
        score += 0.10
    if denial.sentence.report != other.sentence.report:
        score += 0.05
    if SAYS.search(other.sentence.text) or other.attributed:
        score += 0.05
    return score
