"""Fourteen ways to advertise in a story of others, by each way in: nothing is shown, and nothing counted."""

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text

from aggregator.model.entry import Entry, Outlet
from aggregator.sources.parse.mail import entry_of_mail
from aggregator.store.engine.database import Database
from aggregator.store.tables import article
from aggregator.text.sentences import sentences_of
from tests.support.articles import DAY, NOON
from tests.support.big_story import (
    ADVERTISED,
    ADVERTISEMENTS,
    LATER,
    STORIES,
    BigStory,
    needs_events,
    of_feed,
)
from tests.support.rows import queried

pytestmark = needs_events

SPAM = "spam.example"
ADVERTISED_NAMES = ("Slimona", "Golden Harbour")
Item = tuple[str, str, Any]  # title, text, date


def attack(way: str, story: BigStory) -> list[Item]:
    """What a source publishes."""
    title, said = story.last.title, story.last.text
    sentences = [one for paragraph in sentences_of(said) for one in paragraph]
    all_sentences = [
        one for row in story.reports for part in sentences_of(row.text) for one in part
    ]
    names = (
        " and ".join(dict.fromkeys(re.findall(r"[A-Z][a-z]{3,} [A-Z][a-z]{3,}", said)))
        or "They"
    )
    between = [
        f"{one} {ADVERTISEMENTS[n % len(ADVERTISEMENTS)]}"
        for n, one in enumerate(sentences)
    ]
    negated = [
        f"It is not true that {one[0].lower()}{one[1:]}" for one in sentences[:3]
    ]
    mixed = [
        " ".join(
            (
                *Random(n).sample(all_sentences, 5),
                ADVERTISEMENTS[n % len(ADVERTISEMENTS)],
            )
        )
        for n in range(40)
    ]
    earlier = NOON - timedelta(hours=2)
    ways: dict[str, list[Item]] = {
        "headline": [(title, ADVERTISED, LATER)],
        "first sentence": [(title, f"{sentences[0]} {ADVERTISED}", LATER)],
        "three sentences": [(title, f"{' '.join(sentences[:3])} {ADVERTISED}", LATER)],
        "changed headline": [
            (f"{title}, Slimona says", f"{' '.join(sentences[:2])} {ADVERTISED}", LATER)
        ],
        "whole text": [(title, "\n".join((said, *ADVERTISEMENTS)), LATER)],
        "lead under an advertisement": [
            (ADVERTISEMENTS[0], f"{sentences[0]} {ADVERTISED}", LATER)
        ],
        "denial": [(f"{title}: not true", f"{' '.join(negated)} {ADVERTISED}", LATER)],
        "forty mixed": [(title, one, LATER) for one in mixed],
        "earlier date": [
            (title, "\n".join((sentences[0], ADVERTISED, *sentences[1:])), earlier)
        ],
        "between": [(title, " ".join(between), LATER)],
        "own words": [(title, f"{names} take Slimona. {ADVERTISED}", LATER)],
        "predated copies": [(row.title, row.text, earlier) for row in story.reports],
        "another number": [
            (title, f"REUTERS - {re.sub(r'[0-9]+', '977', said)} {ADVERTISED}", LATER)
        ],
        "correction": [
            (f"Correction: {title}", f"Correction: {said} {ADVERTISED}", LATER)
        ],
    }
    return ways[way]


WAYS = (
    "headline",
    "first sentence",
    "three sentences",
    "changed headline",
    "whole text",
    "lead under an advertisement",
    "denial",
    "forty mixed",
    "earlier date",
    "between",
    "own words",
    "predated copies",
    "another number",
    "correction",
)


def by_feed(items: Sequence[Item]) -> list[Entry]:
    return [replace(of_feed(SPAM, *item), guid=str(n)) for n, item in enumerate(items)]


def of_forty_feeds(items: Sequence[Item]) -> list[Entry]:
    return [of_feed(f"spam{n}.example", *items[n % len(items)]) for n in range(40)]


def linking(items: Sequence[Item]) -> list[Entry]:
    """As a feed has them that links to forty sites."""
    entries = by_feed(items)
    for n in range(40):
        site = f"site{n}.example"
        one = replace(
            entries[n % len(items)],
            guid=f"link {n}",
            url=f"https://{site}/{n}",
            outlet=None,
        )
        own = Outlet(key=SPAM, name=SPAM)
        entries.append(
            replace(one, resolved_outlet=Outlet(key=site, name=site), feed_outlet=own)
        )
    return entries


def by_file(items: Sequence[Item]) -> list[Entry]:
    return [replace(one, source="ingest", authority="handed") for one in by_feed(items)]


