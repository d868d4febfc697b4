"""Cleans strings so that every store can hold their characters.

`clean` guarantees what `model/structs.py` requires: no NUL, no lone surrogate, and no control characters except
newline and tab. XML parsers reject a whole feed because of one of these characters, PostgreSQL rejects the string, and
SQLite cuts it. `clean` also drops invisible characters that split words (soft hyphens, direction controls, zero-width
spaces), but not the joiners inside words (U+200C, U+200D).
"""

import re
import unicodedata

from aggregator.text.lines import CLUSTERED

# C1 controls are usually Windows-1252 bytes that were decoded as Latin-1, and are restored.
_C1 = {
    code: bytes([code]).decode("cp1252", "ignore") or None for code in range(0x80, 0xA0)
}
_TABLE: dict[int, str | None] = {
    **dict.fromkeys(range(0x20)),
    **_C1,
    0x09: "\t",
    0x0A: "\n",
    0x0B: "\n",
    0x0C: "\n",
    0x0D: "\n",
    0x7F: None,
    0xAD: None,  # soft hyphen: invisible, but would split a word into two terms
    0x200B: None,
    0x2028: "\n",
    0x2029: "\n",
    # Direction controls, the word joiner, and the byte order mark
    **dict.fromkeys((*range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)),
    **dict.fromkeys(range(0xD800, 0xE000)),
    **dict.fromkeys(range(0xFDD0, 0xFDF0)),
    0xFFFE: None,
    0xFFFF: None,
}
_BAD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u200b\u2028-\u202e\u2060\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
    # A zero-width space stays beside a letter of these scripts, because it separates their words
    f"(?<![{CLUSTERED}]\u200b)(?!(?<=\u200b)[{CLUSTERED}])"
)  # the keys of the table, without tab and newline
# This is separate from `_BAD`, because a character beyond the basic plane makes the search of a class ten times slower.
_BEYOND_BASIC = re.compile("[\U00010000-\U0010ffff]")
# Matches all characters that the two patterns above match, by exclusion; one search is twice as fast as two.
_SUSPECT = re.compile(
    "[^\t\n\x20-\x7e\xa0-\xac\xae-\u200a\u200c-\u2027\u202f-\u205f\u2061-\u2065\u206a-\ud7ff\ue000-\ufdcf"
    "\ufdf0-\ufefe\uff00-\ufffd]"
)
# `_UNUSUAL` searches the UTF-8 of a text without its printable ASCII characters. The pattern matches everything except
# Latin letters and usual punctuation, which need no change. Most texts are searched only in this short form.
_PRINTABLE_ASCII = bytes([0x09, 0x0A, *range(0x20, 0x7F)])
_UNUSUAL = re.compile(
    rb"[\x00-\x1f\x7f\xcc-\xe1\xe3-\xf4]|\xc2[\x80-\x9f\xad]|\xe2(?!\x80[\x90-\xa7\xaf-\xbf])"
)
# Punctuation by the text that results if its UTF-8 is read as Latin-1, or as Windows-1252 once or twice ("itâ€™s")
_MISREAD: dict[str, str] = {}
for _mark in "‘’“”–—…":
    _misread = _mark
    for _ in range(2):
        _misread = "".join(_C1.get(byte) or chr(byte) for byte in _misread.encode())
        _MISREAD[_misread] = _mark
    _MISREAD[_mark.encode().decode("latin-1")] = _mark
_IS_MISREAD = re.compile("|".join(sorted(_MISREAD, reverse=True)))
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# A numeric reference in markup, which pages may write without its semicolon
_REFERENCE = re.compile(r"&#(?:x([0-9a-f]+)|([0-9]+));?", re.IGNORECASE | re.ASCII)


def clean(text: str) -> str:
    """Return `text` in NFC, without characters that a store or XML cannot hold.

    Line ends become newlines. Surrogate pairs become their character, C1 controls their Windows-1252
    character, and quotation marks and dashes that were misread ("itâ€™s") are read again. Idempotent.
    """
    text = _read_again(text)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _UNUSUAL.search(
        text.encode("utf-8", "surrogatepass").translate(None, _PRINTABLE_ASCII)
    ):
        return text
    if _SUSPECT.search(text):  # substitution is slow for each bad character
        text = _SURROGATE_PAIR.sub(
            lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"),
            text,
        )
        text = _BAD.sub(lambda bad: _TABLE[ord(bad[0])] or "", text)
        # The last two code points of each plane are not characters.
        text = _BEYOND_BASIC.sub(
            lambda char: "" if ord(char[0]) & 0xFFFE == 0xFFFE else char[0], text
        )
    return _read_again(unicodedata.normalize("NFC", text))


def clean_markup(markup: str) -> str:
    """Return clean markup, with characters in place of numeric references, which may mean invalid characters.

    A single reference to an invalid character would make a parser drop the whole text. References to printable ASCII
    characters stay, because these include the characters of markup. Pairs of surrogates are joined.
    """

    def character(reference: re.Match[str]) -> str:
        digits = (reference[1] or reference[2]).lstrip("0")
        code = int(digits or "0", 16 if reference[1] else 10) if len(digits) < 9 else 0
        if code in {9, 10, 13} or 0x20 <= code < 0x80:
            return reference[0]
        return chr(code) if code <= 0x10FFFF else ""

    return clean(_REFERENCE.sub(character, markup) if "&#" in markup else markup)


def _read_again(text: str) -> str:
    """Return `text` with the marks of _MISREAD as they were meant."""
    while "â" in text or "Ã¢" in text:
        again = _IS_MISREAD.sub(lambda found: _MISREAD[found[0]], text)
        if again == text:
            break
        text = again
    return text
