"""Properties of a line of text: number of words, whether it is a sentence, equality of two lines."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# Scripts without spaces: Thai, Lao, Burmese, Khmer; kana, Han. Only the basic plane is here, because a character
# beyond it makes a search ten times slower.
CLUSTERED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
UNSPACED = f"{CLUSTERED}\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNSPACED = re.compile(f"[{UNSPACED}]")
_CLOSING = "\"'”’»›“‘)]）」』 "
_FULL_STOPS = (".", "…", "。", "।", "۔", "｡", "။", "។", "៕", "።", "։")
_SENTENCE_ENDS = (*_FULL_STOPS, "!", "?", "！", "？", "؟", "፧")
_WORD = re.compile(r"\w+")
_TYPOGRAPHIC = "’“”—–‘\xa0…«»•©„"  # the most frequent first
# Letters, digits and "_" become lower case, and all other characters become spaces
_FOLDED_WORDS = bytes(
    ord(chr(at).lower()) if chr(at).isalnum() or at == 95 else 32 for at in range(128)
).ljust(256)
ASCII_WORDS = _FOLDED_WORDS.replace(b"_", b" ")  # "_" becomes a space, too
_ASCII_MARKS = bytes(at for at in range(128) if not chr(at).isalnum())
_MARKS = re.compile(r"[\W_]+")

_KEPT_CHARS = 2_000  # the results for longer lines are not cached
_PARTICLE = re.compile(r"(?:de|da|di|del|van|von|der|den|al|el|bin|la|le|dos|du|ten)")


def word_set(words: str) -> frozenset[str]:
    """Return the words of a list that is written with spaces between them."""
    return frozenset(words.split())


def word_list(words: str) -> tuple[str, ...]:
    """Return the words of a list that is written with spaces between them, in order."""
    return tuple(words.split())


def word_table(lines: str) -> dict[str, str]:
    """Return the first word of a line by each further word of that line."""
    table: dict[str, str] = {}
    for line in lines.strip().split("\n"):
        first, *words = line.split()
        table |= dict.fromkeys(words, first)
    return table


def one_line(text: str) -> str:
    """Return `text` with runs of spaces and line ends collapsed to a space, and stripped."""
    return " ".join(text.split())


def ascii_text(text: str) -> bytes | None:
    """Return `text` in ASCII, with "?" for typographic punctuation; None if it has other characters.

    Look-ups and splits of bytes are several times as fast as regular expressions.
    """
    for mark in _TYPOGRAPHIC:
        if text.isascii():
            break
        text = text.replace(mark, "?")
    return text.encode() if text.isascii() else None


def combining_marks(end: int) -> str:
    """Return the combining marks below `end` and the joiners inside words, for a character class."""
    signs = map(chr, range(0x300, end))
    marks = [sign for sign in signs if unicodedata.category(sign) in {"Mn", "Mc"}]
    return "".join((*marks, "\u200c\u200d"))


def count_words(text: str) -> int:
    """Return the number of words between spaces; in scripts without spaces, two characters count as a word."""
    return _line_words(text) if len(text) <= _KEPT_CHARS else _count_words(text)


def has_words(text: str, least: int) -> bool:
    """Return whether `text` has at least `least` words; only the first words of a long text are split."""
    return len(text.split(None, least - 1)) >= least or count_words(text) >= least


def _count_words(text: str) -> int:
    if ascii_text(text) is not None or not _UNSPACED.search(text):
        return len(text.split())
    rest, characters = _UNSPACED.subn(" ", text)
    return len(rest.split()) + (characters + 1) // 2


_line_words = lru_cache(maxsize=512)(_count_words)  # many rules check the same lines


def ends_sentence(line: str) -> bool:
    """Return whether the line ends a sentence, ignoring closing quotation marks and brackets."""
    return line.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def is_prose(line: str) -> bool:
    """Return whether the line is a paragraph, and not a headline, a heading, a byline or a label.

    A line of at least 25 words is a paragraph. So is a line of at least 6 words that ends with a full stop; headlines
    may end with ? or !.
    """
    return has_words(line, 25) or (
        line.rstrip(_CLOSING).endswith(_FULL_STOPS) and has_words(line, 6)
    )


def first_prose(lines: Iterable[str], default: int) -> int:
    """Return the index of the first paragraph, or `default` if there is none."""
    return next((at for at, line in enumerate(lines) if is_prose(line)), default)


def is_name_like(line: str) -> bool:
    """Return whether the line is two to four capitalised words, like a person's name.

    Particles such as "de" count as words of a name, but words in capitals do not.
    """
    words = line.split()
    if not 2 <= len(words) <= 4 or len(line) > 40:
        return False
    for word in words:
        plain = re.sub("[-'’]", "", word).rstrip(".")
        is_name = plain.isalpha() and plain[0].isupper()
        is_in_capitals = len(plain) > 1 and plain.isupper()
        if not _PARTICLE.fullmatch(word) and (is_in_capitals or not is_name):
            return False
    return True


def letters_of(text: str) -> str:
    """Return `text` without spaces and punctuation."""
    plain = ascii_text(text)
    if plain is None:
        return _MARKS.sub("", text)
    return plain.translate(None, _ASCII_MARKS).decode()


def same_line(a: str, b: str) -> bool:
    """Return whether two lines are equal, ignoring case, accents and punctuation."""
    if len(a) > 2 * len(b) + 20 or len(b) > 2 * len(a) + 20:
        return False  # punctuation and accents never make up that much
    return fold_line(a) == fold_line(b)


def fold_line(line: str) -> str:
    """Return the words of a line in lower case, without accents and punctuation."""
    return _folded_line(line) if len(line) <= _KEPT_CHARS else _fold(line)


def _fold(line: str) -> str:
    plain = ascii_text(line)
    if plain is not None:
        return b" ".join(plain.translate(_FOLDED_WORDS).split()).decode()
    folded_line = unicodedata.normalize("NFKD", line.casefold())
    for mark in filter(unicodedata.combining, set(folded_line)):
        folded_line = folded_line.replace(mark, "")
    return " ".join(_WORD.findall(folded_line))


_folded_line = lru_cache(maxsize=512)(_fold)
