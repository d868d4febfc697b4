"""Numbers: digits of any script, number words by language (numbers.yaml), and Chinese numerals."""

import re
import sys
import unicodedata
from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import msgspec

from aggregator.config.shipped import ShippedTable

# Numbers with thousands separators, by the decimal mark of the language. Before two groups of three digits, either mark
# is a separator. In a language with a decimal comma, a comma before one group is a separator, too, because some writers
# use it so: "1,250".
_THOUSANDS = {
    ".": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}"),
    ",": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?|[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?"),
}
_SEPARATORS = str.maketrans("٫٬", ".,")
# Numbers in digits, but not dates: "1.2.2026"
_NUMERAL = re.compile(r"\d{1,3}(?:[,.]\d{3})+|\d+(?:[.,]\d+)?")


class _NumberWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language of numbers.yaml."""

    decimal: str
    words: Mapping[int, str]
    scales: Mapping[int, str] = {}
    joins: str = ""


_NUMBERS = ShippedTable("aggregator.text", "numbers.yaml", dict[str, _NumberWords])


_UNKNOWN = _NumberWords(decimal=".", words={})


@cache
def decimal_mark(language: str) -> str:
    """Return the decimal mark of a language; "." for an unknown language."""
    return _NUMBERS.content.get(language, _UNKNOWN).decimal


@cache
def spelt_numbers(language: str) -> Mapping[str, int]:
    """Return the number words of a language in lower case, without words for 1 that may be articles."""
    return _by_form(_NUMBERS.content.get(language, _UNKNOWN).words)


def plain_number(token: str, language: str) -> str:
    """Return the number with "." as decimal mark and without thousands separators.

    "72,000" becomes "72000" and "1.250.000" becomes "1250000". "3.500" becomes "3500" only in a language with a
    decimal comma. Digits of other scripts become 0-9.
    """
    if not token.isascii():
        token = "".join(str(unicodedata.decimal(c, c)) for c in token).translate(
            _SEPARATORS
        )
    if not _THOUSANDS[decimal_mark(language)].fullmatch(token):
        return token.replace(",", ".")
    separator = next(sign for sign in token if not sign.isdigit())
    return token.replace(separator, "").replace(",", ".")


def has_numbers(language: str) -> bool:
    """Return whether the numbers of a language can be read."""
    return language in _NUMBERS.content


def in_digits(words: list[str], language: str) -> list[str]:
    """Return the words with each number in digits: "twenty", "one" become "21", and "1.2", "million" "1200000".

    The words must be in lower case and split at hyphens. Compounds are read only up to a hundred ("einundzwanzig"); the
    parts of larger numbers must be separate words.
    """
    table = _NUMBERS.content.get(language)
    if table is None:
        return words
    spelt = _spelt_with_compounds(language)
    joins = table.joins.split()
    scales = _by_form(table.scales)
    read = []
    # The number that is being read, and its part up to the last "thousand", "million" or larger word
    value: float | None = None
    above = 0.0
    # A further part may follow if it is smaller than this: 10 after "twenty", 100 after "hundred"
    step = 0.0
    # The end of the words is an empty word, which ends a number.
    for word, following in pairwise((*words, "", "")):
        part = spelt.get(word)
        if value is not None:
            if word in scales:
                step = scales[word]
                if value == 0:  # "thousand million"
                    value, above = above, 0.0
                value *= step
                if step >= 1000:
                    value, above = 0.0, above + value
                continue
            if part is not None and part < step:
                value += part
                step = _step_after(part)
                continue
            if word in joins and spelt.get(following, step) < step:
                continue
            read.append(f"{above + value:.15g}")
            value, above = None, 0.0
        if _NUMERAL.fullmatch(word):
            value = float(plain_number(word, language))
            step = 0.0
        elif part is not None:
            value = float(part)
            step = _step_after(part)
        else:
            read.append(word)
    return read[:-1]


def _step_after(part: float) -> float:
    return 10.0 if part >= 20 and part % 10 == 0 else 0.0


def _by_form(forms_by_number: Mapping[int, str]) -> dict[str, int]:
    """Return the number of each word for it."""
    numbers: dict[str, int] = {}
    for number, forms in forms_by_number.items():
        numbers |= dict.fromkeys(forms.split(), number)
    return numbers


@cache
def _spelt_with_compounds(language: str) -> Mapping[str, int]:
    """Return the number words of a language, with the compounds that begin with the unit: "einundzwanzig"."""
    spelt = dict(spelt_numbers(language))
    for join in _NUMBERS.content[language].joins.split():
        for unit, ones in [*spelt_numbers(language).items(), ("ein", 1), ("een", 1)]:
            for ten, tens in spelt_numbers(language).items():
                if ones < 10 and tens >= 20:
                    spelt[f"{unit}{join}{ten}"] = ones + tens
    return spelt


_DIGITS = "〇一二三四五六七八九"
_DIGIT_OF = {
    **{digit: n for n, digit in enumerate(_DIGITS)},
    "零": 0,
    "两": 2,
    "兩": 2,
}
_SMALL_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE_UNITS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8, "兆": 10**12}
_UNITS = "".join((*_SMALL_UNITS, *_LARGE_UNITS))
_NUMERALS = "".join(_DIGIT_OF)
_HAN_NUMBER = re.compile(
    rf"(?:\d[\d.,]{{0,15}}[{_UNITS}]{{1,4}}){{1,4}}(?:\d[\d.,]{{0,15}})?"
    rf"|[{_NUMERALS}十百][{_NUMERALS}{_UNITS}]{{1,20}}"
    rf"|[一二三四五六七八九十两兩](?=[人名个個件辆輛架艘棟])"
)


def written_out(text: str) -> str:
    """Return the text with digits in place of numbers in Chinese characters, or with units such as 万 and 億."""
    return _HAN_NUMBER.sub(lambda match: han_number(match.group()), text)


def han_number(numeral: str) -> str:
    """Return a number in Chinese characters in digits; a row of digits (二〇二五) becomes "2025"."""
    total = 0.0
    section = 0.0
    digits = ""
    for part in re.findall(r"\d[\d.,]*|.", numeral):
        if part in _SMALL_UNITS:
            section += _float(digits, 1.0) * _SMALL_UNITS[part]
            digits = ""
        elif part in _LARGE_UNITS:
            total += (section + _float(digits, 0.0 if section else 1.0)) * _LARGE_UNITS[
                part
            ]
            section = 0.0
            digits = ""
        else:
            digits += str(_DIGIT_OF.get(part, part))
    value = total + section + _float(digits, 0.0)
    if value < sys.maxsize and value == int(value):
        return str(int(value))
    return f"{value:.10g}"


def _float(digits: str, default: float) -> float:
    try:
        return float(digits.replace(",", "")) if digits else default
    except ValueError:  # "1.2.3万" is not a number
        return default
