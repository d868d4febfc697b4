"""Bodies that are split into several elements by an embed or an advertisement, completed.

Extraction finds only the best element. The elements of one article have the same structure: the same tags and
classes on three levels. If the paragraphs found are in elements of one structure, then whole elements of that
structure without extracted paragraphs are added at their position.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Any

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import count_words, letters_of, one_line

_LEVELS = 3
KEY_CHARS = 50


class _Paragraph(FrozenStruct):
    text: str
    key: str
    words: int
    box: int  # number of its parent element
    build: tuple[str, ...]


def complete_body(root: Any, text: str, tuning: ExtractTuning) -> str:
    """Return `text` (one paragraph per line) with text of further elements of the same structure."""
    lines = list(filter(None, text.split("\n")))
    places = {line_key(line): number for number, line in enumerate(lines)}
    paragraphs = list(_paragraphs(root))
    build = _build_of(paragraphs, places, tuning.most_share * count_words(text))
    if build is None:
        return text
    similar = [paragraph for paragraph in paragraphs if paragraph.build == build]
    extracted_boxes = {
        paragraph.box for paragraph in similar if paragraph.key in places
    }
    # The texts to add after each line, by its number; -1: before the first
    added: dict[int, list[str]] = {}
    place = -1
    for paragraph in similar:
        if paragraph.box in extracted_boxes:
            place = max(place, places.get(paragraph.key, place))
        else:
            added.setdefault(place, []).append(paragraph.text)
    completed = added.get(-1, [])
    for number, line in enumerate(lines):
        completed += [line, *added.get(number, ())]
    return "\n".join(completed)


def _build_of(
    paragraphs: Sequence[_Paragraph], keys: Collection[str], least_words: float
) -> tuple[str, ...] | None:
    words: dict[tuple[str, ...], int] = {}
    for paragraph in paragraphs:
        if paragraph.key in keys:
            words[paragraph.build] = words.get(paragraph.build, 0) + paragraph.words
    build = max(words, key=lambda build: (words[build], build), default=None)
    return build if build is not None and words[build] >= least_words else None


def _paragraphs(root: Any) -> Iterator[_Paragraph]:
    boxes: dict[Any, int] = {}
    for element in root.iter("p"):
        text = one_line(element.text_content())
        box = element.getparent()
        if text and box is not None:
            number = boxes.setdefault(box, len(boxes))
            yield _Paragraph(
                text=text,
                key=line_key(text),
                words=count_words(text),
                box=number,
                build=structure_of(element),
            )


def structure_of(element: Any) -> tuple[str, ...]:
    """Return the tags and classes of the three elements around `element`."""
    return tuple(
        f"{box.tag} {box.get('class') or ''}"
        for box in islice(element.iterancestors(), _LEVELS)
    )


def line_key(line: str) -> str:
    """Return the first letters of a line, to compare lines regardless of spaces and punctuation."""
    return letters_of(line[: 4 * KEY_CHARS])[:KEY_CHARS]
