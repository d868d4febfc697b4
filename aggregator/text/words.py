"""Words as full-text search keeps them: the same on every database, whatever tokenizer it has.

Folded (case, width, accents); characters of scripts that write without spaces are words of their own, so that
a phrase of them is found inside a longer one (FTS5's own tokenizers do not find 地震 in 台北發生地震).
"""

import re
import unicodedata

# Han, kana, Hangul-independent scripts without spaces, Thai, Lao, Khmer, Myanmar.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0002fa1f"
)
WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_MAX_WORD = 64  # characters; what is longer is no word that anybody searches for


def search_words(text: str) -> list[str]:
    """The words of `text` in their order."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(c for c in folded if not unicodedata.combining(c)) if not folded.isascii() else folded
    return [match[0][:_MAX_WORD] for match in WORD.finditer(unicodedata.normalize("NFC", bare))]
