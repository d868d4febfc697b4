"""Who is quoted in a sentence.

A speaker is a run of capitalized words beside a verb of speech: `Anna Berg later said`, `said Anna Berg`,
`Anna Berg, the mayor, said`. In scripts without capital letters no speaker is found.
"""

import re
from collections.abc import Collection, Sequence
from functools import cache
from itertools import combinations

from aggregator.stories.facts.sentence_similarity import SentenceFeatures
from aggregator.stories.facts.standalone_sentences import QUOTED
from aggregator.stories.lexicon import word_list, words_of
from aggregator.stories.words import head_of

QUOTED_WORDS = 6  # of a quotation at least; fewer are a term in quotation marks
QUOTED_MARK = re.compile(r"[“”\"„«»「]")
QUOTED_SHARE = 0.4  # of the words of the sentence at least
APPOSITION = 14  # words between a name and its verb: "Anna Berg, the mayor of Port Ellis, said"
ROLE_WORDS = 5  # lower-case words between a verb and a name: "said the mayor of Port Ellis, ..."
_PART = re.compile(r"[A-Z][a-z]{0,3}\.(?=\s[A-Z])|[^\W\d_]+(?:['’.-]+[^\W\d_]+)*\.?(?<=\w)|“”|[^\w\s]")
_QUOTE = "“”"
_NO_SUBJECT_AFTER = ("told", "tells")  # "told The Hill"
_HONORIFICS = ("Mr.", "Mrs.", "Ms.", "The")


def quoted_share(text: str) -> float:
    """Return the share of words inside quotation marks; 0 for fewer than `QUOTED_WORDS`."""
    quoted = sum(len(match.group().split()) for match in QUOTED.finditer(text))
    return quoted / max(1, len(text.split())) if quoted >= QUOTED_WORDS else 0.0


def speaker_of(features: SentenceFeatures) -> str:
    """Return the named speaker of a sentence that is mostly a quotation; "" if there is none."""
    text, language = features.sentence.text, features.read.language
    if quoted_share(text) < QUOTED_SHARE:
        return ""
    verbs = word_list(language, "quoting")
    no_speakers = word_list(language, "no_speakers") | words_of("outlet_words")
    words = _PART.findall(QUOTED.sub(f" {_QUOTE} ", text))
    for place, word in enumerate(words):
        if word.lower() in verbs:
            for run in (_before(words, place, language), _after(words, place, language)):
                named = any(_head(each, language) in features.mentioned for each in run)
                if named and run[-1].lower() not in no_speakers:
                    return " ".join(run[1:] if run[0] in _HONORIFICS else run)
    return ""


def full_names(speakers: Collection[str]) -> dict[str, str]:
    """Return for each name the longest one of the same speaker; itself, where it may be of two."""
    parts = {speaker: _name_parts(speaker) for speaker in speakers}

    def may_be_one(one: str, other: str) -> bool:
        (last, first), (other_last, other_first) = parts[one], parts[other]
        return last == other_last and (not first or not other_first or not first.isdisjoint(other_first))

    full = {}
    for speaker in parts:
        same = [other for other in parts if may_be_one(speaker, other)]
        is_clear = all(may_be_one(one, other) for one, other in combinations(same, 2))
        full[speaker] = max(same, key=lambda each: (len(each), each)) if is_clear else speaker
    return full


def _name_parts(speaker: str) -> tuple[str, frozenset[str]]:
    """Return the last word of the name without its place, and the words before it that are no titles."""
    words = speaker.casefold().split()
    end = next((n for n, word in enumerate(words) if n and word in ("of", "for")), len(words))
    return words[end - 1], frozenset(words[: end - 1]) - words_of("titles")


def _is_name(word: str) -> bool:
    is_capital = any(part[:1].isupper() for part in word.split("-"))  # "al-Rahmoun"
    return is_capital and word[0].isalpha() and word[-2:] not in ("'s", "’s")


def _before(words: Sequence[str], verb: int, language: str | None) -> list[str]:
    """Return the name before a verb, over a few adverbs or over an apposition between commas."""
    end = verb
    while end > 0 and (
        words[end - 1] in word_list(language, "before_quoting")
        or (words[end - 1].islower() and words[end - 1].endswith("ly"))
    ):
        end -= 1
    if end > 0 and words[end - 1] == ",":
        comma = next((n for n in range(end - 2, max(0, end - APPOSITION), -1) if words[n] == ","), None)
        if comma is None:
            return []
        end = comma
    start = end
    while start > 0 and (_is_name(words[start - 1]) or (start < end and _joins(words, start - 1))):
        start -= 1
    # "McCall, of DePauw University, said", "the envoy to Ukraine Marie Berg said"
    before = words[start - 1] if start else ""
    is_place = _links(before) or before in word_list(language, "not_a_role")
    return [] if is_place and before.lower() != "the" else list(words[start:end])


def _joins(words: Sequence[str], place: int) -> bool:
    """Whether a word such as "of" stands between two names, or before another such word."""
    if place == 0 or not _links(words[place]):
        return False
    return _is_name(words[place - 1]) or (place > 1 and _links(words[place - 1]))


def _links(word: str) -> bool:
    """Whether a word such as "of" may stand inside a name."""
    return word.lower() in words_of("name_links")


def _after(words: Sequence[str], verb: int, language: str | None) -> list[str]:
    """Return the role and name after a verb that follows a quotation: "said the mayor, Anna Berg"."""
    if verb == 0 or words[verb - 1] not in (_QUOTE, ",") or words[verb].lower() in _NO_SUBJECT_AFTER:
        return []
    start = verb + 1
    if words[start : start + 1] == ["the"]:
        start += 1
    elif words[start : start + 1] in (["a"], ["an"]):
        return []  # "said a Republican"
    end = place = start
    while place < len(words) and place - end < ROLE_WORDS:
        if _is_name(words[place]):
            end = place + 1
        elif not words[place][0].isalpha() or words[place] in word_list(language, "not_a_role"):
            break
        place += 1
    return list(words[start:end])


@cache
def _head(word: str, language: str | None) -> str:
    return head_of(word.lower(), language or "en") if word[0].isalnum() else ""
