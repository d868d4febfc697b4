"""Puts the name of the project or series before headlines that are only a version, a date or a number.

Code hosts title each entry of a project's releases with the bare version. "v2.4.1" says nothing in a list of
stories, and releases of six projects share all words of their headlines. So an entry with another name or
another version is another release, however much their notes are alike.
"""

import re
from functools import lru_cache
from itertools import dropwhile

from aggregator.text.calendar import month_spellings
from aggregator.text.lines import word_set

_WORD = re.compile(r"[^\W_]+")
_VERSION = re.compile(
    r"(?:v|r|rc|alpha|beta|b)?\d+(?:(?:v|rc|alpha|beta|a|b|dev|post|pre|st|nd|rd|th)\d*)*"
)
# Words of versions and of parts of a series do not name a project (chosen, in the languages of most feeds).
_PARTS = """
v ver version release released rel build update alpha beta rc pre preview dev final lts stable nightly hotfix
episode ep issue no nr number vol volume part folge ausgabe teil numéro épisode partie episodio número edición
capítulo numero puntata aflevering nummer avsnitt odcinek выпуск эпизод
"""
_PART_WORDS = frozenset(_PARTS.split())
# Words beside the version that do not tell releases apart.
_VAGUE_WORDS = word_set("v ver version release released rel final stable")
# A bare number may count victims. A release has a version of three parts or with a mark, a date, or a number after
# the word or sign of a part. A number with a point may be a share or a strength, so it is a version only after a
# name of one word.
_DECIMAL = re.compile(r"\d[._]\d+(?![\d\s]*%)")
_IS_NUMBERED = re.compile(
    rf"\d[._]\d+[._]\d|\b[vr]\d|\b(?:19|20)\d\d-\d|(?:\b(?:{'|'.join(_PARTS.split())})[ .:]*|[#№])\d+$",
    re.IGNORECASE,
)
# Longer names before a version are headlines that tell more than a release (chosen)
_NAME_WORDS = 3
_OF_RELEASES = re.compile(
    r"(?:(?:recent )?(?:release notes|releases|tags|changelog|commits) (?:from|of|for|to) )"
    r"|(?:(?<![ :·|-])[ :·|-]+(?:release notes|releases|tags|changelog))$",
    re.IGNORECASE,
)
# /owner/project/releases/tag/v1, /owner/project/-/releases/v1, /owner/project/tags/v1
_PROJECT_PATH = re.compile(
    r"https?://[^/]+/[^/]+/([^/]+)/(?:-/)?(?:releases|tags)(?:/|$)"
)


def named_title(title: str, outlet: str | None, url: str | None) -> str:
    """Return the title, with the name of its project before it if it is only a version, a date or a number.

    On a code host the path of the link has the project's name. Elsewhere `outlet`, the title of the feed, names it,
    such as "Release notes from loomkit".
    """
    words = list(map(str.lower, _WORD.findall(title)))
    is_sum = not title[:1].isalnum() and title[:1] not in "#("
    if not words or is_sum or not all(map(_is_part, words)):
        return title
    match = _PROJECT_PATH.match(url or "")
    project = (match.group(1) if match else "") or _OF_RELEASES.sub(
        "", outlet or ""
    ).strip()
    return f"{project} {title}" if project else title


def are_other_releases(title: str, other: str) -> bool:
    """Return whether both headlines are a name and a version, date or number, and one of these differs."""
    release = _release_of(title)
    other_release = _release_of(other)
    if release is None or other_release is None:
        return False
    (name, version), (other_name, other_version) = release, other_release
    return name.isdisjoint(other_name) or version != other_version


@lru_cache(maxsize=4096)  # an article is compared with many; about 1 MB
def _release_of(title: str) -> tuple[frozenset[str], tuple[str, ...]] | None:
    """Return the words of the name and those of the version after it; None for any other headline."""
    words = list(map(str.lower, _WORD.findall(title)))
    name = list(dropwhile(_is_part, reversed(words)))
    parts = words[len(name) :]
    version = tuple(
        part.removeprefix("v") for part in parts if part not in _VAGUE_WORDS
    )
    is_named = 0 < len(name) <= _NAME_WORDS and not any(map(str.isdigit, name))
    is_numbered = _IS_NUMBERED.search(
        title
    ) is not None or not month_spellings().isdisjoint(version)
    is_numbered = is_numbered or (len(name) == 1 and _DECIMAL.search(title) is not None)
    if (
        not is_named
        or not is_numbered
        or not any(part[-1].isdigit() for part in version)
    ):
        return None
    return frozenset(name), tuple(sorted(version))


def _is_part(word: str) -> bool:
    return (
        word in _PART_WORDS
        or word in month_spellings()
        or _VERSION.fullmatch(word) is not None
    )
