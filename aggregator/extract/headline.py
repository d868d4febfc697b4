"""Headlines without the words of their outlet, and with the name of the project whose release they number.

The name of an outlet at either end and labels such as "Watch live:" say nothing about the event, and they are the
same in all headlines of an outlet.

Code hosts give each release of a project its bare version as a title. "v2.4.1" means nothing in a list of stories, and
releases of different projects can have the same title. So the name of the project is added, and entries whose names
or versions differ are different releases, however similar their notes are.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import dropwhile

from aggregator.text.calendar import month_spellings
from aggregator.text.lines import count_words, fold_line, word_set

# Labels that sell a headline or tell how it is shown (chosen, in the languages of most feeds).
_LABELS = """
exclusive|breaking(?: news)?|just in|scoop|news alert|(?:watch|see)(?: it)?(?: live| now)?|live video|videos?|
livestream|exklusiv|eilmeldung|eil|live ansehen|jetzt live|im video|exclusif|urgent|alerte info|vidéo|en images|
(?:regardez|suivez|voir) en direct|exclusiv[ao]|urgente|vídeo|(?:vea|mire|mira|ver|sigue) en vivo|esclusiv[ao]|
ultim['’]ora|guarda(?: in diretta| live)?|(?:assista|veja)(?: ao vivo)?|exclusief|kijk(?: live)?|exklusivt|pilne|
wideo|(?:oglądaj|zobacz)(?: na żywo)?|son dakika|özel|canlı izle|срочно|молния|эксклюзив|видео|смотрите|прямой эфир|
عاجل|حصري|فيديو|شاهد(?: مباشر)?|独家|獨家|快讯|快訊|视频|影片|突发|速報|独自|動画|独占
""".replace("\n", "")
_MARK = r"\s*(?:[:：|｜]|\s[-–—]|[-–—](?=\s))\s*"
_LABEL = re.compile(
    rf"\W*+(?:(?P<name>[^:：|｜–—]{{2,40}}?)['’]?s?\s+)?(?:{_LABELS}){_MARK}|[\[(【](?:{_LABELS})[\])】]\s*",
    re.IGNORECASE,
)
_ENDS = re.compile(
    r"(?<!\s)\s++[|\-–—•»·]+\s+|(?:(?<!\s)\s++)?[|｜]\s*|(?<!\s)\s++::\s+"
)
# The name of an outlet stays if fewer words would remain
_LEAST_WORDS = 2
# A section or programme after the outlet's name has at most this many words: "Newsdesk TV Live Coverage"
_WORDS_BESIDE = 3


def plain_headline(title: str, names: Iterable[str]) -> str:
    """Return a headline without the additions of its outlet; `names` are those of the outlet and its site."""
    known = {key for name in names if len(key := fold_line(name).replace(" ", "")) > 1}
    while True:
        plain = title
        # A label at its beginning, with the name of the outlet or without it
        label = _LABEL.match(plain)
        if (
            label is not None
            and count_words(plain[label.end() :]) >= _LEAST_WORDS
            and (not label["name"] or _is_of_outlet(label["name"], known))
        ):
            plain = plain[label.end() :]
        # The outlet's name, perhaps with a section after it, at the end or the beginning
        breaks = list(_ENDS.finditer(plain))
        if breaks:
            first = breaks[0]
            last = breaks[-1]
            for name, headline in (
                (plain[last.end() :], plain[: last.start()]),
                (plain[: first.start()], plain[first.end() :]),
            ):
                is_headline = count_words(headline) >= _LEAST_WORDS
                if is_headline and _is_of_outlet(name, known):
                    plain = headline.strip()
                    break
        if plain == title:
            return title
        title = plain


def _is_of_outlet(text: str, names: set[str]) -> bool:
    """Return whether a text is a name of the outlet, alone or followed by the few words of a section."""
    spelt = ""
    for place, word in enumerate(words := fold_line(text).split(), start=1):
        spelt += word
        if spelt in names:
            return len(words) - place <= _WORDS_BESIDE
    return False


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
# A bare number may count victims, so a release needs a version of three parts or with a letter ("v2"), a date, or a
# number after a word or sign for parts ("part 3", "#12"). A number with a point may be a share or a magnitude, so it is
# a version only after a name of one word.
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
    """Return the title, preceded by the name of its project if the title is only a version, a date or a number.

    On a code host, the path of the link has the project's name. Elsewhere, the name is taken from `outlet`, the title
    of the feed, such as "Release notes from loomkit".
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
    """Return whether two headlines name different releases.

    Both must consist of a name and a version, date or number. The versions differ, or the names share no word.
    """
    release = _release_of(title)
    other_release = _release_of(other)
    if release is None or other_release is None:
        return False
    (name, version), (other_name, other_version) = release, other_release
    return name.isdisjoint(other_name) or version != other_version


@lru_cache(maxsize=4096)  # an article is compared with many; about 1 MB
def _release_of(title: str) -> tuple[frozenset[str], tuple[str, ...]] | None:
    """Return the words of the name and of the version after the name; None if the headline is not of this form."""
    words = list(map(str.lower, _WORD.findall(title)))
    name = list(dropwhile(_is_part, reversed(words)))
    parts = words[len(name) :]
    version = tuple(
        part.removeprefix("v") for part in parts if part not in _VAGUE_WORDS
    )
    is_named = 0 < len(name) <= _NAME_WORDS and not any(map(str.isdigit, name))
    is_numbered = (
        _IS_NUMBERED.search(title)
        or not month_spellings().isdisjoint(version)
        or (len(name) == 1 and _DECIMAL.search(title))
    )
    if not (is_named and is_numbered and any(part[-1].isdigit() for part in version)):
        return None
    return frozenset(name), tuple(sorted(version))


def _is_part(word: str) -> bool:
    return (
        word in _PART_WORDS
        or word in month_spellings()
        or _VERSION.fullmatch(word) is not None
    )