def of_forty_outlets(items: Sequence[Item]) -> list[Entry]:
    """As a push or a file has them that names forty outlets."""
    entries = by_file(items)
    return [
        replace(
            entries[n % len(items)],
            guid=f"outlet {n}",
            outlet=f"Outlet {n}",
            source="token",
        )
        for n in range(40)
    ]


def by_mail(items: Sequence[Item]) -> list[Entry]:
    entries = []
    for title, said, _ in items:
        plain = " ".join(said.split())
        head = f"From: Reuters <news@reuters.com>\nList-Id: Reuters <reuters.com>\nSubject: {title}\n"
        data = f"{head}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n{plain}\n".encode()
        entries.append(entry_of_mail(data, source="mailbox", seen=LATER))
    return entries


CHANNELS = {
    "new feed": by_feed,
    "feed of the day before": by_feed,
    "forty links": linking,
    "file": by_file,
    "push": of_forty_outlets,
    "mail": by_mail,
    "forty feeds": of_forty_feeds,
}


def quick(names: Iterable[str], name: str) -> list[Any]:
    """Each is tried with each other; one way through one channel also in the quick tests."""
    return [
        one if one == name else pytest.param(one, marks=pytest.mark.later)
        for one in names
    ]


def honest(story: BigStory) -> list[tuple[Any, ...]]:
    """What is stored of the reports of others, with what they are shown as copies of."""
    columns = select(
        article.c.id,
        article.c.story,
        article.c.title,
        article.c.role,
        article.c.copy_of,
    )
    columns = columns.add_columns(article.c.original, article.c.counts_as_report)
    ids = [
        row.id
        for row in queried(story.rig.database, select(article.c.id, article.c.story))
        if row.story == story.id
    ]
    rows = queried(story.rig.database, columns.order_by(article.c.inbox_no))
    return [tuple(row) for row in rows if row.id in ids]


def subjects(story: BigStory) -> str:
    topics = "SELECT topic FROM v_story_topics WHERE story_id = :id"
    named = f"SELECT name FROM v_story_names WHERE story_id = :id UNION {topics}"
    return " ".join(
        queried(story.rig.database, text(named).bindparams(id=story.id)).scalars()
    )


@pytest.mark.parametrize("channel", quick(CHANNELS, "forty feeds"))
@pytest.mark.parametrize("way", quick(WAYS, "forty mixed"))
@pytest.mark.parametrize("event", STORIES)
def test_nothing_of_it_is_shown_or_counted(
    sqlite: Database, event: str, way: str, channel: str
) -> None:
    story = BigStory(sqlite, event)
    if channel == "feed of the day before":
        harmless = [
            (f"Item {n} of ours", f"Nothing of note happened at place {n}.", NOON)
            for n in range(12)
        ]
        story.rig.take(
            *by_feed([(f"{title} today", said, when) for title, said, when in harmless])
        )
        story.rig.clock.time += DAY  # type: ignore[attr-defined]
    before = story.shown()
    kept = honest(story)
    entries = CHANNELS[channel](attack(way, story))
    after = story.takes(*(replace(one, categories=ADVERTISED_NAMES) for one in entries))
    assert (after.title, after.summary) == (before.title, before.summary)
    shown = f"{after.title} {after.summary} {after.text} {subjects(story)}"
    assert [name for name in ADVERTISED_NAMES if name in shown] == []
    # Words of its own that agree with the story are a report of a feed, under its own address: nobody sees
    # who makes them up.
    most = int(way == "own words" and channel not in ("file", "push", "mail"))
    assert before.reports <= after.reports <= before.reports + most
    copied = int(way == "own words" and channel == "forty feeds")
    assert after.outlets <= before.outlets + 1 + copied, "and those that copy a report"
    came = {row[0] for row in kept}
    assert [row for row in honest(story) if row[0] in came] == kept


@pytest.mark.later
@pytest.mark.parametrize("channel", ["new feed", "forty feeds", "push"])
@pytest.mark.parametrize("way", [one for one in WAYS if one != "own words"])
def test_on_the_first_day_no_source_is_known_and_it_is_not_told_either(
    sqlite: Database, way: str, channel: str
) -> None:
    story = BigStory(sqlite, "ecb-25-plus", are_known=False)
    before = story.shown()
    after = story.takes(*CHANNELS[channel](attack(way, story)))
    assert (after.title, after.reports) == (before.title, before.reports)
    assert after.outlets <= before.outlets + 1
    assert "Slimona" not in after.text
