"""Words as full-text search keeps them: the same on every database, whatever tokenizer it has.

Folded (case, width, accents, Arabic letters and articles). Scripts that write without spaces between words
are kept as pairs of characters: 台北發生地震 is 台北 北發 發生 生地 地震 and, for phrases that go on behind
it, its last character 震. So any two characters or more of it are found, and hardly anything else
(FTS5's own tokenizers do not find 地震 there). Korean is kept that way too: its particles cling to words.
"""

import re
import unicodedata
from collections.abc import Iterable

# Thai, Lao, Myanmar, Hangul, Khmer, kana, Han; the halves of width that fold to them.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3131-\u318e\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff66-\uffdc\U00020000-\U0002fa1f"
)
WORD = re.compile(rf"[{_UNSPACED}\u3099\u309a]+|[^\W_{_UNSPACED}]+")
_UNSPACED_FIRST = re.compile(rf"[{_UNSPACED}\u3099\u309a]")
_VOICED = frozenset("\u3099\u309a")  # the marks that tell ガ from カ and パ from ハ: not accents
_ARABIC = re.compile("[\u0600-\u06ff]")
_ARABIC_LETTERS = str.maketrans(
    "ٱىةیکہھ" + "٠١٢٣٤٥٦٧٨٩" + "۰۱۲۳۴۵۶۷۸۹", "اي" + "هيكهه" + "0123456789" * 2, "\u0640"
)
# و and, ف so, ب in, ك like, ل for, each before the article ال; two letters at least are left of a word.
_ARABIC_ARTICLE = re.compile("(?:[وف]?[بك]?ال|[وف]?لل)(?=..)")
_MAX_WORD = 64  # characters; what is longer is no word that anybody searches for


def search_words(text: str) -> list[str]:
    """The words of `text` in their order; a run of characters without spaces is one of them."""
    found: list[str] = WORD.findall(_folded(text))
    if text.isascii():
        return [word[:_MAX_WORD] for word in found]
    if _ARABIC.search(text):
        found = [_without_article(word) if _ARABIC.match(word) else word for word in found]
    return [word if len(word) <= _MAX_WORD or is_unspaced(word) else word[:_MAX_WORD] for word in found]


def index_words(text: str) -> list[str]:
    """The words of `text` as they stand in the index, at places that follow each other."""
    found = search_words(text)
    return found if text.isascii() else in_index(found)


def in_index(words: Iterable[str], *, whole: bool = True) -> list[str]:
    """Words as `search_words` gives them, as the index has them.

    `whole`: with the last character of a last run, which ends there. A phrase that may go on has it not.
    """
    kept: list[str] = []
    run = ""
    for word in words:
        if run:
            kept.append(run[-1])
        run = word if is_unspaced(word) else ""
        kept += [run[at : at + 2] for at in range(len(run) - 1)] if run else [word]
    if run and (whole or len(run) == 1):
        kept.append(run[-1])
    return kept


def is_unspaced(word: str) -> bool:
    """Whether `word` is a run of a script that writes without spaces."""
    return not word.isascii() and _UNSPACED_FIRST.match(word) is not None


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    if folded.isascii():
        return folded
    return unicodedata.normalize("NFC", folded.translate(_BARE))


class _BareLetters(dict[int, int | None]):
    """Letters without what is written onto them, each worked out once."""

    def __missing__(self, letter: int) -> int | None:
        is_accent = unicodedata.combining(chr(letter)) and chr(letter) not in _VOICED
        self[letter] = bare = None if is_accent else _ARABIC_LETTERS.get(letter, letter)
        return bare


_BARE = _BareLetters()


def _without_article(word: str) -> str:
    if word.endswith("لله"):  # God: what would be left, "له", is "to him"
        return word
    while article := _ARABIC_ARTICLE.match(word):
        word = word[article.end() :]
    return word
