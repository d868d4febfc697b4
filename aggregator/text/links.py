"""Lines that are links: teasers of other articles inside a text, and pages that hold nothing else."""

import re
from typing import Any

import msgspec

from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words, ends_sentence

_MARKS = re.compile(r"[\W_]+")


class Unlinked(msgspec.Struct, frozen=True):
    """A text without its teasers; `share` of its words stood in lines that are links, 0 to 1."""

    text: str
    words: int  # before
    share: float


def without_teasers(root: Any, text: str, rules: TextRules) -> Unlinked:
    """`text` (one paragraph a line) without the lines that are, from end to end, a link on the page `root`.

    Lines that end a sentence and those of a few words stay: names and sources are linked, too.
    """
    links = {_letters("".join(link.itertext())) for link in root.iter("a")}
    lines = text.split("\n")
    is_link = [_letters(line) in links and count_words(line) >= rules.teaser_words for line in lines]
    words = list(map(count_words, lines))
    linked = sum(count for count, is_one in zip(words, is_link, strict=True) if is_one)
    kept = [line for line, is_one in zip(lines, is_link, strict=True) if not is_one or ends_sentence(line)]
    return Unlinked("\n".join(kept), sum(words), linked / (sum(words) or 1))


def _letters(line: str) -> str:
    return _MARKS.sub("", line)
