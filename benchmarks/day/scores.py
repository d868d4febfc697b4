"""How well stories fit the labels of the reading list: whole events, pure stories, pairs, events twice on a page."""

import gzip
import itertools
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

Pair = frozenset[str]


@dataclass(frozen=True)
class Labels:
    """The event, the outlet (each feed is one) and the title of each labelled entry, by its id.

    Pairs of ids in `loose` count neither way.
    """

    events: Mapping[str, str]
    outlets: Mapping[str, str]
    titles: Mapping[str, str]
    loose: AbstractSet[Pair]
    by_address: Mapping[tuple[str, str], str]  # file of the feed, address → id
    by_title: Mapping[tuple[str, str], str]  # file of the feed, title → id


def read_labels(data: Path) -> Labels:
    """Read the labels of the reading list in the data folder."""
    with gzip.open(
        data / "events-reading-list.jsonl.gz", "rt", encoding="utf-8"
    ) as lines:
        records = [json.loads(line) for line in lines]
    loose: set[Pair] = set()
    for line in (
        (data / "events-reading-list-loose.jsonl")
        .read_text(encoding="utf-8")
        .splitlines()
    ):
        loose.update(map(frozenset, itertools.combinations(json.loads(line)["ids"], 2)))
    return Labels(
        events={record["id"]: record["cluster"] for record in records},
        outlets={record["id"]: record["feed"] for record in records},
        titles={record["id"]: record["title"] for record in records},
        loose=loose,
        by_address={
            (record["feed"], _bare(record["url"])): record["id"] for record in records
        },
        by_title={
            (record["feed"], record["title"]): record["id"] for record in records
        },
    )


def _bare(address: str | None) -> str:
    return (address or "").partition("://")[2].rstrip("/")


def label_of(labels: Labels, feed: str, address: str | None, title: str) -> str | None:
    """Return the id of the labelled entry with the address or title of an article; None if there is none."""
    by_address = labels.by_address.get((feed, _bare(address))) if address else None
    return by_address or labels.by_title.get((feed, title))


@dataclass(frozen=True)
class Scores:
    """Counts of events and stories of several outlets, and of pairs of entries; lists have titles."""

    events: int
    not_whole: list[str]
    stories: int
    impure: list[str]
    pairs: int
    pairs_found: int
    pairs_wrong: int
    arguable: int  # pairs of one event that are loose
    arguable_found: int

    @property
    def whole(self) -> int:
        return self.events - len(self.not_whole)

    @property
    def pure(self) -> int:
        return self.stories - len(self.impure)

    @property
    def precision(self) -> float:
        together = self.pairs_found + self.pairs_wrong
        return self.pairs_found / together if together else 1.0

    @property
    def recall(self) -> float:
        return self.pairs_found / self.pairs if self.pairs else 1.0

    @property
    def f1(self) -> float:
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def scores_of(labels: Labels, stories: Mapping[str, str]) -> Scores:
    """Return the scores of a grouping, which is given as the story of each labelled entry that arrived.

    An event is whole if all of its entries that arrived are in one story, which may have other entries, too. A story
    is pure if each pair of its entries is of one event, or loose.
    """
    in_story, in_event = defaultdict(list), defaultdict(list)
    for entry, story in stories.items():
        in_story[story].append(entry)
        in_event[labels.events[entry]].append(entry)
    events = [
        event for event in in_event.values() if _is_of_several_outlets(labels, event)
    ]
    several = [
        story for story in in_story.values() if _is_of_several_outlets(labels, story)
    ]
    all_together, all_labelled = (
        set(_pairs(in_story.values())),
        set(_pairs(in_event.values())),
    )
    together, labelled = all_together - labels.loose, all_labelled - labels.loose
    arguable = all_labelled & labels.loose
    return Scores(
        events=len(events),
        not_whole=[
            _name_of_event(labels, event)
            for event in events
            if len({stories[e] for e in event}) > 1
        ],
        stories=len(several),
        impure=[
            _name(labels, story)
            for story in several
            if set(_pairs([story])) & together - labelled
        ],
        pairs=len(labelled),
        pairs_found=len(together & labelled),
        pairs_wrong=len(together - labelled),
        arguable=len(arguable),
        arguable_found=len(arguable & all_together),
    )


def events_twice(
    labels: Labels, stories: Mapping[str, str], places: Sequence[Collection[str]]
) -> list[str]:
    """Return the names of the events that are at two places of a page.

    This needs two entries of the event at different places, which are not a loose pair. `places` has the stories of
    each place.
    """
    place_of = {story: n for n, place in enumerate(places) for story in place}
    on_page = defaultdict(list)
    for entry, story in stories.items():
        if story in place_of:
            on_page[labels.events[entry]].append(entry)
    twice = []
    for event in on_page.values():
        apart = (
            pair
            for pair in _pairs([event])
            if len({place_of[stories[entry]] for entry in pair}) > 1
        )
        if any(pair not in labels.loose for pair in apart):
            twice.append(_name_of_event(labels, event))
    return twice


def _pairs(groups: Iterable[Collection[str]]) -> Iterable[Pair]:
    for group in groups:
        yield from map(frozenset, itertools.combinations(group, 2))


def _is_of_several_outlets(labels: Labels, entries: Iterable[str]) -> bool:
    return len({labels.outlets[entry] for entry in entries}) > 1


def _name_of_event(labels: Labels, entries: Sequence[str]) -> str:
    """Return the title of the event's first entry, even if that entry did not arrive yet."""
    event = labels.events[entries[0]]
    return labels.titles[
        min(entry for entry in labels.events if labels.events[entry] == event)
    ]


def _name(labels: Labels, entries: Iterable[str]) -> str:
    return labels.titles[min(entries)]
