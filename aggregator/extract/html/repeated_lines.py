"""Lines that say again what is known: the headline, in other pieces; a paragraph a second time."""

import re
from collections.abc import Iterable

from aggregator.extract.limits import TextRules
from aggregator.extract.lines import count_words

_MARKS = re.compile(r"[\W_]+")
_HEAD_LINES = 6  # a repeated headline stands above the text


def without_repeats(text: str, headlines: Iterable[str], rules: TextRules) -> str:
    """`text` (one paragraph a line) without repeated headlines and without paragraphs that stood before.

    Letters alone are compared, since a topic and a headline are often glued together: "EuropeRain expected".
    """
    known = {letters for letters in map(_letters_of_line, headlines) if letters}
    seen: set[str] = set()
    kept = []
    for number, line in enumerate(text.split("\n")):
        letters = _letters_of_line(line)
        is_headline = number < _HEAD_LINES and letters in known
        is_again = letters in seen and not line.startswith("|") and count_words(line) >= rules.repeated_words
        if not (is_headline or is_again):
            kept.append(line)
        seen.add(letters)
    return "\n".join(kept)


def _letters_of_line(line: str) -> str:
    return _MARKS.sub("", line).casefold()
