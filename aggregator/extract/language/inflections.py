"""The inflected forms of an English word: `talk` is talks, talked and talking, too; and Hebrew prefixes.

A search asks for them instead of for stems in the index: nothing is written, phrases stay exact, and both
databases follow the same rule. Only inflected forms count as the same word. Stemmers also remove suffixes that
make other words, so they take `conversion` for `conversation`, and `institution` for `institute`. A form that does
not exist finds nothing, so ambiguous spellings have all forms. In other languages only plurals with -s are ever
found. But Hebrew writes "and", "the", "in", "to" and others as letters before a word. They are asked for, not cut
off in the index, because most words that begin with such a letter have no prefix.
"""

import re

from aggregator.text.lines import word_set

# Shorter words and bases are not inflected
_LEAST_LETTERS = 3
# These look like inflected forms, but are not: news of new, evening of even.
_UNINFLECTED = word_set("aids does evening hamas herring news shed thing united")
# These have no form with -d: feed, seed and weed are other words
_NO_VERBS = word_set("doe fee see wee")
_WORD = re.compile(f"[a-z]{{{_LEAST_LETTERS},}}")
_VOWEL = re.compile("[aeiouy]")
_HISSING = re.compile("(?:s|x|z|ch|sh)$")
# stop: stopped; but call, not cal: called
_SHORT = re.compile("[^aeiou]*[aeiou][bdgmnprtv]")
# "commit" gives committed, "visit" visited
_LONG = re.compile(".*[aeiou][^aeiou]*[aeiou][bdgklmnprt]")
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
# A prefix is only taken off if so many letters remain that it is likelier than a word that begins so.
_HEBREW_PREFIX = re.compile("^(?:ה(?=...)|ו?[בלמכש]?ה?(?=....))")
_HEBREW_PREFIXES = "ה ו ב ל מ כ ש וה וב ול ומ וכ וש שה שב של שמ מה כש כשה לכש"


def inflections(word: str) -> list[str]:
    """Return `word`, in lower case, and all forms of the words that it may be a form of."""
    if _HEBREW.fullmatch(word):
        stems = dict.fromkeys((word, _HEBREW_PREFIX.sub("", word)))
        prefixed = [
            prefix + stem for prefix in _HEBREW_PREFIXES.split() for stem in stems
        ]
        return list(dict.fromkeys((*stems, *prefixed)))
    if not _WORD.fullmatch(word) or word in _UNINFLECTED:
        return [word]
    forms = {word: None}
    bases = [word]
    for ending, last in _ENDINGS:
        if not word.endswith(ending):
            continue
        base = word.removesuffix(ending) + last
        bases.append(base)
        if base[-2:-1] == base[-1:] and len(base) > _LEAST_LETTERS:
            # stopped gives stopp and stop
            bases.append(base[:-1])
    for base in bases:
        if base != word and not (_WORD.fullmatch(base) and word in _forms(base)):
            continue
        for form in _forms(base):
            if form not in _UNINFLECTED:
                forms[form] = None
    return list(forms)


def _forms(base: str) -> list[str]:
    """Return a word with its plural or third person, past and participle."""
    stem = base[:-1]
    if base.endswith("s") and not base.endswith(("ss", "us")):
        return [base]  # mostly a plural
    if base.endswith(("c", "i")) or (
        base.endswith("ie") and len(base) > _LEAST_LETTERS
    ):
        return [base, f"{base}s"]
    if base.endswith("e"):
        return _forms_of_e(base)
    if base.endswith("y") and not _VOWEL.match(base[-2]):
        return [base, f"{stem}ies", f"{stem}ied", f"{base}ing"]
    forms = [base]
    is_hissing = _HISSING.search(base) is not None
    if is_hissing or base.endswith("o"):
        forms.append(f"{base}es")
    if not is_hissing:
        forms.append(f"{base}s")
    if _VOWEL.search(base):
        # The last letter is, or may be, doubled before -ed and -ing.
        stems = [base]
        if _SHORT.fullmatch(base):
            stems = [base + base[-1]]
        elif _LONG.fullmatch(base):
            stems.append(base + base[-1])
        for stem in stems:
            forms += [f"{stem}ed", f"{stem}ing"]
    return forms


def _forms_of_e(base: str) -> list[str]:
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
