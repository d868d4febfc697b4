"""Lines that are links: teasers of other articles inside a text, and pages that hold nothing else."""

import re
from typing import Any

import msgspec

from aggregator.extract.limits import TextRules
from aggregator.extract.lines import count_words, ends_sentence

_MARKS = re.compile(r"[\W_]+")


class Unlinked(msgspec.Struct, frozen=True):
    """A text without its teasers; `share` of its words stood in lines that are links, 0 to 1."""

    text: str
    words: int  # before
    share: float


def without_teasers(root: Any, text: str, rules: TextRules) -> Unlinked:
    """`text` (one paragraph a line) without the lines that are, from end to end, a link on the page `root`.

    Lines that end a sentence stay, and so do those of a few words, unless they stand above or below all
    others, as menus and tags do: names and sources are linked, too.
    """
    links = {_letters(link.text_content()) for link in root.iter("a")}
    lines = text.split("\n")
    is_link = [_letters(line) in links and not ends_sentence(line) for line in lines]
    first = next((n for n, is_one in enumerate(is_link) if not is_one), len(lines))
    last = next((n for n in range(len(lines) - 1, -1, -1) if not is_link[n]), -1)
    words = list(map(count_words, lines))
    linked = sum(
        count
        for count, line in zip(words, lines, strict=True)
        if _letters(line) in links and count >= rules.teaser_words
    )
    kept = [
        line
        for n, line in enumerate(lines)
        if not is_link[n] or (words[n] < rules.teaser_words and first < n < last)
    ]
    return Unlinked("\n".join(kept), sum(words), linked / (sum(words) or 1))


def _letters(line: str) -> str:
    return _MARKS.sub("", line)
