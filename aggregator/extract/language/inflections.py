"""Lists the inflected forms of an English word (talk, talks, talked, talking), and a Hebrew word with prefixes.

A search asks for all of these forms, instead of for stems in the index. So nothing is written, phrases stay exact, and
both databases follow the same rule. Only inflected forms count as the same word. Stemmers also remove suffixes that
make other words, so they confuse `conversion` with `conversation`, and `institution` with `institute`. A form that
does not exist finds nothing, so if the spelling is ambiguous, all forms are listed. In other languages, only plurals
with -s are found. But Hebrew writes "and", "the", "in", "to" and others as letters before a word. A search asks for
words with these prefixes. The index does not cut them off, because most words that begin with one of these letters
have no prefix.
"""

import re

from aggregator.text.lines import word_set

# Shorter words and bases are not inflected
_LEAST_LETTERS = 3
# These look like inflected forms but are not: "news" is not a form of "new".
_UNINFLECTED = word_set("aids does evening hamas herring news shed thing united")
# These have no form with -d: "feed", "seed" and "weed" are other words.
_NO_VERBS = word_set("doe fee see wee")
_WORD = re.compile(f"[a-z]{{{_LEAST_LETTERS},}}")
_VOWEL = re.compile("[aeiouy]")
_HISSING = re.compile("(?:s|x|z|ch|sh)$")
# Short words double the last letter: "stop" gives "stopped". But "called" is a form of "call", and not of "cal".
_DOUBLES = re.compile("[^aeiou]*[aeiou][bdgmnprtv]")
# Longer words may double it: "commit" gives "committed", but "visit" gives "visited".
_MAY_DOUBLE = re.compile(".*[aeiou][^aeiou]*[aeiou][bdgklmnprt]")
# The endings of forms, and the letter that replaces each ending in the base: "tries" is a form of "try"
_ENDINGS = (
    ("ies", "y"),
    ("ied", "y"),
    ("es", ""),
    ("s", ""),
    ("ed", ""),
    ("ed", "e"),
    ("ing", ""),
    ("ing", "e"),
)

_HEBREW = re.compile("[\u05d0-\u05ea]{2,}")
# A prefix is only removed if enough letters remain; otherwise the letter more likely belongs to the word.
_HEBREW_PREFIX = re.compile("^(?:ה(?=...)|ו?[בלמכש]?ה?(?=....))")
_HEBREW_PREFIXES = "ה ו ב ל מ כ ש וה וב ול ומ וכ וש שה שב של שמ מה כש כשה לכש"


def list_inflections(word: str) -> list[str]:
    """Return `word`, in lower case, and the forms of each base that `word` may be a form of.

    For example, "hopes" is a form of "hope", so the result is: hopes, hope, hoping, hoped.
    """
    if _HEBREW.fullmatch(word):
        stems = dict.fromkeys((word, _HEBREW_PREFIX.sub("", word)))
        prefixed = [
            prefix + stem for prefix in _HEBREW_PREFIXES.split() for stem in stems
        ]
        return list(dict.fromkeys((*stems, *prefixed)))
    if not _WORD.fullmatch(word) or word in _UNINFLECTED:
        return [word]
    bases = [word]
    for ending, last_letter in _ENDINGS:
        if not word.endswith(ending):
            continue
        base = word.removesuffix(ending) + last_letter
        bases.append(base)
        if base[-2:-1] == base[-1:] and len(base) > _LEAST_LETTERS:
            # "stopped" gives "stopp" and "stop".
            bases.append(base[:-1])
    # A dict has each form once, in order.
    forms = {word: None}
    for base in bases:
        forms_of_base = _list_forms(base) if _WORD.fullmatch(base) else []
        if word in forms_of_base:
            forms |= dict.fromkeys(forms_of_base)
    return [form for form in forms if form not in _UNINFLECTED]


def _list_forms(base: str) -> list[str]:
    """Return the forms of a base: its plural or third person, its past and its participle."""
    if base.endswith("s") and not base.endswith(("ss", "us")):
        return [base]  # mostly a plural
    if base.endswith(("c", "i")) or (
        base.endswith("ie") and len(base) > _LEAST_LETTERS
    ):
        return [base, f"{base}s"]
    if base.endswith("e"):
        return _list_forms_of_e(base)
    if base.endswith("y") and not _VOWEL.match(base[-2]):
        stem = base[:-1]
        return [base, f"{stem}ies", f"{stem}ied", f"{base}ing"]
    forms = [base]
    is_hissing = _HISSING.search(base) is not None
    if is_hissing or base.endswith("o"):
        forms.append(f"{base}es")
    if not is_hissing:
        forms.append(f"{base}s")
    if _VOWEL.search(base):
        stems = [base]
        if _DOUBLES.fullmatch(base):
            stems = [base + base[-1]]
        elif _MAY_DOUBLE.fullmatch(base):
            stems.append(base + base[-1])
        for stem in stems:
            forms += [f"{stem}ed", f"{stem}ing"]
    return forms


def _list_forms_of_e(base: str) -> list[str]:
    """Return the forms of a base with a final e, which falls away before -ing."""
    stem = base[:-1]
    forms = [base, f"{base}s"]
    if not _VOWEL.search(stem):  # "the"
        return forms
    if base.endswith(("ee", "oe", "ye")):
        stem = base
    forms.append(f"{stem}ing")
    if base not in _NO_VERBS:
        forms.append(f"{base}d")
    return forms
