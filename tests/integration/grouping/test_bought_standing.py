"""Feeds that print nonsense for three days: whatever they print on the fourth, nobody sees it beside others."""

import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import NamedTuple

import pytest
from sqlalchemy import text

from aggregator.store.engine.database import Database
from aggregator.store.stories.stream_history import senders_with_standing
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    STRIKE,
    STRIKE_ELSEWHERE,
)
from tests.support.polled_world import PolledWorld, Shown
from tests.support.polling import feed_source
from tests.support.rows import queried, read_by
from tests.support.tables import numbered, rows

HONEST = ("gazette.example", "herald.example", "courier.example")
BRAND = "Golden Harbour Casino"
AD = f"{BRAND} pays {{}} free spins to every new player who deposits through our partner page."

FLOOD_THIRD = """Rescuers in Pennmouth searched flooded cellars for two missing people on Monday. Four others
died when the levee on the Arrel failed on Sunday evening. About three hundred residents had climbed to their
roofs. Engineers blamed a pump station that failed at eleven, while mayor Ilse Brandt ordered everybody out of
the quarters below the market square. Soldiers filled eleven thousand sandbags overnight."""
STRIKE_THIRD = """Forty ships lay at anchor off Sennick on Monday because dock workers refused a new roster. Their
union fears twice as many night shifts. Growers say that their fruit will rot in the holds by Wednesday, and
supermarkets have begun to buy abroad. The port company, which went to court, has lost nine customers since
spring. Crane drivers joined the walkout at noon; pilots may follow."""


class Event(NamedTuple):
    """An event as three honest feeds report it."""

    titles: Sequence[str]
    told: Sequence[str]


EVENTS = [Event(**one) for one in rows("bought_standing", "events")]
ATTACKED = [
    Event(
        (
            "Levee on the Arrel breaks at Pennmouth",
            "Pennmouth under water after levee on the Arrel fails",
            "Rescuers search Pennmouth after levee on the Arrel breaks",
        ),
        (FLOOD, FLOOD_ELSEWHERE, FLOOD_THIRD),
    ),
    Event(
        (
            "Dock workers walk out in Sennick",
            "Dock workers in Sennick strike against new roster",
            "Forty ships wait off Sennick as dock workers strike",
        ),
        (STRIKE, STRIKE_ELSEWHERE, STRIKE_THIRD),
    ),
]


def sentences(told: str) -> list[str]:
    return re.split(r"(?<=[.]) ", " ".join(told.split()))


def scrambled(text: str, seed: int) -> str:
    """Each sentence with its words in another order."""
    chance = Random(seed)
    lines = []
    for sentence in sentences(text):
        words = sentence.rstrip(".").split()
        chance.shuffle(words)
        lines.append(" ".join(words).capitalize() + ".")
    return " ".join(lines)


