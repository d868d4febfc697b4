"""Claims and denials side by side: a denial is found by its words, its claim only when it is plain."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aggregator.stories.denial_cues import CUE, denial_at
from aggregator.stories.facts import FactGroup
from aggregator.stories.likeness import Features
from aggregator.stories.standing import standalone
from aggregator.stories.tuning import StoryRules
from aggregator.stories.words import generic_heads, tokens

# "similar reports", "such claims", "the allegation.", "it": what is denied stands in the sentence before.
LEANS_BACK = re.compile(
    r"^\s*(?:(?:any|all)\s+)?(?:(?:similar|such|these|those|this)\s+\w+|that\s+(?:claim|allegation|report|accusation|charge|rumou?r)\b|the\s+(?:claims?|allegations?|reports?|"
    r"accusations?|charges?|rumou?rs?)\s*[.,;]|it\b|them\b|this\b|that\s*[.,:;])",
    re.IGNORECASE,
)
NEGATED = re.compile(r"\b(?:not|no|never|without)\b|n[’']t\b", re.IGNORECASE)
CUE_HEADS = frozenset(
    {"report", "claim", "alleg", "charg", "accus", "suggest", "idea", "notion", "rumor", "rumour"}
)
SAYS = re.compile(r"\b(?:said|says?|told|according|reports?|reported|claim\w*|announced)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Denied:
    """A denial, and the plain claim that another outlet has; sentences by number."""

    denial: int
    claim: int | None = None


def denials(
    features: Sequence[Features],
    facts: Sequence[FactGroup],
    languages: Sequence[str | None],
    voices: Sequence[str],
    rules: StoryRules,
) -> list[Denied]:
    """The denials of a story in the order of its reports. `languages[i]` and `voices[i]` are of sentence i.

    A denial without a claim of another outlet is one only where it can stand alone: what it denies is said in
    it, and who denies it.
    """
    counted = {index for fact in facts for index in fact.members}
    found = []
    for index, each in enumerate(features):
        match = denial_at(each.sentence.text)
        if match is None:
            continue
        if LEANS_BACK.search(each.sentence.text[match.end() :]):
            continue  # what is denied stands in the sentence before, of the same report
        wanted = _denied_words(each, match, languages[index])
        others = [i for i in range(len(features)) if voices[i] != voices[index]]
        claim = _claim(each, wanted, {i: features[i] for i in others}, counted, rules)
        if claim is not None or standalone(each.sentence.text) >= rules.lead_from:
            found.append(Denied(index, claim))
    return found


def _claim(
    denial: Features,
    wanted: dict[str, float],
    others: Mapping[int, Features],
    counted: set[int],
    rules: StoryRules,
) -> int | None:
    """Which of `others` says what is denied, rather one that several outlets have; None in doubt."""
    scored = []
    for index, other in others.items():
        if len(wanted) < 2 or other.denies or CUE.search(other.sentence.text):
            continue
        score = _claim_score(denial, other, wanted, 2 if index in counted else 3)
        if score >= rules.claim_from:
            scored.append((index not in counted, -score, index))
    return min(scored)[2] if scored else None


def _denied_words(denial: Features, match: re.Match[str], language: str | None) -> dict[str, float]:
    """Content words of what is denied, with their in-story weights."""
    text = denial.sentence.text
    passive = re.match(r"\s+by\b", text[match.end() :])
    reached = [
        token
        for token in tokens(text, language)
        if (token.end <= match.start() if passive else token.start >= match.end())
    ]
    return {
        t.head: denial.content[t.head]
        for t in reached
        if t.head in denial.content and t.head not in CUE_HEADS
    }


def _claim_score(denial: Features, other: Features, wanted: dict[str, float], least: int) -> float:
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
    if SAYS.search(other.sentence.text):
        score += 0.05
    return score - (0.15 if NEGATED.search(other.sentence.text) else 0.0)
