"""Normal forms across languages: names by their consonants, numbers by their value.

There is no table of names: the sound of a letter is derived from its Unicode name, and sounds that languages
confuse (b and p, l and r, g and k) are one class. Different names may therefore get one form by chance; the
caller weights a match by its length.
"""

import math
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# --- names -------------------------------------------------------------------------------------------------

_KEY_LETTERS: Final = 6
_VOWELS: Final = "aeiouyj"  # j is a vowel in half of Europe; dropping vowels rarely makes two names equal
_ARTICLE: Final = re.compile(r"^(?:وال|بال|لل|ال)(?=...)")
# Sounds written with several letters, in this order; then the classes of sounds that languages confuse.
_SPELLINGS: Final = (
    (re.compile("dzh|dj"), "j"),
    (re.compile("t?sh?ch|sch|tch|[sczt]h(?<!th)|cz|cs|dz|ts|tz"), "s"),
    (re.compile("kh"), "h"),
    (re.compile("ph"), "f"),
    (re.compile("th"), "t"),
    (re.compile("ck|gh|q"), "k"),
    (re.compile("c(?=[eiy])|z"), "s"),
    (re.compile("[cg]"), "k"),
    (re.compile("x"), "ks"),
    (re.compile("^w"), "f"),
)
_CLASSES: Final = str.maketrans({"b": "p", "v": "f", "l": "r", "h": None})
_NOT_KEPT: Final = re.compile(f"[{_VOWELS}w]")
_TWICE: Final = re.compile(r"(.)\1+")


@lru_cache(maxsize=50_000)
def skeleton(word: str) -> str:
    """Return the consonants of a name that most languages keep: "ptn" for Putin, Путин, بوتين, プーチン.

    A name that begins with a vowel begins with "a". Chinese characters are kept as they are.
    """
    spelt = "".join(map(_letter, _ARTICLE.sub("", word).lower()))
    for pattern, sound in _SPELLINGS:
        spelt = pattern.sub(sound, spelt)
    first = "a" if spelt[:1] and spelt[0] in _VOWELS else ""
    sounds = _TWICE.sub(r"\1", spelt.translate(_CLASSES))
    sounds = _NOT_KEPT.sub("", sounds)
    return (first + re.sub("m(?=[pf])", "n", sounds))[:_KEY_LETTERS]


_LETTER_NAME: Final = re.compile(r"([A-Z]+) (?:SMALL |CAPITAL |FINAL )*(?:LETTER|SYLLABLE|LIGATURE) (.+)")
_LETTER_SOUNDS: Final = {
    "SHARP S": "s", "AE": "a", "OE": "o", "DOTLESS I": "i", "SHORT I": "j", "HU": "f", "SMALL TU": "",
    "HARD SIGN": "", "SOFT SIGN": "", "YERU": "a", "EF": "f", "EL": "l", "EM": "m", "EN": "n", "ER": "r",
    "ES": "s", "TEH MARBUTA": "a", "ALEF MAKSURA": "a", "FARSI YEH": "a", "YEH": "a", "WAW": "w", "VAV": "w",
    "FINAL SIGMA": "s", "XI": "ks", "PSI": "ps", "CHI": "h", "JEEM": "j",
}  # fmt: skip
_SCRIPT_VOWEL: Final = "a"


@lru_cache(maxsize=50_000)
def _letter(character: str) -> str:
    """Return the sound of a letter by its Unicode name: П is "PE", ب is "BEH", ツ is "TU"."""
    match = _LETTER_NAME.fullmatch(unicodedata.name(character, ""))
    if match is None:
        return character if "\u3400" <= character <= "\u9fff" else ""
    script, name = match[1], match[2].partition(" WITH ")[0]
    if name in _LETTER_SOUNDS:
        return _LETTER_SOUNDS[name]
    if script == "LATIN":
        return name.lower() if len(name) == 1 else ""
    name = name.rpartition(" ")[2]
    if script == "HANGUL":
        return re.sub("[AEIOUYW]+", _SCRIPT_VOWEL, name).lower()
    consonants = re.match("[^AEIOU]*", name)
    spelt = consonants[0].lower() if consonants else ""
    is_syllable = script in ("KATAKANA", "HIRAGANA", "DEVANAGARI") and spelt != "n"
    return spelt + (_SCRIPT_VOWEL if not spelt or is_syllable else "")


