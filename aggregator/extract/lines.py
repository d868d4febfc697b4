"""What a line of text looks like: how many words, whether it is a sentence, whether two lines are one."""

import re
import unicodedata
from functools import lru_cache

_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_CLOSING = "\"'”’»›“‘)]）」』 "
_FULL_STOPS = (".", "…", "。", "।", "۔", "｡")
_SENTENCE_ENDS = (*_FULL_STOPS, "!", "?", "！", "？", "؟")
_WORD = re.compile(r"\w+")
_SPACES = re.compile(r"[^\S\n]+")
_KEPT_CHARS = 2_000  # of a line whose words and letters are remembered
_PARTICLE = re.compile(r"(?:de|da|di|del|van|von|der|den|al|el|bin|la|le|dos|du|ten)")


def one_space(text: str) -> str:
    """`text` with every run of spaces (no-break ones too) as one, none at either end; newlines stay."""
    return _SPACES.sub(" ", text).strip()


def count_words(text: str) -> int:
    """Words between spaces; in scripts without spaces two characters count as one."""
    return _line_words(text) if len(text) <= _KEPT_CHARS else _count_words(text)


def _count_words(text: str) -> int:
    if text.isascii() or _WIDE.search(text) is None:
        return len(text.split())
    wide = len(_WIDE.findall(text))
    return len(_WIDE.sub(" ", text).split()) + (wide + 1) // 2


_line_words = lru_cache(maxsize=512)(_count_words)  # every rule asks about the same lines


def ends_sentence(line: str) -> bool:
    """Whether the line's last character, quotation marks and brackets aside, ends a sentence."""
    return line.rstrip(_CLOSING).endswith(_SENTENCE_ENDS)


def is_prose(line: str) -> bool:
    """A paragraph and not a headline, a heading, a byline or a label.

    25 words always are; fewer when they end with a full stop (headlines may end in ? or !).
    """
    words = count_words(line)
    return words >= 25 or (words >= 6 and line.rstrip(_CLOSING).endswith(_FULL_STOPS))


def is_name_like(line: str) -> bool:
    """Two to four capitalised words and nothing else: a person's name, where one is expected."""
    words = line.split()
    if not 2 <= len(words) <= 4 or len(line) > 40:
        return False
    return all(_PARTICLE.fullmatch(word) or _is_name(word) for word in words)


def _is_name(word: str) -> bool:
    plain = word.replace("-", "").replace("'", "").replace("’", "").rstrip(".")
    return plain.isalpha() and plain[0].isupper() and (len(plain) == 1 or not plain.isupper())


def same_line(a: str, b: str) -> bool:
    """Whether two lines say the same, letter case, accents and marks aside."""
    if len(a) > 2 * len(b) + 20 or len(b) > 2 * len(a) + 20:
        return False  # marks and accents never make that much of a line
    return folded(a) == folded(b)


def folded(line: str) -> str:
    """Letters and digits alone, lower case, without accents."""
    return _folded_line(line) if len(line) <= _KEPT_CHARS else _folded(line)


def _folded(line: str) -> str:
    plain = line.casefold()
    if not plain.isascii():
        plain = unicodedata.normalize("NFKD", plain)
        for mark in filter(unicodedata.combining, set(plain)):
            plain = plain.replace(mark, "")
    return " ".join(_WORD.findall(plain))


_folded_line = lru_cache(maxsize=512)(_folded)
