"""Entries of a poll whose GUIDs and URLs changed, matched with known articles.

An entry without a known key may still be an article that the source had before: its publishing system was
replaced, or its GUIDs change at every poll. Then text and dates are compared, never one of them alone if it could
be a column that appears daily under one title:

- **sure**: the same text and declared minute, or the same title over the same long text where a date is
  missing. There must be only one such article, and the poll must not have it under its known keys.
- **edited**: the same title and minute, but other text. Placing then checks whether the texts resemble each
  other.
- **many**: the same title and text, with different dates or none; accepted only if nearly all unknown entries
  of a poll match so, each its own article. Entries with different dates are counted separately: a new system
  may have changed all dates, but if the others kept theirs, an entry with another date is a new issue of a
  column.

The same text at another source matches only if both sources have one outlet (as configured, not as an entry
claims), or if a new source has the articles of one that no longer responds: a feed at a new URL.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Literal

from aggregator.extract.entry_identity import (
    IdentityTuning,
    declared_minute,
    folded_text,
    hashed_key,
    plain_text,
)
from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct


class EntryHashes(FrozenStruct):
    """Hashes of an entry's content besides its keys. None: too little text to identify it."""

    title: bytes  # of the title alone
    # Of a long text alone; of a short one with its title and minute
    text_key: bytes | None = None
    title_key: bytes | None = None  # of source, title and declared minute
    # declared; None where only the time of a poll is known
    minute: dt.datetime | None = None
    is_long: bool = False


class Observation(FrozenStruct):
    """A known article as a source showed it at one time."""

    article: str
    source: str
    title: bytes
    text_key: bytes | None
    title_key: bytes | None
    minute: dt.datetime | None
    seen: dt.datetime


class EntryMatch(FrozenStruct):
    """The known article of an unknown entry, and what identified it."""

    article: str
    by: Literal["words", "title"]


Matches = dict[int, EntryMatch]  # by the index of the entry in its poll


def hash_entry(entry: Entry, tuning: IdentityTuning) -> EntryHashes:
    """Return the hashes of `entry`, without markup and URLs in the text: these change with the site."""
    title = folded_text(entry.title)
    text = folded_text(plain_text(entry))
    minute = declared_minute(entry)
    moment = minute.isoformat() if minute else ""
    is_long = len(text) >= tuning.long_chars
    text_key = None
    if is_long:
        text_key = hashed_key("long", text)
    elif len(title) + len(text) >= tuning.min_chars:
        text_key = hashed_key("short", title, text, moment)
    title_key = None
    if minute is not None and len(title) >= tuning.min_chars:
        title_key = hashed_key("at", entry.source, title, moment)
    return EntryHashes(
        title=hashed_key("title", title),
        text_key=text_key,
        title_key=title_key,
        minute=minute,
        is_long=is_long,
    )


def match_entries(
    unknown_entries: Mapping[int, EntryHashes],
    observations: Iterable[Observation],
    *,
    source: str,
    related_sources: Collection[str],
    taken: Collection[str],
    tuning: IdentityTuning,
) -> Matches:
    """Return the articles of the unknown entries of one poll of `source`, by their index in the poll.

    `unknown_entries` are those without a known key, by their index. `observations` are all that share a hash
    with one of them, `related_sources` the sources of the same outlet, `taken` the articles that this poll
    has under known keys.
    """
    known = sorted(observations, key=lambda known: (known.seen, known.article))
    of_source = [observed for observed in known if observed.source == source]
    others = set(related_sources) - {source}
    related = [observed for observed in known if observed.source in others]
    texts = _by(of_source, "text_key")
    related_texts = _by(related, "text_key")
    titles = _by(of_source, "title_key")
    matches: Matches = {}
    used = set(taken)
    for place, hashes in unknown_entries.items():
        sure = [known for known in texts[hashes.text_key] if _is_sure(hashes, known)]
        _take(matches, used, place, sure, "words")
        same = related_texts[hashes.text_key]
        same = [known for known in same if _is_same(hashes, known)]
        _take(matches, used, place, same, "words")
    for place, hashes in unknown_entries.items():
        _take(matches, used, place, titles[hashes.title_key], "title")
    return matches | _match_many(unknown_entries, matches, texts, used, tuning)


