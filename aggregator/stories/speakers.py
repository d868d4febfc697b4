"""The speaker of a quotation: a run of capitalized words beside a verb of speech.

`Anna Berg later said`, `said Anna Berg`, `Anna Berg, the mayor, said`. In scripts without capital letters no
speaker is found.
"""

import re
from collections.abc import Sequence

from aggregator.stories.lexicon import word_list, words_of
from aggregator.stories.sentences import QUOTED
from aggregator.text.calendar import forms

APPOSITION = 14  # words between a name and its verb: "Anna Berg, the mayor of Port Ellis, said"
ROLE_WORDS = 5  # lower-case words between a verb and a name: "said the mayor of Port Ellis, ..."
PARTY = re.compile(r"[A-Z]-[A-Z]")  # "R-Varna", after the name of a member of parliament
WEEKDAYS = forms("weekdays", "en")
_PART = re.compile(
    r"(?:[A-Z]\.){2,3}(?=\s[A-Z])|[A-Z][a-z]{0,3}\.(?=\s[A-Z])"  # "H.R. McMaster", "Gov. Anna Berg"
    r"|[^\W\d_]+(?:['’.-]+[^\W\d_]+)*\.?(?<=\w)|“”|[^\w\s]"
)
_QUOTE = "“”"
_NO_SUBJECT_AFTER = ("told", "tells")  # "told The Hill"
HONORIFICS = ("Mr.", "Mrs.", "Ms.", "The")


def speaker_of(text: str, language: str | None) -> str:
    """Return the speaker of a sentence with a quotation, as it names them; "" if it names none."""
    verbs = word_list(language, "quoting")
    no_speakers = WEEKDAYS | word_list(language, "no_speakers") | words_of("outlet_words")
    no_speakers |= words_of("titles")
    words = _PART.findall(QUOTED.sub(f" {_QUOTE} ", text))
    for place, word in enumerate(words):
        if word.lower() in verbs:
            for run in (_before(words, place, language), _after(words, place, language)):
                if run and run[-1].lower() not in no_speakers and not PARTY.match(run[-1]):
                    return " ".join(run[1:] if run[0] in HONORIFICS and len(run) > 1 else run)
    return ""


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
    while start > 0 and (is_name(words[start - 1]) or (start < end and _joins(words, start - 1))):
        start -= 1
    # "McCall, of DePauw University, said", "the envoy to Ukraine Marie Berg said"
    before = words[start - 1] if start else ""
    is_place = links(before) or before in word_list(language, "not_a_role")
    return [] if is_place and before.lower() != "the" else list(words[start:end])


def _joins(words: Sequence[str], place: int) -> bool:
    """Whether a word such as "of" stands between two names, or before another such word."""
    if place == 0 or not links(words[place]):
        return False
    return is_name(words[place - 1]) or (place > 1 and links(words[place - 1]))


def _after(words: Sequence[str], verb: int, language: str | None) -> list[str]:
    """Return the role and name after a verb that follows a quotation: "said the mayor, Anna Berg"."""
    before = verb
    while before > 0 and words[before - 1] in word_list(language, "before_quoting"):
        before -= 1  # "a déclaré Jean Ardouin"
    is_after_quotation = words[:before][-1:] == [_QUOTE] or words[:before][-2:] == [_QUOTE, ","]
    if not is_after_quotation or words[verb].lower() in _NO_SUBJECT_AFTER:
        return []
    start = verb + 1
    if words[start : start + 1] == ["the"]:
        start += 1
    elif words[start : start + 1] in (["a"], ["an"]):
        return []  # "said a Republican"
    end = place = start
    while place < len(words) and place - end < ROLE_WORDS:
        if is_name(words[place]):
            end = place + 1
        elif not words[place][0].isalpha() or words[place] in word_list(language, "not_a_role"):
            break
        place += 1
    return list(words[start:end])


def links(word: str) -> bool:
    """Whether a word such as "of" may stand inside a name."""
    return word.lower() in words_of("name_links")


def is_name(word: str) -> bool:
    is_capital = any(part[:1].isupper() for part in word.split("-"))  # "al-Rahmoun"
    return is_capital and word[0].isalpha() and word[-2:] not in ("'s", "’s")
