"""The degrees of access to the texts of articles, and words as the excerpt limit counts them."""

import re
from typing import Literal

from aggregator.text.lines import UNSPACED

# "owner": everything; "all": whole articles, unless their publisher restricts them; "excerpt": the words allowed
Access = Literal["owner", "all", "excerpt"]

# The characters allowed for each word of `excerpt_words`; texts have 5 to 7, spaces included.
CHARS_A_WORD = 12
# A word is a run of at most 40 characters between spaces or punctuation: "al-Assad's" is three words, so that other
# ways to count find no more. Kana, Han, Thai, Lao, Khmer and Burmese are mostly written without spaces; in these
# scripts and in Hangul, two characters count as one word.
_UNSPACED = f"{UNSPACED}\uac00-\ud7af"
_PUNCTUATION = r"""\-‐‑‒–—―'’‘ʼ"“”„«»‹›/\\.,:;…·•!?¡¿&+@#_=|~*()\[\]{}<>،؛؟۔।"""
_WORD = re.compile(
    rf"[{_UNSPACED}]{{1,2}}|[^\s{_PUNCTUATION}{_UNSPACED}]{{1,40}}|(?<!\S)[{_PUNCTUATION}]{{1,40}}(?!\S)"
)


def count_words(text: str) -> int:
    """Return the number of words for `excerpt_words`: at least one for each CHARS_A_WORD characters."""
    return max(sum(1 for _ in _WORD.finditer(text)), -(-len(text) // CHARS_A_WORD))


def first_words(text: str, words: int) -> str:
    """Return at most `words` words of `text`; an ellipsis marks a cut."""
    if len(text) < 2 * words and text.isascii():
        # A word and the space or punctuation after it take at least two characters.
        return text
    end, limit = 0, CHARS_A_WORD * words
    for number, match in enumerate(_WORD.finditer(text)):
        if number == words or match.end() > limit:
            break
        end = match.end()
    else:
        if len(text) <= limit:
            return text
    return text[:end].rstrip(" ,;:–—-") + " …" if end else ""