# --- numbers -----------------------------------------------------------------------------------------------

_FOREIGN_DIGIT: Final = re.compile(r"(?![0-9])\d")
_CLOCK: Final = re.compile(r"(?<!\d)\d{1,2}(?::| ?[hH] ?)\d\d(?!\d)")
_FIGURE: Final = re.compile(
    r"(?<![A-Za-z\u00c0-\u052f\d.,:])(\d{1,3}(?:[ \u00a0\u202f'’]\d{3})+(?:[.,]\d+)?|\d[\d.,]*\d|\d)"
    r"(?![\d:]|[.]\d)\s?([^\W\d_]+)?(?:\s([^\W\d_]+))?"
)
# Languages with a decimal point; the others have a decimal comma.
_POINT_LANGUAGES: Final = frozenset(
    ("en", "zh", "ja", "ko", "he", "th", "hi", "ar", "ur", "bn", "ta", "te", "ms", "tl", "sw")
)
_YEARS: Final = range(1900, 2101)
_CLOCK_WORDS: Final = frozenset({"uhr", "am", "pm", "a", "p"})
_THOUSAND: Final = re.compile("thousand|tausend|mill?e$|mila$|mil$|duizend|tusen|тыс|tys|آلاف|ألف|الف|bin$")
_MILLION: Final = re.compile("milli?o|milh|milj[oö]|milió|mio$|mln$|млн|миллион|مليون|ملايين|milyon")
_MILLIARD: Final = re.compile("milliar|miljar|miliar|mrd$|mld$|bn$|млрд|миллиард|مليار|milyar")
_TRILLION: Final = re.compile("tri(?:ll|lh)|трлн|триллион|تريليون")
_BILLION: Final = re.compile("bi(?:ll|lh)")
_SHORT_SCALE: Final = frozenset({"en", "pt"})  # a billion is 10^9


def numbers_in(text: str, language: str) -> Iterator[float]:
    """Yield the numbers in `text` of two or more digits (9.5 has two), multiplied by a following number word.

    Digits of any script; separators by `language`. Years and times of day are left out.
    """
    text = _FOREIGN_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    text = _CLOCK.sub(" ", text)
    for match in _FIGURE.finditer(text.replace("٫", ".").replace("٬", ",")):
        figure, unit, second = match[1], (match[2] or "").lower(), (match[3] or "").lower()
        value = _value(figure, language) * _times(unit, second, language)
        is_year = figure.isdigit() and value in _YEARS
        if is_year or unit in _CLOCK_WORDS or not math.isfinite(value):
            continue
        if value >= 10 or value != int(value):
            yield value


def _value(figure: str, language: str) -> float:
    figure = re.sub("[ \u00a0\u202f'’]", "", figure)
    point = "." if language in _POINT_LANGUAGES else ","
    groups = re.split("[.,]", figure)
    marks = re.findall("[.,]", figure)
    if not marks:
        return float(figure)
    is_grouped = all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3
    if len(set(marks)) == 1 and is_grouped and (len(marks) > 1 or marks[0] != point):
        return float("".join(groups))
    if len(set(marks)) == 1 and len(marks) > 1:
        return float(groups[0])  # a date or a version, not a number
    return float("".join(groups[:-1]) + "." + groups[-1])


def _times(unit: str, second: str, language: str) -> float:
    if _THOUSAND.match(unit):
        return 1e9 if _MILLION.match(second) else 1e3  # es: mil millones
    for pattern, times in ((_MILLIARD, 1e9), (_MILLION, 1e6), (_TRILLION, 1e12)):
        if pattern.match(unit):
            return times
    if _BILLION.match(unit):
        return 1e9 if language in _SHORT_SCALE else 1e12
    return 1.0