def _take(
    matches: Matches,
    used: set[str],
    place: int,
    known: Iterable[Observation],
    by: Literal["words", "title"],
) -> None:
    """Match an entry with the only article that was observed so, unless one of the two has a match."""
    articles = {observation.article for observation in known}
    if len(articles) == 1 and place not in matches and used.isdisjoint(articles):
        used |= articles
        matches[place] = EntryMatch(article=articles.pop(), by=by)


def _match_many(
    unknown_entries: Mapping[int, EntryHashes],
    matches: Matches,
    texts: Mapping[bytes | None, list[Observation]],
    used: Collection[str],
    tuning: IdentityTuning,
) -> Matches:
    """Return matches by title and text of the other entries, where nearly all of a poll match so."""
    remaining = {
        place: hashes
        for place, hashes in unknown_entries.items()
        if place not in matches
    }
    undated, dated = _match_in_order(remaining, texts, used)
    many: Matches = {}
    if _is_mass(len(matches) + len(undated), len(unknown_entries), tuning):
        many |= undated
    if _is_mass(len(dated), len(remaining) - len(undated), tuning):
        many |= dated
    return many


def find_moved_source(
    unknown_entries: Mapping[int, EntryHashes],
    observations: Iterable[Observation],
    silent: Collection[str],
    tuning: IdentityTuning,
) -> str | None:
    """Return the one source in `silent` that had nearly all of these entries, None for none or several."""
    places_by_source = defaultdict(set)
    texts = _by(
        [observation for observation in observations if observation.source in silent],
        "text_key",
    )
    for place, hashes in unknown_entries.items():
        for observation in texts[hashes.text_key]:
            if _is_same(hashes, observation):
                places_by_source[observation.source].add(place)
    fitting = [
        source
        for source, places in sorted(places_by_source.items())
        if _is_mass(len(places), len(unknown_entries), tuning)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _is_sure(entry_hashes: EntryHashes, observation: Observation) -> bool:
    if entry_hashes.minute is not None and observation.minute is not None:
        return entry_hashes.minute == observation.minute
    return entry_hashes.is_long and entry_hashes.title == observation.title


def _is_same(entry_hashes: EntryHashes, observation: Observation) -> bool:
    """Return whether text, title and, where both have one, minute are the same.

    Sure enough across sources.
    """
    return entry_hashes.title == observation.title and _is_sure(
        entry_hashes, observation
    )


def _is_mass(count: int, of: int, tuning: IdentityTuning) -> bool:
    return count >= tuning.mass_entries and count > tuning.mass_share * of


def _match_in_order(
    unknown_entries: Mapping[int, EntryHashes],
    texts: Mapping[bytes | None, list[Observation]],
    used: Collection[str],
) -> tuple[Matches, Matches]:
    """Match each entry with one article of the same title and text, the oldest first.

    Return the matches in which a date is missing, and those in which two dates differ.
    """
    undated: Matches = {}
    dated: Matches = {}
    matched = set(used)
    for place, hashes in unknown_entries.items():
        for observed in texts[hashes.text_key]:
            if observed.title == hashes.title and observed.article not in matched:
                matched.add(observed.article)
                minutes = {hashes.minute, observed.minute}
                differ = len(minutes) == 2 and None not in minutes
                matches = dated if differ else undated
                matches[place] = EntryMatch(article=observed.article, by="words")
                break
    return undated, dated


def _by(
    observations: Iterable[Observation], key: Literal["text_key", "title_key"]
) -> defaultdict[bytes | None, list[Observation]]:
    groups = defaultdict(list)
    for observation in observations:
        if (value := getattr(observation, key)) is not None:
            groups[value].append(observation)
    return groups
