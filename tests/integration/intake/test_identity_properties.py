"""Random feeds whose keys change at random: no article is lost, none is two, and no two are one."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from aggregator.model.entry import Entry, Published
from aggregator.store.engine.database import Database
from aggregator.store.intake import acceptance, known_entries
from aggregator.store.intake.identity.identify import PollContext
from aggregator.store.tables import entry, identity_key, observation
from tests.support.articles import NOON
from tests.support.fresh import sqlite_at
from tests.support.rows import counted, queried, written_by
from tests.support.tables import numbered

NUMBERS = itertools.count()
# Titles that come back on purpose: a title alone says nothing.
TITLES = (
    "Weather today in Pennmouth",
    "Council decides",
    "Ferry runs aground near Lind",
    "Report of the police",
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with sqlite_at(tmp_path_factory.mktemp("identity") / "streams.db") as made:
        yield made


@dataclass(frozen=True)
class Told:
    """An article of the outlet, in the words that it has now."""

    number: int
    title: str
    text: str
    minute: datetime | None


@dataclass(frozen=True)
class Keys:
    """By what the outlet's system names its articles."""

    guids: int = 0
    urls: int = 0
    has_guids: bool = True
    has_urls: bool = True
    are_fresh: bool = False

    def entry(self, reported: Told, source: str, poll: int) -> Entry:
        host = ("gazette.example", "www.gazette.example", "gazette.test")[self.urls % 3]
        return Entry(
            source=source,
            guid=f"{poll if self.are_fresh else 0}/{self.guids}/{reported.number}"
            if self.has_guids
            else None,
            url=f"https://{host}/{source}/{self.urls}/{reported.number}"
            if self.has_urls
            else None,
            title=reported.title,
            html=f"<p class='{self.urls}'>{reported.text}</p>",
            published=Published(time=reported.minute)
            if reported.minute
            else Published(time=NOON, origin="poll"),
            authority="own",
        )


STEPS = st.sampled_from(
    [
        "news",
        "news",
        "edit",
        "retitle",
        "guids",
        "urls",
        "both",
        "drop",
        "order",
        "fresh",
    ]
)


STREAMS = {
    "steps": st.lists(STEPS, min_size=1, max_size=9),
    "titles": st.lists(st.sampled_from(TITLES), min_size=20, max_size=20),
    "is_dated": st.booleans(),
    "window": st.integers(3, 8),
    "data": st.data(),
}


@pytest.mark.later
@settings(max_examples=15)
@given(**STREAMS)
def test_whatever_happens_to_keys_each_article_stays_itself(
    database: Database, **stream: Any
) -> None:
    follow(database, **stream)


def follow(
    database: Database,
    steps: list[str],
    titles: list[str],
    is_dated: bool,
    window: int,
    data: st.DataObject,
) -> None:
    source = f"s{next(NUMBERS)}"
    shown = [
        mentions(number, titles, source, is_dated=is_dated) for number in range(window)
    ]
    keys, count = Keys(), window
    ids: dict[int, str] = {}
    for polls, step in enumerate(["begin", *steps]):
        expected = 0
        if step == "news":
            shown = [mentions(count, titles, source, is_dated=is_dated), *shown[:-1]]
            count, expected = count + 1, 1
        elif step in ("edit", "retitle"):
            if not is_dated:
                continue  # without date and keys nobody can tell an edit from news
            place = data.draw(st.integers(0, window - 1), label="place")
            old = shown[place]
            new = replace(old, text=f"{old.text} Later {polls}.", title=old.title)
            shown[place] = (
                replace(old, title=f"{old.title} ({polls})")
                if step == "retitle"
                else new
            )
            expected = 1
        elif step == "order":
            shown = data.draw(st.permutations(shown), label="order")
        else:
            keys = changed(keys, step)
        given_now = [keys.entry(one, source, polls) for one in shown]
        accepted = poll(database, given_now, is_first=step == "begin")
        for one, result in zip(shown, accepted, strict=True):
            assert ids.setdefault(one.number, result.article) == result.article, (
                step,
                one.number,
            )
        assert len(set(ids.values())) == len(ids), "two articles became one"
        # The same words at another address are no news.
        fresh = sum(
            result.outcome != "known" and result.may_use_page for result in accepted
        )
        assert fresh == (window if step == "begin" else expected), step
        before = rows(database, source)
        assert all(
            one.outcome == "known" for one in poll(database, given_now, is_first=False)
        )
        assert rows(database, source) == before, "the same poll again changes nothing"


def mentions(number: int, titles: list[str], source: str, *, is_dated: bool) -> Told:
    text = " ".join(numbered(f"{source}w{number}x%n", 40))
    return Told(
        number=number,
        title=titles[number % len(titles)],
        text=text,
        minute=NOON - timedelta(minutes=7 * number) if is_dated else None,
    )


def changed(keys: Keys, step: str) -> Keys:
    if step == "guids":
        return replace(keys, guids=keys.guids + 1, has_guids=True, are_fresh=False)
    if step == "urls":
        return replace(keys, urls=keys.urls + 1, has_urls=True)
    if step == "both":
        return replace(keys, guids=keys.guids + 1, urls=keys.urls + 1)
    if step == "drop":
        return replace(keys, has_guids=not keys.has_guids, has_urls=not keys.has_urls)
    if step == "fresh":
        return replace(keys, are_fresh=True, has_guids=True)
    return keys


def poll(
    database: Database, entries: list[Entry], *, is_first: bool
) -> list[known_entries.AcceptResult]:
    taken = written_by(
        database,
        acceptance.accept,
        entries,
        seen=[NOON] * len(entries),
        wants_page=[False] * len(entries),
        bump_by_clock=not is_first,
        poll=PollContext(outlet=None),
    )
    return list(taken.accepted)


def rows(database: Database, source: str) -> tuple[Any, ...]:
    return (
        counted(database, identity_key),
        queried(
            database, select(observation).where(observation.c.source == source)
        ).all(),
        counted(database, entry),
    )
