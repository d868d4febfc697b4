"""Phrases of many languages that mark boilerplate lines (phrases.yaml).

A line is compared by its `words`, which have no case, punctuation or accents of Latin letters. In Chinese, Japanese
and Korean each character is a word. Every check takes time linear in the length of the line.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Set
from functools import cache, lru_cache
from itertools import chain

from aggregator.config.shipped import ShippedTable
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import ASCII_WORDS, ascii_text

Words = tuple[str, ...]

_WIDE = re.compile("([\u3005\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af])")
_DROPPED = re.compile(
    "[\u0300-\u036f\u064b-\u0655\u0670\u0640\u0591-\u05c7\u200b\u200d-\u200f\u2060\ufeff]"
)
_LETTERS = {
    "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th",
    "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ی": "ي", "ې": "ي", "ك": "ک", "ة": "ه", "ۀ": "ه", "ؤ": "و",
    "।": " ", "॥": " ", "・": " ", "_": " ",
}  # fmt: skip
_TRANSLATED = str.maketrans(_LETTERS)
# \w does not match the vowel signs of Indic scripts and Thai
_BREAKS = re.compile(r"[^\w\u0900-\u0dff\u0e00-\u0e7f]+")
_MARK = re.compile(
    r"\s?[:|»›>•\]】］》=→]|\s[-–—](?=\s)|(?<=[^\W\d_])-(?=\s)|(?<=[\u0900-\u0dff])-(?=\s)"
)
# Each mark has one of these signs, so a line without them needs no slow search
_MARK_SIGN = re.compile(r"[:|»›>•\]】］》=→\-–—：｜]")
_OPENING = "[【（(《「［<›»>•–—- "
# The mark after a label is searched in this many characters at the beginning of a line
_MARK_CHARS = 80
# A label has at most this many words before its mark
_LABEL_WORDS = 8
_LINE_CHARS = 700  # longer lines are not compared


PhraseTable = dict[str, dict[str, tuple[str, ...]]]  # phrases by kind and language


class Phrases(FrozenStruct):
    """The phrases of one kind in all languages."""

    whole: frozenset[Words]
    # For each first word of a phrase, the numbers of words of the phrases that begin with it, in descending order
    lengths: Mapping[str, tuple[int, ...]]
    # The longest word of each phrase. Few lines have one of these words, so most lines are ruled out at once.
    longest: frozenset[str]

    def has(self, line: Words) -> bool:
        """Return whether the whole line is a phrase."""
        return line in self.whole

    def at(self, line: Words, place: int = 0) -> int:
        """Return the number of words of the longest phrase in `line` at `place`; 0 for none."""
        left = len(line) - place
        for length in self.lengths.get(line[place], ()) if left > 0 else ():
            if length <= left and line[place : place + length] in self.whole:
                return length
        return 0

    def occurs_in(self, line: Words) -> bool:
        """Return whether a phrase occurs anywhere in the line."""
        if self.longest.isdisjoint(line):
            return False
        return any(
            self.at(line, place)
            for place, word in enumerate(line)
            if word in self.lengths
        )


PHRASES = ShippedTable("aggregator.extract", "phrases.yaml", PhraseTable)


@cache
def phrases(kind: str) -> Phrases:
    """Return the phrases of one kind in all languages."""
    whole = frozenset(
        filter(None, map(words, chain.from_iterable(PHRASES.content[kind].values())))
    )
    lengths: dict[str, set[int]] = {}
    for phrase in whole:
        lengths.setdefault(phrase[0], set()).add(len(phrase))
    return Phrases(
        whole=whole,
        lengths={
            first: tuple(sorted(counts, reverse=True))
            for first, counts in lengths.items()
        },
        longest=frozenset(max(phrase, key=len) for phrase in whole),
    )


@cache
def single_words(kind: str, part: str = "") -> frozenset[str]:
    """Return the single words of a kind; `part` restricts them to one language or part."""
    lists = PHRASES.content[kind]
    chosen = [lists[part]] if part else lists.values()
    listed = chain.from_iterable(chosen)
    return frozenset(chain.from_iterable(map(words, listed)))


def are_phrases(
    line: Words, kinds: Iterable[str], joints: Set[str] = frozenset()
) -> bool:
    """Return whether a line consists of phrases of these kinds and of `joints` after them; an empty line does."""
    tables = list(map(phrases, kinds))
    place = 0
    while place < len(line):
        step = max(table.at(line, place) for table in tables)
        if step == 0 and (place == 0 or line[place] not in joints):
            return False
        place += step or 1
    return True


def words(line: str) -> Words:
    """Return the words of `line` for comparison; () for a line that is too long to be boilerplate."""
    if len(line) > _LINE_CHARS:
        return ()
    return _words(line)


@lru_cache(maxsize=512)  # many rules check the same lines
def _words(line: str) -> Words:
    in_ascii = ascii_text(line)
    if in_ascii is not None:
        return tuple(in_ascii.translate(ASCII_WORDS).decode().split())
    plain = unicodedata.normalize(
        "NFKD", unicodedata.normalize("NFKC", line).casefold()
    )
    plain = unicodedata.normalize("NFC", _DROPPED.sub("", plain)).translate(_TRANSLATED)
    return tuple(
        _WIDE.sub(r" \1 ", _BREAKS.sub(" ", plain.replace("\u200c", " "))).split()
    )


def without_numbers(line: Words) -> Words:
    """Return the words of a line without the numbers at its ends, such as the count in "Comments (12)"."""
    start = 0
    end = len(line)
    while start < end and line[start].isnumeric():
        start += 1
    while end > start and line[end - 1].isnumeric():
        end -= 1
    return line[start:end]


def label_of(line: str) -> tuple[Words, str]:
    """Return the words of a label and the text after its mark; ((), "") if the line does not begin with a label."""
    plain = line.lstrip(_OPENING)
    if not _MARK_SIGN.search(plain, 0, _MARK_CHARS):
        return (), ""
    mark = _MARK.search(plain.replace("：", ":").replace("｜", "|"), 0, _MARK_CHARS)
    if mark is None:
        return (), ""
    label = without_numbers(words(plain[: mark.start()]))
    text_after = plain[mark.end() :].strip(" :|»›>•]】-–—")
    # A word of one character, as in Chinese, counts as half a word.
    is_label = 0 < sum(min(len(word), 2) for word in label) <= 2 * _LABEL_WORDS
    return (label, text_after) if is_label else ((), "")
