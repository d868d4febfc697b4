"""Text to tokens: words and their stems, names, numbers; aware of the language where that changes something.

One scan by one regular expression finds words and numbers; what a word becomes (stem, hash, document
frequency) is looked up in a memo by language, so a stemmer sees each word once. The memo is derived: results
never depend on it.

Each token becomes one integer, a *code*: hash, document frequency above it, and on top a mark for tokens that
say a number; SILENT for a stop word. So one `numpy.unique` counts an article's terms and carries along what
their weights need.
"""

import re
from typing import Final

import Stemmer
import xxhash

from aggregator.dedup.background import ANY_LANGUAGE, Background, Kind
from aggregator.dedup.packed import HASH_BITS
from aggregator.dedup.stopwords import stop_words

HASH_MASK: Final = (1 << HASH_BITS) - 1
SILENT: Final = -1
_DF_BITS: Final = 24
DF_MASK: Final = (1 << _DF_BITS) - 1
NUMBER: Final = 1 << HASH_BITS + _DF_BITS  # codes from here on say a number ("72,000", "two")
_MEMO_LIMIT: Final = 50_000  # tokens a language; about 6 MB. When full the memo starts anew
_LONGEST_TOKEN: Final = 64  # characters; what is longer is no word, its beginning stands for it

# Scripts that put no space between words: pairs of neighbouring characters stand for words.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
)
_UNSPACED_RUN: Final = re.compile(f"[{_UNSPACED}]+")
# A word, or a number with its separators; "12th" and "3-year" are words.
_TOKEN: Final = re.compile(r"[^\W\d_][\w'’-]*|\d(?:[\d.,]*\d(?![\w-])|[\w'’-]*)")

_UPPER: Final = "".join(
    re.escape(c) for c in map(chr, [*range(0x590), *range(0x1E00, 0x2000)]) if c.isupper()
)
# A name: a run of capitalised words after a lower-case letter, comma, semicolon or closing quote, so not at
# the start of a sentence, where every word has a capital. What stands before is looked at second, so that the
# scan skips to capitals: four times as fast.
_NAME: Final = re.compile(rf"[{_UPPER}](?<=[^\W\d_{_UPPER}] .|[,;\"”’»] .)[\w'’-]*(?: [{_UPPER}][\w'’-]*)*")

_SNOWBALL: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "ne": "nepali", "nb": "norwegian", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
# Where no spaces are written; a text of unknown language may be one of them.
_WITHOUT_SPACES: Final = frozenset({"zh", "ja", "th", "km", "lo", "my", "yue", "wuu", "und"})
# Languages that tie short words to the next one with an apostrophe: l'Iran, dell'Iran.
_ELIDING: Final = frozenset({"fr", "it", "ca", "ga"})
# Languages that write every noun with a capital: only a run of two or more is a name there.
_CAPITAL_NOUNS: Final = frozenset({"de", "lb"})
_NUMBER_WORDS: Final = {
    "en": "two three four five six seven eight nine ten eleven twelve",
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "it": "due tre quattro cinque sei sette otto nove dieci undici dodici",
    "pt": "dois três quatro cinco seis sete oito nove dez onze doze",
    "nl": "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "ru": "два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
}
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")


def primary_tag(language: str | None) -> str:
    """ "en" for "en", "en-GB" and "EN_us"; "und" for an unknown language."""
    tag = re.split(r"[-_]", (language or "").strip().lower(), maxsplit=1)[0]
    return tag if tag.isalpha() and tag.isascii() and 2 <= len(tag) <= 3 else "und"


def _pairs(token: str) -> list[str]:
    if _UNSPACED_RUN.match(token) is None or len(token) < 3:
        return [token]
    return [token[i : i + 2] for i in range(len(token) - 1)]


def plain_number(token: str) -> str:
    """The number without thousands separators: "72,000" and "1.250.000" lose them, "7.4" keeps its point."""
    if _THOUSANDS.fullmatch(token) is None:
        return token.replace(",", ".")
    return token.replace(",", "") if "," in token else token.replace(".", "")


class Lexicon(dict[str, int]):
    """Token -> code for one language; fills itself. Keys are tokens as they stand in the text."""

    def __init__(self, language: str, background: Background) -> None:
        super().__init__()
        self.language = language
        self.elides = language in _ELIDING
        self.capital_nouns = language in _CAPITAL_NOUNS
        self._stops = stop_words(language)
        algorithm = _SNOWBALL.get(language)
        self._stemmer = Stemmer.Stemmer(algorithm, 0) if algorithm else None
        words = _NUMBER_WORDS.get(language, "").split()
        self._small = {word: str(number) for number, word in enumerate(words, start=2)}
        self._has_spaces = language not in _WITHOUT_SPACES
        self._background = background
        self._memo: dict[tuple[Kind, str], int] = {}

    def __missing__(self, token: str) -> int:
        code = self._word_code(token)
        if len(self) >= _MEMO_LIMIT:
            self.clear()
        if len(token) <= _LONGEST_TOKEN:
            self[token] = code
        return code

    def stem(self, token: str) -> str:
        """The stem that stands for `token`; "" for a stop word and for a lone letter."""
        word = token[:_LONGEST_TOKEN].lower().replace("’", "'").rstrip("'-")
        if word in self._stops:
            return ""
        if self.elides and "'" in word:
            word = word.rpartition("'")[2]
        elif word.endswith("'s"):
            word = word[:-2]
        if word in self._stops or (len(word) < 2 and not _UNSPACED_RUN.match(word)):
            return ""
        if word[:1].isdigit():
            return plain_number(word)
        return str(self._stemmer.stemWord(word)) if self._stemmer else word

    def number(self, token: str) -> str | None:
        """The number that `token` says ("two" says "2"), None for every other word."""
        if token[0].isdigit():
            return plain_number(token)
        return self._small.get(token.lower())

    def tokens(self, text: str, limit: int) -> list[str]:
        """Words, numbers and (where no spaces are written) pairs of characters, in order; at most `limit`."""
        # A word is rarely longer than 12 characters: this bounds the scan of a huge text, not a normal one.
        tokens: list[str] = _TOKEN.findall(text[: limit * 12])
        if not self._has_spaces:
            tokens = [piece for token in tokens for piece in _pairs(token)]
        return tokens[:limit]

    def code(self, kind: Kind, term: str) -> int:
        """The code of a name, a number or a number with its unit: these belong to no language."""
        known = self._memo.get((kind, term))
        if known is None:
            known = _code(kind, ANY_LANGUAGE, term, self._background)
            if len(self._memo) >= _MEMO_LIMIT:
                self._memo.clear()
            self._memo[kind, term] = known
        return known

    def names(self, text: str) -> list[str]:
        """The names in `text`, lower-case, as often as they occur."""
        found = [name.lower().replace("’", "'").removesuffix("'s") for name in _NAME.findall(text)]
        return [name for name in found if " " in name] if self.capital_nouns else found

    def _word_code(self, token: str) -> int:
        stem = self.stem(token)
        if not stem:
            return SILENT
        mark = NUMBER if self.number(token) is not None else 0
        return mark | _code("w", self.language, stem, self._background)


def _code(kind: Kind, language: str, term: str, background: Background) -> int:
    term = term[:_LONGEST_TOKEN]
    df = background.table(kind, language).get(term, 0)
    hashed: int = xxhash.xxh3_64_intdigest(f"{kind}:{language}:{term}".encode())
    return min(df, DF_MASK) << HASH_BITS | hashed & HASH_MASK
