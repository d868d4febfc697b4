"""Bodies in several containers: an embed or an advertisement ends one box, and the text goes on in the next.

Readers that look for the one best box stop there. The boxes of one article are built alike: the same tags and
classes three levels up. Where the paragraphs found so far stand in boxes of one build, whole boxes of that
build in which nothing was found are added in their place.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from aggregator.text.limits import TextRules
from aggregator.text.lines import count_words

_LEVELS = 3
_KEY_CHARS = 50
_MARKS = re.compile(r"[\W_]+")


class _Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    key: str
    words: int
    box: int  # number of the element it stands in
    build: tuple[str, ...]


def gather(root: Any, text: str, rules: TextRules) -> str:
    """`text` (one paragraph a line) with what stands in further boxes of the same build; else as it was."""
    lines = [line for line in text.split("\n") if line]
    found = {_key(line) for line in lines}
    paragraphs = list(_paragraphs(root))
    build = _build_of(paragraphs, found, rules.box_share * count_words(text))
    if build is None:
        return text
    alike = [paragraph for paragraph in paragraphs if paragraph.build == build]
    read = {paragraph.box for paragraph in alike if paragraph.key in found}
    missing = sum(paragraph.words for paragraph in alike if paragraph.box not in read)
    if missing < rules.box_missing_share * count_words(text):
        return text
    return "\n".join(_merged(lines, alike, read))


def _build_of(
    paragraphs: Sequence[_Paragraph], found: set[str], least_words: float
) -> tuple[str, ...] | None:
    words: dict[tuple[str, ...], int] = {}
    for paragraph in paragraphs:
        if paragraph.key in found:
            words[paragraph.build] = words.get(paragraph.build, 0) + paragraph.words
    build = max(words, key=lambda build: (words[build], build), default=None)
    return build if build is not None and words[build] >= least_words else None


def _merged(lines: Sequence[str], alike: Sequence[_Paragraph], read: set[int]) -> Iterator[str]:
    """`lines` with the paragraphs of unread boxes after the line that goes before them on the page."""
    places = {_key(line): number for number, line in enumerate(lines)}
    added: dict[int, list[str]] = {}
    place = -1
    for paragraph in alike:
        if paragraph.box in read:
            place = max(place, places.get(paragraph.key, place))
        else:
            added.setdefault(place, []).append(paragraph.text)
    yield from added.get(-1, ())
    for number, line in enumerate(lines):
        yield line
        yield from added.get(number, ())


def _paragraphs(root: Any) -> Iterator[_Paragraph]:
    boxes: dict[Any, int] = {}
    for element in root.iter("p"):
        text = " ".join(" ".join(element.itertext()).split())
        box = element.getparent()
        if text and box is not None:
            number = boxes.setdefault(box, len(boxes))
            yield _Paragraph(
                text=text, key=_key(text), words=count_words(text), box=number, build=_build(box)
            )


def _build(box: Any) -> tuple[str, ...]:
    levels = []
    for _ in range(_LEVELS):
        if box is None:
            break
        levels.append(f"{box.tag} {box.get('class') or ''}")
        box = box.getparent()
    return tuple(levels)


def _key(line: str) -> str:
    """By which a line is known again whatever became of its spaces and marks."""
    """By which a line is known again whatever became of its spaces and marks: its first letters."""
    return _MARKS.sub("", line[: 2 * _KEY_CHARS])[:_KEY_CHARS]
