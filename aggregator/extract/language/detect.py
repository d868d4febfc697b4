"""Which language an article is in: BCP 47 primary tags ("en", "pt")."""

import re

from aggregator.extract.limits import TextRules

_TAG = re.compile(r"([A-Za-z]{2,3})(?:[-_].{0,30})?")
# Written alike; the recogniser calls a short Chinese text now one of them, now another.
CHINESE = frozenset({"cmn", "yue", "wuu", "lzh", "gan", "hak", "nan"})
# A site's templates often say "en" of texts in other scripts; these are never written in another script.
_WRITTEN_IN_LATIN = frozenset({
    "ca", "cs", "da", "de", "en", "es", "et", "eu", "fi", "fr", "gl", "hr", "hu", "id", "is", "it", "lt",
    "lv", "nb", "nl", "nn", "no", "pl", "pt", "ro", "sk", "sl", "sv", "tr", "vi",
})  # fmt: skip
_UNDETERMINED = frozenset({"und", "zxx", "mul", "xx", "xxx"})


def find_language(title: str, text: str, declared: str | None, rules: TextRules) -> str | None:
    """The language of `title` and `text`; `declared` goes first while they are very short and in its script.

    None when there is neither a hint nor a letter to judge by.
    """
    hint = primary_tag(declared)
    sample = f"{title}\n{text[: rules.language_sample_chars]}".strip()
    letters = sum(map(str.isalpha, sample[: 2 * rules.language_min_chars]))
    if letters == 0 or (hint is not None and letters < rules.language_min_chars and _may_be(hint, sample)):
        return hint
    return _detected(sample)


def primary_tag(declared: str | None) -> str | None:
    """ "en" of "en-GB" or "EN_us"; None when that is no language tag."""
    found = _TAG.fullmatch(declared.strip()) if declared else None
    tag = found.group(1).lower() if found else None
    return None if tag in _UNDETERMINED else _as_written(tag)


def _may_be(language: str, sample: str) -> bool:
    """Whether the script of a short text is one of the language's, as far as that is told so cheaply."""
    letters = [char for char in sample if char.isalpha()]
    latin = sum(char <= "\u024f" or "\u1e00" <= char <= "\u1eff" for char in letters)
    return language not in _WRITTEN_IN_LATIN or 2 * latin >= len(letters)


def _as_written(tag: str | None) -> str | None:
    return "zh" if tag in CHINESE else tag


def _detected(sample: str) -> str | None:
    import py3langid

    return _as_written(py3langid.classify(sample)[0])
