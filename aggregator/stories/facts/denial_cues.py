"""Cue words of denials and of plain negation."""

import re
from dataclasses import dataclass
from functools import cache

from aggregator.stories.lexicon import DenialWords, language_words

OBJECT = r"(?:reports?|claims?|allegations?|accusations?|suggestions?|ideas?|notions?|rumou?rs?|charges?)"
CUE = re.compile(
    r"\b(?:(?P<deny>den(?:y|ies|ied|ying))"
    r"|(?P<noun>(?:issued|repeated|despite|vehement|strong|flat|his|her|their|its|a)\s(?:\w+\s)?denials?(?=\s(?:that|of"
    r"\s(?:any|all|wrongdoing|involvement|responsibility))\b)|denials?(?=\sthat\b))"
    r"|(?:reject(?:s|ed|ing)?|dismiss(?:es|ed|ing)?)\b(?=(?:\W+\w+){0,4}?\W+" + OBJECT + r"\b)"
    r"|refut(?:e|es|ed|ing)"
    r"|disput(?:es|ed|ing)\b(?=\s+(?:that|the|claims?|reports?)\b)"
    r"|rebut(?:s|ted|ting)?"
    r"|(?:baseless|unfounded|groundless)\b(?=\s" + OBJECT + r"\b)"
    r"|(?:is|are|was|were|as|be)\s(?:\w+\s){0,2}?(?:baseless|unfounded|groundless)"
    r"|untrue|not true|no truth)\b",
    re.IGNORECASE,
)
CUE_PARTS = ("deni", "deny", "reject", "dismiss", "refut", "disput", "rebut", "less", "unfounded", "tru")
# Not denials: denying a person something ("was denied, then"), a list of acts ("deny, disrupt"), the wish to
# deny, and denials that did not happen.
NOT_AFTER = re.compile(
    r"^\s*(?:(?:him|her|them|the|a|an|his|any|us|people|\w+)\s+){0,3}"
    r"(?:access|entry|bail|benefits?|visas?|parole|asylum|permission|the right|the ability|"
    r"right to|ability to|treatment|consent|boarding|a platform|service|request|coverage|clearances?)\b"
    r"|^\s*(?:to\b|,)",
    re.IGNORECASE,
)
NOT_BEFORE = re.compile(
    r"\b(?:to|or|yet|would|could|might|cannot|can't|not|didn't|no one|nobody|hard to)\s*$", re.IGNORECASE
)
# Plain negation: no denial by itself, but a negated sentence does not state the same as one that is not.
# Begins with a set of letters, so that `re` skips all others.
NEGATION = re.compile(
    r"[NnCcWw](?:(?<!\w.)(?i:(?<=n)(?:ot|ever|one|obody|othing|either|or|o)|(?<=c)annot|(?<=w)ithout)"
    r"|(?i:(?<=\wn)['’]t))\b"
)
# For languages without a list of their own.
NEGATION_ANYWHERE = re.compile(
    r"\b(?:nicht|nichts|nie|niemals|niemand|kein\w{0,2}|ohne"
    r"|ne|n['’](?=\w)|pas|jamais|aucune?|rien|sans|nunca|nadie|ning[uú]n\w{0,2}|sin|non|mai|nessun\w?|senza"
    r"|niet|geen|nooit|não|nem|nenhum\w?|не|нет|никогда|никто|без)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class DenialCues:
    """The patterns of one language."""

    cue: re.Pattern[str] | None
    not_before: re.Pattern[str] | None
    negation: re.Pattern[str]


@cache
def cues_of(language: str | None) -> DenialCues:
    """Return the patterns of `language`; None means English."""
    if (language or "en") == "en":
        return DenialCues(CUE, NOT_BEFORE, NEGATION)
    words = language_words(language).denial
    if words is None:
        return DenialCues(None, None, NEGATION_ANYWHERE)
    return DenialCues(
        _cue(words),
        re.compile(words.not_before, re.IGNORECASE) if words.not_before else None,
        re.compile(words.negated, re.IGNORECASE) if words.negated else NEGATION_ANYWHERE,
    )


def denies(sentence: str, language: str | None = None) -> bool:
    """Whether the sentence reports a denial."""
    cues = cues_of(language)
    if cues.cue is None:
        return False
    is_english = cues.cue is CUE
    if is_english and not any(map(sentence.lower().__contains__, CUE_PARTS)):
        return False  # as most sentences; the expression needs ten times as long
    for match in cues.cue.finditer(sentence):
        before, after = sentence[: match.start()], sentence[match.end() :]
        if is_english and match["deny"] and NOT_AFTER.search(after):
            continue
        if (
            cues.not_before is not None
            and cues.not_before.search(before)
            and (not is_english or match.group().lower().startswith(("den", "ref", "rej", "dis", "reb")))
        ):
            continue
        return True
    return False


def _cue(words: DenialWords) -> re.Pattern[str]:
    parts = [words.deny]
    if words.reject:
        parts.append(rf"{words.reject}\b(?=(?:\W+\w+){{0,6}}?\W+{words.objects}\b)")
        parts.append(rf"{words.objects}\b(?:\W+\w+){{0,6}}?\W+{words.reject}")
    if words.plain:
        parts.append(words.plain)
    whole = "|".join(parts)
    # Scripts without spaces have no word boundaries.
    is_spaced = not re.search(r"[\u3040-\u30ff\u3400-\u9fff]", whole)
    return re.compile(rf"\b(?:{whole})\b" if is_spaced else f"(?:{whole})", re.IGNORECASE)
