"""The words by which a sentence says that something is denied."""

import re

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
# Denying a person something, wanting to deny, and denials that did not happen.
NOT_AFTER = re.compile(
    r"^\s*(?:(?:him|her|them|the|a|an|his|any|us|people|\w+)\s+){0,3}"
    r"(?:access|entry|bail|benefits?|visas?|parole|asylum|permission|the right|the ability|"
    r"right to|ability to|treatment|consent|boarding|a platform|service|request)\b|^\s*to\b",
    re.IGNORECASE,
)
NOT_BEFORE = re.compile(
    r"\b(?:to|or|yet|would|could|might|cannot|can't|not|didn't|no one|nobody|hard to)\s*$", re.IGNORECASE
)


# A plain "no" or "not": it tells no denial by itself, but one sentence with it and one without it do not say
# the same. Function words of the languages that samples and users have most.
NEGATION = re.compile(
    r"\b(?:no|not|never|none|nobody|nothing|neither|nor|cannot|without|\w+n['’]t"
    r"|nicht|nichts|nie|niemals|niemand|kein\w{0,2}|ohne"
    r"|ne|n['’](?=\w)|pas|jamais|aucune?|rien|sans|nunca|nadie|ning[uú]n\w{0,2}|sin|non|mai|nessun\w?|senza"
    r"|niet|geen|nooit|não|nem|nenhum\w?|не|нет|никогда|никто|без)\b",
    re.IGNORECASE,
)


def negates(sentence: str) -> bool:
    """Whether the sentence holds a plain negation."""
    return NEGATION.search(sentence) is not None


def denial_at(sentence: str) -> re.Match[str] | None:
    """Where the sentence says that something is denied; None where it does not."""
    for match in CUE.finditer(sentence):
        before, after = sentence[: match.start()], sentence[match.end() :]
        if match["deny"] and NOT_AFTER.search(after):
            continue
        if NOT_BEFORE.search(before) and match.group().lower().startswith(
            ("den", "ref", "rej", "dis", "reb")
        ):
            continue
        return match
    return None


def denies(sentence: str) -> bool:
    """Whether the sentence reports a denial."""
    return denial_at(sentence) is not None
