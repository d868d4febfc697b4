"""What an outlet repeats is learnt while articles are placed, and its unknown walls make no story.

Whatever the number of workers, the moments of a restart, the size of the portions or the database: the same
texts and stories.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.intake.jobs import PrepareJob, PrepareResult, prepare
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import Executor
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import Entry, EntryInput
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.tables import article, entry, outlet_line, story
from tests.support.articles import Clock, Rig, record, settled
from tests.support.footers import ARTICLES, FOOTERS, articles_of, mentions, taken_out
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import column, queried, read_by, value
from tests.support.story_checks import placing_of, recluster
from tests.support.tables import rows


def texts(database: Database) -> list[tuple[Any, ...]]:
    """Texts, what was taken out of them, and what the outlets' windows hold."""
    columns = [
        article.c[name]
        for name in ("inbox_no", "id", "text", "lead", "details", "verdict")
    ]
    held = [
        tuple(row)
        for row in queried(database, select(*columns).order_by(article.c.inbox_no))
    ]
    window = select(outlet_line).order_by(outlet_line.c.outlet, outlet_line.c.article)
    return held + [tuple(row) for row in queried(database, window)]


def fresh(folder: Path, name: str) -> Database:
    return with_tables(sqlite_file(f"{folder / name}.db"))


@pytest.mark.later
def test_a_footer_is_learnt_and_taken_out_of_the_next_article(
    database: Database,
) -> None:
    Rig(database).take(*articles_of(75))
    for outlet, footer in FOOTERS.items():
        assert taken_out(database, outlet) == [()] * 20 + [(footer,)] * 5
    assert taken_out(database, "Courier") == [()] * 25
    rows = queried(
        database, select(article.c.text, article.c.details).order_by(article.c.inbox_no)
    ).all()
    whole = [
        restore_lines(row.text, codecs.unpack(row.details, ArticleDetails).repeated)
        for row in rows
    ]
    assert whole == [one.text for one in articles_of(75)], "nothing is lost"
    assert not any(row.text.endswith(FOOTERS["Lantern"]) for row in rows[60:])


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    opened = open_executor(request.param, 3, Tuning())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What is left where every article is prepared after the one before it was placed."""
    database = fresh(tmp_path_factory.mktemp("one"), "one")
    Rig(database).accept(*articles_of(ARTICLES))
    waiting = read_by(database, inbox.ready, ARTICLES)
    placing = placing_of(database)
    for one in waiting:
        item = EntryInput(entry=one.entry, accepted_at=one.accepted_at)
        answer = prepare(msgspec.msgpack.encode(PrepareJob(items=(item,))))
        (prepared,) = msgspec.msgpack.decode(answer, type=PrepareResult).prepared
        assert len(placing.place([(one, prepared)])) == 1
    found = settled(database)["stories"], texts(database)
    database.close()
    return found


@pytest.mark.later
@pytest.mark.parametrize(
    ("database_url", "executor"),
    [
        ("sqlite", "inline"),
        ("postgres", "processes"),
        pytest.param("sqlite", "processes", marks=pytest.mark.torture),
        pytest.param("postgres", "inline", marks=pytest.mark.torture),
    ],
    indirect=True,
)
def test_neither_workers_nor_portions_nor_restarts_change_a_text(
    database: Database, executor: Executor, expected: tuple[Any, Any]
) -> None:
    clock = Clock()
    rig = Rig(database, clock)
    entries = articles_of(ARTICLES)
    rng = Random(3)
    start = 0
    while start < len(entries):
        portion = rng.choice((1, 7, 40, 90))
        rig.accept(*entries[start : start + portion])
        start += portion
        pipeline = Pipeline(database, executor, Tuning(), clock)
        stop_after = rng.choice((1, 2, 99))
        for number, _ in enumerate(pipeline.place_waiting(), start=1):
            if number == stop_after:
                break  # as when it is asked to end: what was prepared ahead is lost
    list(Pipeline(database, executor, Tuning(), clock).place_waiting())
    assert (settled(database)["stories"], texts(database)) == expected


@pytest.mark.later
def test_lines_that_are_learnt_later_leave_earlier_texts_as_they_are(
    database: Database,
) -> None:
    rig, entries = Rig(database), articles_of(75)
    rig.take(*entries[:60])
    before = texts(database)[:60]
    rig.take(*entries[60:])
    stories = settled(database)
    rig.take(*entries)
    assert texts(database)[:60] == before
    assert settled(database) == stories


def test_a_new_footer_in_all_entries_of_a_feed_moves_nothing(
    database: Database,
) -> None:
    rig = Rig(database)
    days = [
        (own(n, title, "\n".join(said)), FOOTERS["Beacon"])
        for n, (title, said) in enumerate(events(30))
    ]
    rig.take(*(first for first, _ in days))
    shown = select(
        story.c.id, story.c.bumped_at, story.c.title, story.c.article_count
    ).order_by(story.c.id)
    placed = select(article.c.id, article.c.story).order_by(article.c.id)
    before = queried(database, shown).all(), queried(database, placed).all()
    rig.take(
        *(replace(first, text=f"{first.text}\n{footer}") for first, footer in days)
    )
    assert (queried(database, shown).all(), queried(database, placed).all()) == before
    assert all(
        text.endswith(FOOTERS["Beacon"]) for text in column(database, article.c.text)
    )


@pytest.mark.later
def test_a_batch_that_fails_at_its_end_and_is_repeated_gives_the_same(
    database: Database, expected: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    Rig(database).accept(*articles_of(ARTICLES))
    waiting = read_by(database, inbox.ready, ARTICLES)
    items = tuple(
        EntryInput(entry=one.entry, accepted_at=one.accepted_at) for one in waiting
    )
    answer = prepare(msgspec.msgpack.encode(PrepareJob(items=items)))
    prepared = msgspec.msgpack.decode(answer, type=PrepareResult).prepared
    batch, placing = list(zip(waiting, prepared, strict=True)), placing_of(database)

    def fail(_: object) -> None:
        raise RuntimeError("at its end")

    with monkeypatch.context() as broken:
        broken.setattr(placing.services.stream, "write_counts", fail)
        with pytest.raises(RuntimeError):
            placing.place(batch)
    placing.place(batch)
    assert (settled(database)["stories"], texts(database)) == expected


WALL = [
    "Readers who pay two crowns a week may read the whole of this report in the paper",
    "The others find a summary of all that matters at the counters of the harbour office",
    "Write to the publisher about subscriptions before the end of every single month",
]


@pytest.mark.later
def test_texts_of_nothing_but_learnt_lines_count_with_their_headlines(
    database: Database,
) -> None:
    rig = Rig(database)
    rig.take(
        *(
            own(n, title, "\n".join([*said, *WALL]))
            for n, (title, said) in enumerate(events(25))
        )
    )
    only = rig.take(*(own(100 + n, HEADLINES[n], "\n".join(WALL)) for n in range(5)))
    assert len({placed.story for placed in only}) == 5
    found = select(article.c.verdict, article.c.text).where(
        article.c.id.in_([one.article for one in only])
    )
    assert set(map(tuple, queried(database, found))) == {("stub", "")}
    before = texts(database), settled(database)
    assert recluster(database).moved == 0
    assert (texts(database), settled(database)) == before


# --- walls -------------------------------------------------------------------------------------------------

NOTICE = """A word from the publisher of this paper before you go on to what you came here for today.
Reading here means that certain small files are put on your machine by us and by those who work with us.
They let us know which pieces are read and by how many, and they let others show you what they sell.
Whoever would rather not have it so may say no here and pay two crowns a week for the same pleasure.
Request number {number} of today, kept for thirty days and then thrown away with all the others."""


HEADLINES = rows("repeating", "headlines")


def pages() -> list[tuple[Entry, str]]:
    """Entries of one feed with the page that each of them got."""
    rng, found = Random(23), []
    for number, title in enumerate(HEADLINES):
        one = Entry(
            source="feed",
            guid=str(number),
            url=f"https://lantern.example/{number}",
            title=title,
            html=f"<p>{title}: more about it in the paper, page {number}.</p>",
        )
        lines = NOTICE.format(number=rng.randint(10**6, 10**7)).split("\n")
        body = "".join(f"<p>{line}</p>" for line in lines)
        found.append((one, f"<html><body><main>{body}</main></body></html>"))
    return found


def with_pages(rig: Rig, given: list[tuple[Entry, str]]) -> None:
    for one, page in given:
        rig.brings(rig.waits(one), page.encode(), one.url)
    rig.place()


def test_twenty_pages_with_one_unknown_notice_make_no_story(database: Database) -> None:
    given = pages()
    with_pages(Rig(database), given)
    counts = column(database, story.c.article_count)
    held = column(database, article.c.text)
    columns = (entry.c.verdict, entry.c.page_verdict, entry.c.reason)
    said = [
        tuple(row)
        for row in queried(database, select(*columns).order_by(entry.c.entry_no))
    ]
    assert counts == [1] * 20
    assert ["certain small files" in text for text in held] == [True] + [False] * 19
    assert all("more about it" in text for text in held[1:]), (
        "the feed's own words are taken"
    )
    assert said[0] == ("ok", None, None)
    assert all(
        page == "consent" and "a notice" in reason for _, page, reason in said[1:]
    )
    assert {verdict for verdict, _, _ in said[1:]} <= {"ok", "stub"}
    assert len(said) == 20


@pytest.mark.later
def test_the_same_notices_one_by_one_and_after_restarts(
    database: Database, tmp_path: Path
) -> None:
    with_pages(Rig(database), pages())
    other = fresh(tmp_path, "other")
    for one in pages():
        with_pages(Rig(other), [one])
    assert texts(other) == texts(database)
    other.close()


@pytest.mark.parametrize(
    ("outlet", "headline"), [("Lantern", "Update: {}"), ("Beacon", "Nobody saw it")]
)
def test_a_brief_printed_again_under_a_like_headline_or_by_another_outlet_is_no_wall(
    database: Database, outlet: str, headline: str
) -> None:
    rig = Rig(database)
    title, said = mentions(Random(5))
    text = "\n".join(said)
    rig.take(
        record("Lantern", "1", title, text, published=None),
        record(outlet, "2", headline.format(title), text, published=None),
    )
    assert column(database, article.c.text) == [text, text]


def test_a_text_that_tells_of_its_new_headline_is_no_wall(database: Database) -> None:
    rig = Rig(database)
    text = "\n".join([
        "The ferry of Isk sails again after nine weeks in the dock, its owner said on Monday morning.",
        "Engineers had found rust in both of its engines and waited long for spare parts from abroad.",
    ])  # fmt: skip
    titles = ("Ferry of Isk sails again", "Engineers waited long for spare parts")
    rig.take(
        *(
            record("Lantern", str(n), title, text, published=None)
            for n, title in enumerate(titles)
        )
    )
    assert column(database, article.c.text) == [text, text]


@pytest.mark.later
def test_only_the_last_articles_of_an_outlet_count(tmp_path: Path) -> None:
    database = fresh(tmp_path, "window")
    all_tuning = Tuning({"boilerplate": {"window": 24}})
    entries = [one for one in articles_of(ARTICLES * 2) if one.outlet == "Lantern"]
    plain = [
        record("Lantern", f"p {n}", *map("\n".join, ([t], s)), published=None)
        for n, (t, s) in enumerate(events(20))
    ]
    Rig(database, Clock(), all_tuning).take(*entries[:30], *plain, *entries[30:32])
    held = (
        queried(database, select(outlet_line.c.article).order_by(outlet_line.c.article))
        .scalars()
        .all()
    )
    taken = taken_out(database, "Lantern")
    database.close()
    assert held == list(range(29, 53))
    assert taken[29] == (FOOTERS["Lantern"],)
    assert taken[-2:] == [(), ()], "only four of the last 24 have it"


def events(count: int) -> list[tuple[str, list[str]]]:
    rng = Random(99)
    return [mentions(rng) for _ in range(count)]


# --- in another's name -------------------------------------------------------------------------------------


def own(number: int, title: str, text: str) -> Entry:
    """An entry of the Lantern's own feed."""
    url = f"https://lantern.example/{number}"
    return record(
        "lantern feed",
        str(number),
        title,
        text,
        url=url,
        outlet="Lantern",
        authority="own",
        published=None,
    )


