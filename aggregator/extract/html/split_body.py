"""Bodies in several containers: an embed or an advertisement ends one box, and the text goes on in the next.

Readers that look for the one best box stop there. The boxes of one article are built alike: the same tags and
classes three levels up. Where the paragraphs found so far stand in boxes of one build, whole boxes of that
build in which nothing was found are added in their place; and so is a paragraph of sentences that was passed
over between two that were found.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from aggregator.extract.limits import ExtractTuning
from aggregator.extract.lines import count_words, ends_sentence

_LEVELS = 3
_MOST_LINKED = 0.8
_PASSED_OVER = 100  # paragraphs looked at; each is searched for in the whole text
_PART_CHARS = 25
_KEY_CHARS = 50
_MARKS = re.compile(r"[\W_]+")


class _Paragraph(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    key: str
    parts: tuple[str, ...]  # of its letters: first, middle, last
    words: int
    is_prose: bool  # ends a sentence and is more than links
    box: int  # number of the element it stands in
    build: tuple[str, ...]


def gather(root: Any, text: str, tuning: ExtractTuning) -> str:
    """`text` (one paragraph a line) with what stands in further boxes of the same build; else as it was."""
    lines = [line for line in text.split("\n") if line]
    found = {_key(line) for line in lines}
    paragraphs = list(_paragraphs(root))
    words = count_words(text)
    build = _build_of(paragraphs, found, tuning.box_share * words)
    if build is None:
        return text
    alike = [paragraph for paragraph in paragraphs if paragraph.build == build]
    read = {paragraph.box for paragraph in alike if paragraph.key in found}
    missing = [number for number, paragraph in enumerate(alike) if paragraph.box not in read]
    if sum(alike[number].words for number in missing) < tuning.box_missing_share * words:
        missing = []
    added = {*missing, *_passed_over(alike, found, _MARKS.sub("", text), tuning)}
    return "\n".join(_merged(lines, alike, added)) if added else text


def _passed_over(
    alike: Sequence[_Paragraph], found: set[str], letters: str, tuning: ExtractTuning
) -> Iterator[int]:
    """Numbers of the paragraphs between the first and the last one found that no line of the text holds."""
    read = [number for number, paragraph in enumerate(alike) if paragraph.key in found]
    unread = (n for n in range(read[0], read[-1]) if alike[n].key not in found) if read else iter(())
    for number in islice(unread, _PASSED_OVER):
        paragraph = alike[number]
        is_long = paragraph.words >= tuning.repeated_words
        if is_long and paragraph.is_prose and not any(part in letters for part in paragraph.parts):
            yield number


def _build_of(
    paragraphs: Sequence[_Paragraph], found: set[str], least_words: float
) -> tuple[str, ...] | None:
    words: dict[tuple[str, ...], int] = {}
    for paragraph in paragraphs:
        if paragraph.key in found:
            words[paragraph.build] = words.get(paragraph.build, 0) + paragraph.words
    build = max(words, key=lambda build: (words[build], build), default=None)
    return build if build is not None and words[build] >= least_words else None


def _merged(lines: Sequence[str], alike: Sequence[_Paragraph], added: Collection[int]) -> Iterator[str]:
    """`lines` with the paragraphs `added` (numbers in `alike`) after the line that goes before them."""
    places = {_key(line): number for number, line in enumerate(lines)}
    behind: dict[int, list[str]] = {}
    place = -1
    for number, paragraph in enumerate(alike):
        if number in added:
            behind.setdefault(place, []).append(paragraph.text)
        else:
            place = max(place, places.get(paragraph.key, place))
    yield from behind.get(-1, ())
    for number, line in enumerate(lines):
        yield line
        yield from behind.get(number, ())


def _paragraphs(root: Any) -> Iterator[_Paragraph]:
    boxes: dict[Any, int] = {}
    for element in root.iter("p"):
        text = " ".join(element.text_content().split())
        box = element.getparent()
        if text and box is not None:
            number = boxes.setdefault(box, len(boxes))
            yield _Paragraph(
                text=text,
                key=_key(text),
                parts=_parts(_MARKS.sub("", text)),
                words=count_words(text),
                is_prose=ends_sentence(text) and _linked(element) <= _MOST_LINKED * len(text),
                box=number,
                build=_build(box),
            )


def _parts(letters: str) -> tuple[str, ...]:
    middle = max(0, len(letters) - _PART_CHARS) // 2
    return letters[:_PART_CHARS], letters[middle : middle + _PART_CHARS], letters[-_PART_CHARS:]


def _linked(paragraph: Any) -> int:
    """Characters of it that are links."""
    return sum(len(link.text_content()) for link in paragraph.iter("a"))


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
