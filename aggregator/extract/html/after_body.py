"""What a reader took from behind the article: its box ended, and other boxes of the page follow.

The box of the article is the smallest that holds nearly all words found. What stands behind it, in a box of
another build, is about the outlet, the author or other articles.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from aggregator.extract.limits import TextRules
from aggregator.extract.lines import count_words

_TAGS = ("p", "li", "h2", "h3", "h4", "div", "blockquote", "td", "span", "section", "dd", "dt", "pre")
_CONTAINERS = frozenset({"div", "section", "td", "blockquote", "li", "dd"})
_LEVELS = 3
_KEY_CHARS = 50
_MARKS = re.compile(r"[\W_]+")


class _Place(msgspec.Struct, frozen=True):
    number: int  # in the order of the page
    element: Any
    above: tuple[Any, ...]  # from the element's box to the root


def without_what_follows(root: Any, text: str, rules: TextRules) -> str:
    """`text` (one paragraph a line) without the lines that stand behind the article's box on `root`."""
    lines = text.split("\n")
    words: dict[str, int] = {}
    for line in lines:
        words[_key(line)] = words.get(_key(line), 0) + count_words(line)
    words.pop("", None)
    places = _places(root, words)
    box = _box_of(words, places, rules.article_share)
    if box is None:
        return text
    inside = [place for found in places.values() for place in found if box in place.above]
    last = max(place.number for place in inside)
    builds = {_build(place) for place in inside}
    behind = {key for key, found in places.items() if _is_behind(found, box, last, builds)}
    return "\n".join(line for line in lines if _key(line) not in behind)


def _is_behind(found: list[_Place], box: Any, last: int, builds: set[tuple[str, ...]]) -> bool:
    return all(
        place.number > last and box not in place.above and _build(place) not in builds for place in found
    )


def _places(root: Any, wanted: Collection[str]) -> dict[str, list[_Place]]:
    found: dict[str, list[_Place]] = {}
    for number, element in enumerate(root.iter(*_TAGS)):
        if element.tag in _CONTAINERS and not (element.text or "").strip():
            continue  # what opens it is looked at for itself
        key = _opening_key(element)
        if key in wanted:
            found.setdefault(key, []).append(_Place(number, element, tuple(element.iterancestors())))
    return found


def _opening_key(element: Any) -> str:
    """The key of the element's text, of which no more is read than the key takes."""
    letters = ""
    for piece in element.itertext():
        letters += _MARKS.sub("", piece[: 4 * _KEY_CHARS])
        if len(letters) >= _KEY_CHARS:
            break
    return letters[:_KEY_CHARS]


def _box_of(lengths: Mapping[str, int], places: Mapping[str, list[_Place]], share: float) -> Any:
    """The deepest element that holds `share` of the words that were found on the page; None without any."""
    words: dict[Any, int] = {}
    depth: dict[Any, int] = {}
    for key, found in places.items():
        above = {box: len(place.above) - n for place in found for n, box in enumerate(place.above)}
        for box, level in above.items():
            words[box] = words.get(box, 0) + lengths[key]
            depth[box] = level
    total = sum(lengths[key] for key in places)
    enough = [box for box, count in words.items() if count >= share * total]
    return max(enough, key=depth.__getitem__, default=None)


def _build(place: _Place) -> tuple[str, ...]:
    return tuple(f"{box.tag} {box.get('class') or ''}" for box in place.above[:_LEVELS])


def _key(line: str) -> str:
    return _MARKS.sub("", line[: 4 * _KEY_CHARS])[:_KEY_CHARS]