def with_ads(text: str, seed: int) -> str:
    """An advertisement after each second sentence."""
    told = sentences(text)
    for place in range(len(told) // 2 * 2, 0, -2):
        told.insert(place, AD.format(20 + seed + place))
    return " ".join(told)


def with_filler(text: str, seed: int) -> str:
    """Every fourth word replaced by a word of an invented vocabulary."""
    chance = Random(seed)
    words = text.split()
    for place in range(3, len(words), 4):
        words[place] = "".join(chance.choices("bdfgklmnprstvaeiou", k=7))
    return " ".join(words)


def mixed(texts: tuple[str, ...], seed: int) -> str:
    """Sentences of all reports in turn, scrambled."""
    told = [sentence for text in texts for sentence in sentences(text)]
    Random(seed).shuffle(told)
    return scrambled(" ".join(told), seed)


def stuffed(text: str, seed: int) -> str:
    """The scrambled text with many words of news of any day."""
    common = "police minister hospital court election budget storm union market school harbour tax vote rail"
    words = f"{common} protest talks bank factory forest river museum trial bridge airport crops".split()
    Random(seed).shuffle(words)
    return f"{scrambled(text, seed)} {' '.join(words).capitalize()}."


def halves(event: Event, seed: int) -> str:
    """Half of each sentence of one report behind half of each of another."""
    mixed_lines = []
    for one, other in zip(
        sentences(event.told[0]), sentences(event.told[-1]), strict=False
    ):
        left, right = one.split(), other.rstrip(".").split()
        mixed_lines.append(
            " ".join(right[len(right) // 2 :] + left[: len(left) // 2]) + "."
        )
    return " ".join(mixed_lines[seed % 2 :])


Way = Callable[[Event, int], str]
# What the feeds print, and how many reports they may count together for words of their own
WAYS: dict[str, tuple[Way, int]] = {
    "scrambled": (lambda event, seed: scrambled(event.told[0], seed), 0),
    "verbatim": (lambda event, seed: event.told[seed % len(event.told)], 0),
    "backwards": (lambda event, _: " ".join(reversed(sentences(event.told[0]))), 0),
    "mixed": (lambda event, seed: mixed(event.told, seed), 0),
    # A third of these words are of no report: a stranger's report by words of its own
    "filler": (lambda event, seed: with_filler(event.told[0], seed), 1),
    "stuffed": (lambda event, seed: stuffed(event.told[0], seed), 0),
    "halves": (halves, 0),
    "first half": (
        lambda event, seed: scrambled(" ".join(sentences(event.told[-1])[:3]), seed),
        0,
    ),
    "titles": (
        lambda event, seed: " ".join(
            f"{scrambled(title, seed)}." for title in event.titles[: len(event.told)]
        ),
        0,
    ),
}


class Shows(NamedTuple):
    """What a reader gets of a story, and its names."""

    shown: Shown
    names: set[str]


@pytest.fixture
def world(database: Database) -> Iterator[PolledWorld]:
    with PolledWorld(database) as world:
        yield world


def shows(world: PolledWorld, event: Event) -> Shows:
    id_ = world.story_of(event.titles[0])
    shown = world.shown(id_)
    names = text("SELECT name FROM v_story_names WHERE story_id = :id").bindparams(
        id=id_
    )
    return Shows(shown, {*queried(world.database, names).scalars()})


def attack(
    world: PolledWorld, way: Way, feeds: int, *, items: int = 1, reports: int = 0
) -> None:
    """Let feeds print three days in one way and advertise on the fourth, which buys nothing but more `reports`."""
    bad = numbered("bot%n.example", feeds)
    world.add(*HONEST, *bad)
    world.poll(*HONEST, *bad)
    before: list[Shows] = []
    for day, events in enumerate([*([event] for event in EVENTS), ATTACKED]):
        for event in events:
            for host, title, told in zip(HONEST, event.titles, event.told, strict=True):
                world.report(host, title, told)
                world.run(0.2)
                if day < 3:
                    known = event.told[: HONEST.index(host) + 1]
                    for number, name in enumerate(bad):
                        printed = way(Event(event.titles, known), 10 * day + number)
                        world.publish(name, event.titles[0], printed)
                    world.poll(*bad)
        if day == 3:
            before = [shows(world, event) for event in ATTACKED]
            for event in ATTACKED:
                for number, name in enumerate(bad):
                    for item in range(items):
                        link = f"http://site{item}.example/{event.titles[0][:4]}"
                        world.publish(
                            name,
                            event.titles[number % 3],
                            with_ads(way(event, number + item), 10 * number + item),
                            link=link if items > 1 else "",
                        )
            world.poll(*bad)
        world.run(23)
    after = [shows(world, event) for event in ATTACKED]
    world.report(HONEST[0], "Nothing", "Nothing else happened on this quiet day.")
    known = read_by(world.database, senders_with_standing)
    ids = {host: feed_source(f"http://{host}/feed").id for host in (*HONEST, *bad)}
    believed = {host for host, id_ in ids.items() if id_ in known}
    assert {HONEST[0]} <= believed <= {*HONEST}
    for was, now in zip(before, after, strict=True):
        assert BRAND not in f"{now.shown.title} {now.shown.summary} {now.shown.text}"
        assert (now.shown.title, now.shown.summary) == (
            was.shown.title,
            was.shown.summary,
        )
        assert not [name for name in now.names - was.names if name in BRAND]
        assert now.shown.outlets <= was.shown.outlets + 1
        assert was.shown.reports == 3
        assert now.shown.reports <= was.shown.reports + reports


@pytest.mark.later
@pytest.mark.parametrize(("way", "reports"), WAYS.values(), ids=WAYS)
def test_a_feed_of_reprints_speaks_for_nobody_on_the_fourth_day(
    world: PolledWorld, way: Way, reports: int
) -> None:
    attack(world, way, feeds=1, reports=reports)


@pytest.mark.later
def test_eight_such_feeds_give_no_name_and_are_one_outlet_together(
    world: PolledWorld,
) -> None:
    attack(world, WAYS["scrambled"][0], feeds=8)


@pytest.mark.later
def test_forty_items_on_forty_domains_are_one_outlet(world: PolledWorld) -> None:
    attack(world, WAYS["scrambled"][0], feeds=1, items=40)