def forged(number: int, title: str, text: str, *, at: str = "rogue.example") -> Entry:
    """An entry of another feed that calls itself the Lantern in its <source>."""
    authority = "own" if at == "rogue.example" else "foreign"
    url = f"https://{at}/{number}"
    return record(
        "rogue feed",
        str(number),
        title,
        text,
        url=url,
        outlet="Lantern",
        authority=authority,
        published=None,
    )


@pytest.mark.parametrize("at", ["rogue.example", "lantern.example"])
def test_a_feed_cannot_teach_lines_in_the_name_of_an_outlet(
    database: Database, at: str
) -> None:
    rig = Rig(database)
    true = "The levee of Pennmouth broke at four in the morning, the mayor said."
    fakes = [(title, "\n".join([true, *said])) for title, said in events(30)]
    rig.take(*(forged(number, *fake, at=at) for number, fake in enumerate(fakes)))
    (title, said), *_ = events(31)[30:]
    (placed,) = rig.take(own(99, title, "\n".join([true, *said])))
    text = value(database, article.c.text, article.c.id == placed.article)
    assert text.startswith(true)


def test_a_feed_cannot_make_a_wall_of_an_outlets_article(database: Database) -> None:
    rig = Rig(database)
    _, said = mentions(Random(5))
    text = "\n".join(said)
    rig.take(forged(1, HEADLINES[2], text))
    (placed,) = rig.take(own(2, HEADLINES[7], text))
    assert value(database, article.c.text, article.c.id == placed.article) == text
