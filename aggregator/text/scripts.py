"""Word splitting in scripts without spaces, and numbers and joined signs of all scripts.

Chinese characters are split into the words of a list and, between them, into pairs of neighbours. Chinese is
split at its grammatical characters first; in Japanese, kana end a run of characters. A run of katakana is one word, and
hiragana is dropped as grammar. Thai, Lao, Khmer and Burmese are split into pairs of clusters (a consonant
with its vowels). Numerals are converted: 三百, 12万8000 and ３ become 300, 128000 and 3.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator

from aggregator.config.shipped import ShippedTable
from aggregator.text.lines import CLUSTERED, combining_marks, word_set
from aggregator.text.numbers import written_out

_HAN = "\u3005\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_UNSPACED = f"{_HAN}{_HIRAGANA}{_KATAKANA}{CLUSTERED}"
_KANA = re.compile(f"[{_HIRAGANA}{_KATAKANA}]")

# Lists of characters and words by purpose; chinese.yaml explains each.
CHINESE_LISTS = ShippedTable("aggregator.text", "chinese.yaml", dict[str, str]).content
EVERYDAY = frozenset(CHINESE_LISTS["everyday"])
_COUNTER_PAIRS = word_set(
    "公里 小时 分钟 美元 欧元 日元 亿元 万元 平方 公斤 小時 分鐘 カ月 か月 时许 以上 ドル ユーロ"
)
_SIMPLIFIED = str.maketrans(CHINESE_LISTS["traditional"], CHINESE_LISTS["simplified"])


def needs_splitting(text: str) -> bool:
    """Return whether the text has letters of other scripts than Latin, Greek and Cyrillic, or combining marks."""
    return _SPECIAL.search(text) is not None


# Combining marks, and the scripts from Hebrew and Arabic on; but not Greek, Cyrillic, Armenian, emoji or punctuation
_SPECIAL = re.compile(
    "[\u0300-\u036f\u0590-\u10ff\u1100-\u1dff\u3005-\u31ff\u3400-\uabff\uac00-\ud7ff\uf900-\ufdff"
    "\ufe70-\ufefc\uff10-\uffdc\U00020000-\U0003ffff]"
)


def simplify_chinese(text: str) -> str:
    """Return Chinese text with the most frequent traditional characters simplified."""
    return text.translate(_SIMPLIFIED)


def split_words(text: str, *, is_japanese: bool, known: frozenset[str]) -> list[str]:
    """Return words and numbers of a text in any script, in order.

    `known` has words in Chinese characters, which are split off before the rest becomes pairs. If nothing is found, for
    instance in a text of hiragana alone, all pairs of letters are returned.
    """
    text = written_out(unicodedata.normalize("NFKC", text))
    tokens = list(
        _split_runs(text, is_japanese or _KANA.search(text) is not None, known)
    )
    return tokens or list(filter(str.isalpha, _pairs(text)))


def _split_runs(text: str, is_japanese: bool, known: frozenset[str]) -> Iterator[str]:
    """Yield the words of each run of one script. The Chinese characters after a number begin with its counter."""
    number_end = -1
    for match in _any_token().finditer(text):
        kind = match.lastgroup
        token = match.group()
        if kind == "han":
            if match.start() == number_end:
                counter = 2 if token[:2] in _COUNTER_PAIRS else 1
                yield token[:counter]
                token = token[counter:]
            for run in [token] if is_japanese else _GRAMMAR_RUN.split(token):
                # Find the longest known words from left to right, and pairs of the characters between these words.
                start = at = 0
                while at < len(run):
                    length = next(
                        (
                            n
                            for n in range(_LONGEST_KNOWN, 1, -1)
                            if run[at : at + n] in known
                        ),
                        0,
                    )
                    if not length:
                        at += 1
                        continue
                    yield from _pair_unknown(run[start:at])
                    yield run[at : at + length]
                    start = at = at + length
                yield from _pair_unknown(run[start:])
        elif kind == "clustered":
            yield from _pairs(_CLUSTER.findall(token))
        elif kind != "hiragana":
            yield token
        number_end = match.end() if kind == "number" else -1


def _pair_unknown(run: str) -> Iterator[str]:
    """Yield pairs of neighbours in a run without known words, after splitting it at particles."""
    for part in _PARTICLE_RUN.split(run):
        yield from _pairs(part)


def _pairs(run: str | list[str]) -> Iterator[str]:
    if len(run) == 1:
        yield run[0]
    for i in range(len(run) - 1):
        yield run[i] + run[i + 1]


@functools.cache
def _any_token() -> re.Pattern[str]:
    inside = rf"(?:(?![{_UNSPACED}])[\w'’{combining_marks(0x10000)}-])"
    return re.compile(
        rf"(?P<han>[{_HAN}]+)|(?P<katakana>[{_KATAKANA}]+)|(?P<hiragana>[{_HIRAGANA}]+)"
        rf"|(?P<clustered>[{CLUSTERED}]+)"
        rf"|(?P<number>\d(?:[\d.,\u066b\u066c]*\d)?(?!{inside}))|(?P<word>[^\W_]{inside}*)"
    )


_LONGEST_KNOWN = 6  # characters of a known word
_PARTICLE_RUN = re.compile(f"[{CHINESE_LISTS['particles']}]+")
_GRAMMAR_RUN = re.compile(f"[{CHINESE_LISTS['grammar']}]+")
# A cluster: vowels before a letter, the letter, signs above, below and after it.
_CLUSTER = re.compile(
    "[\u0e40-\u0e44\u0ec0-\u0ec4]?[\u0e01-\u0e2e\u0e81-\u0eae\u1000-\u102a\u1780-\u17b3]"
    "[\u0e30-\u0e3a\u0e45-\u0e4e\u0eb0-\u0ebc\u0ec6-\u0ece\u102b-\u103e\u17b4-\u17d3]*"
)
