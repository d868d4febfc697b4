"""Completes bodies that an embed or an advertisement splits into several elements.

Extraction finds only the best element. The elements of one article have the same structure: the same tags and
classes on three levels. If most of the extracted text is in elements of one structure, the elements of this structure
without any extracted paragraph are added at their position.
"""

from collections import Counter
from itertools import islice
from typing import Any

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.text.lines import count_words, letters_of, one_line

_LEVELS = 3
KEY_CHARS = 50


def complete_body(root: Any, text: str, tuning: ExtractTuning) -> str:
    """Return `text` (one paragraph per line) with the text of further elements of the same structure."""
    lines = list(filter(None, text.split("\n")))
    places = {line_key(line): number for number, line in enumerate(lines)}
    # The paragraphs (text, key, parent element) and the number of extracted words by structure
    paragraphs: dict[tuple[str, ...], list[tuple[str, str, Any]]] = {}
    words: Counter[tuple[str, ...]] = Counter()
    for element in root.iter("p"):
        paragraph = one_line(element.text_content())
        box = element.getparent()
        if paragraph and box is not None:
            structure = structure_of(element)
            key = line_key(paragraph)
            paragraphs.setdefault(structure, []).append((paragraph, key, box))
            if key in places:
                words[structure] += count_words(paragraph)
    most = max(words, key=lambda structure: (words[structure], structure), default=None)
    if most is None or words[most] < tuning.most_share * count_words(text):
        return text
    extracted_boxes = {box for _, key, box in paragraphs[most] if key in places}
    # The texts to add after each line, by the number of the line; -1 stands for the place before the first line
    added: dict[int, list[str]] = {}
    place = -1
    for paragraph, key, box in paragraphs[most]:
        if box in extracted_boxes:
            place = max(place, places.get(key, place))
        else:
            added.setdefault(place, []).append(paragraph)
    completed = added.get(-1, [])
    for number, line in enumerate(lines):
        completed += [line, *added.get(number, ())]
    return "\n".join(completed)


def structure_of(element: Any) -> tuple[str, ...]:
    """Return the tags and classes of the three elements around `element`."""
    return tuple(
        f"{box.tag} {box.get('class') or ''}"
        for box in islice(element.iterancestors(), _LEVELS)
    )


def line_key(line: str) -> str:
    """Return the first letters of a line, to compare lines regardless of spaces and punctuation."""
    return letters_of(line[: 4 * KEY_CHARS])[:KEY_CHARS]
