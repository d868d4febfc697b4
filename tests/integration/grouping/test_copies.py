"""Copies and excerpts through the real pipeline: found from rows or from memory alike, and bounded."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.sampled_shingles import hashes_of_sketch
from aggregator.grouping.deletion.forget_articles import ForgetCommand
from aggregator.intake.recluster.rebuild import rebuild
from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.tables import article, sketch, story
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Clock,
    Rig,
    page_of,
    record,
    settled,
)
from tests.support.deep_checks import faults
from tests.support.fresh import sqlite_file, with_tables
from tests.support.rows import column, executed, queried
from tests.support.story_checks import recluster

TUNING = Tuning().section("copies", CopyTuning)
WORDS = sorted(set((FLOOD + FLOOD_ELSEWHERE + STRIKE).split()))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Rig]]:
    """As many desks as one likes, each with an empty SQLite file: what is long is run on one database."""
    opened: list[Database] = []

    def make() -> Rig:
        opened.append(sqlite_file(tmp_path / f"{len(opened)}.db"))
        with_tables(opened[-1])
        return Rig(opened[-1], Clock(NOON))

    yield make
    for database in opened:
        database.close()


def prose(seed: str, words: int) -> str:
    """Invented sentences of real words; two seeds share no run of words to speak of."""
    rng = Random(seed)
    text = [word.strip(".,").lower() for word in rng.choices(WORDS, k=words)]
    sentences = [text[at : at + 14] for at in range(0, words, 14)]
    return " ".join(" ".join(sentence).capitalize() + "." for sentence in sentences)


def piece(outlet: str, name: str, text: str, title: str = "", **more: Any) -> Entry:
    words = Random(name).sample(WORDS, 6)
    return record(
        outlet,
        name,
        title or " ".join(words).capitalize(),
        text,
        **more,
    )


def links(database: Database) -> dict[str, tuple[str, str | None]]:
    """By title: role, and the title of what it is linked to."""
    rows = queried(
        database,
        select(article.c.id, article.c.title, article.c.role, article.c.copy_of),
    )
    held_rows = [tuple(row) for row in rows]
    title_of = {id_: title for id_, title, _, _ in held_rows}
    return {
        title: (role, title_of[copy_of] if copy_of else None)
        for _, title, role, copy_of in held_rows
    }


def sketches(database: Database) -> dict[int, bytes]:
    """The rows by which articles are found."""
    return {
        row.article: bytes(row.hashes)
        for row in queried(database, select(sketch).order_by(sketch.c.article))
    }


def part(text: str, start: int, words: int) -> str:
    return " ".join(text.split()[start : start + words])


def test_an_excerpt_is_linked_to_its_whole_whichever_came_first(rig: Rig) -> None:
    first, second = prose("first", 600), prose("second", 600)
    whole = piece("Gazette", "1", first, "Whole that came first")
    cut = piece("Courier", "2", part(first, 300, 60), "Excerpt that came later")
    early = piece("Herald", "3", part(second, 200, 60), "Excerpt that came first")
    rig.take(whole, cut, early, piece("Gazette", "4", second, "Whole that came later"))
    found = links(rig.database)
    assert found["Excerpt that came later"] == ("excerpt", "Whole that came first")
    # What came first keeps its word: the whole says what it holds, and may be a page stuffed with it.
    assert found["Excerpt that came first"] == ("report", None)
    rows = queried(
        rig.database, select(article.c.title, article.c.id, article.c.evidence)
    ).all()
    id_of = {row.title: row.id for row in rows}
    evidence = {row.title: codecs.unpack(row.evidence, Evidence) for row in rows}
    held = evidence["Whole that came later"].excerpts
    assert [(one.other, one.kind) for one in held] == [
        (id_of["Excerpt that came first"], "excerpt")
    ]
    assert found["Whole that came later"][0] == "report", "linked, never merged"


def mixture(seed: int, count: int) -> list[Entry]:
    """Articles, their copies, cuts, excerpts before and after, and revisions."""
    rng = Random(seed)
    texts = [prose(f"{seed} {at}", rng.randint(60, 500)) for at in range(count // 4)]
    entries = []
    for at in range(count):
        text = rng.choice(texts)
        start = rng.randrange(max(1, len(text.split()) - 70))
        changed = rng.choice(
            [text, text + " " + prose(f"more {at}", 60), part(text, start, 70), text]
        )
        entries.append(
            piece(
                rng.choice(["Gazette", "Courier", "Herald"]),
                f"{rng.randrange(count)}",
                changed,
            )
        )
    return entries


@pytest.mark.later
@pytest.mark.parametrize("live_reach", [3, 1000])
def test_rows_and_memory_answer_alike(
    fresh: Callable[[], Rig], live_reach: int
) -> None:
    """One rig forgets after every article, so it asks the rows; the other one has its index in memory.

    Also where all but the newest stories are no more in memory.
    """
    tuning = Tuning({"events": {"live_reach": live_reach}})
    going, forgetting = (Rig(fresh().database, Clock(NOON), tuning) for _ in range(2))
    for one in mixture(20261, 44):
        going.take(one)
        forgetting.take(one)
        forgetting.restart()
    assert (
        settled(going.database)["articles"] == settled(forgetting.database)["articles"]
    )
    assert sketches(going.database) == sketches(forgetting.database)
    roles = {row[3] for row in settled(going.database)["articles"]}
    assert {"report", "copy", "excerpt"} <= roles


@pytest.mark.later
def test_a_wire_family_of_seventy_finds_its_copy_and_its_excerpts(
    fresh: Callable[[], Rig],
) -> None:
    """More members than a shingle may have: the first of a family hold its shingles."""
    rig = fresh()
    wire = prose("wire", 400)
    rig.take(piece("Agency", "wire", wire, "The wire text"))
    for at in range(70):
        framed = f"{prose(f'before {at}', 20)}\n{wire}\n{prose(f'after {at}', 40)}"
        rig.take(piece(f"Outlet {at}", f"{at}", framed))
    rig.take(piece("Last", "excerpt", part(wire, 150, 60), "An excerpt after all"))
    roles = column(rig.database, article.c.role)
    stored = sketches(rig.database)
    assert roles[1:71] == ["copy"] * 70
    assert links(rig.database)["An excerpt after all"][1] is not None
    assert [*stored][:9] == [*range(1, 10)]
    assert {*stored} <= {*range(1, 10), 72}, (
        "the first eight copies and the excerpt; a flood adds nothing"
    )


@pytest.mark.later
def test_a_form_filled_in_again_and_again_holds_little_and_hides_nobody(
    fresh: Callable[[], Rig],
) -> None:
    """The weather of one outlet, every day: no copies, and no key or shingle grows without end."""
    rig = fresh()
    form = prose("form", 120).split()
    days = []
    for at in range(120):
        rng = Random(at)
        filled = [
            str(rng.randrange(100, 999)) if place % 9 == 4 else word
            for place, word in enumerate(form)
        ]
        days.append(f"{' '.join(filled)} {prose(f'day {at}', 60)}")
    rig.take(
        *(
            piece("Weather", f"{at}", day, f"The weather on day {at}")
            for at, day in enumerate(days)
        )
    )
    rig.take(piece("Courier", "reprint", days[-1], "Tomorrow's weather"))
    found = links(rig.database)
    assert {found[f"The weather on day {at}"][0] for at in range(120)} <= {"report"}
    assert found["Tomorrow's weather"] == ("copy", "The weather on day 119")
    shingles = Counter(
        hash_
        for blob in sketches(rig.database).values()
        for hash_ in hashes_of_sketch(blob).tolist()
    )
    assert max(shingles.values()) == TUNING.key_cap


def changed(text: str, words: int, seed: str) -> str:
    """The text with so many words changed, anywhere."""
    rng, given = Random(seed), text.split()
    for at in rng.sample(range(len(given)), words):
        given[at] = f"other{at}"
    return " ".join(given)


@pytest.mark.parametrize(
    ("days", "outlet", "text", "printed_again"),
    [
        (200, "Herald", FLOOD, True),  # at a new address
        (200, "Echo", FLOOD, True),
        (200, "Herald", f"{FLOOD} {STRIKE}", False),  # it has news
        (200, "Herald", STRIKE, False),
        (2, "Echo", FLOOD, False),  # a copy of the day
    ],
)
def test_an_old_text_that_is_printed_again_is_as_old_as_it_was(
    rig: Rig, days: int, outlet: str, text: str, printed_again: bool
) -> None:
    old = NOON - timedelta(days=days)
    rig.take(record("Herald", "1", "Levee breaks", FLOOD, published=old))
    (first,) = queried(rig.database, select(story)).all()
    again = record(outlet, "2", "Levee breaks", text)
    rig.take(replace(again, authority="own"))
    (present,) = queried(rig.database, select(story).where(story.c.id == first.id))
    is_as_old = (
        present.article_count == 2
        and present.bumped_at == first.bumped_at
        and present.last_published == old
    )
    assert is_as_old is printed_again
    newest = queried(rig.database, select(article).order_by(article.c.inbox_no)).all()[
        -1
    ]
    assert newest.published == NOON


def test_what_a_copy_and_an_excerpt_have_of_their_own_is_copied_in_turn(
    rig: Rig,
) -> None:
    whole, own = prose("whole", 420), prose("own", 170)
    version, cut = f"{part(whole, 0, 260)} {own}", part(whole, 300, 100)
    rig.take(
        piece("Agency", "1", whole, "Storm closes harbour bridge"),
        piece("Herald", "2", version, "Storm closes harbour bridge, says mayor"),
        piece("Courier", "3", cut, "What the harbour master saw"),
        piece(
            "Post",
            "4",
            f"{part(whole, 200, 60)} {own}",
            "Storm closes bridge, says mayor",
        ),
        piece("Lantern", "5", changed(cut, 2, "cut"), "The harbour master saw it"),
    )
    assert links(rig.database) == {
        "Storm closes harbour bridge": ("report", None),
        "Storm closes harbour bridge, says mayor": (
            "copy",
            "Storm closes harbour bridge",
        ),
        "What the harbour master saw": ("excerpt", "Storm closes harbour bridge"),
        "Storm closes bridge, says mayor": (
            "copy",
            "Storm closes harbour bridge, says mayor",
        ),
        "The harbour master saw it": ("copy", "What the harbour master saw"),
    }


def test_a_flood_of_excerpts_hides_nobody(fresh: Callable[[], Rig]) -> None:
    """More than may have a shingle: what all of them repeat is searched still."""
    rig = fresh()
    speech = prose("speech", 500)
    rig.take(piece("Agency", "whole", speech, "The whole speech"))
    for at in range(60):
        rig.take(
            piece(f"Outlet {at}", f"{at}", part(speech, 100 + at, 100), f"Excerpt {at}")
        )
    rig.take(piece("Last", "last", part(speech, 120, 90), "The last excerpt"))
    found = links(rig.database)
    assert found["The last excerpt"][1] is not None
    assert {
        role for title, (role, _) in found.items() if title != "The whole speech"
    } <= {"excerpt", "copy"}
    stored = Counter(
        hash_
        for blob in sketches(rig.database).values()
        for hash_ in hashes_of_sketch(blob).tolist()
    )
    assert max(stored.values()) <= TUNING.exact_checks + 1


def test_copies_are_found_though_all_that_could_be_found_was_erased(rig: Rig) -> None:
    """What is stored of the first of a family goes over to a copy of which nothing was."""
    text = prose("family", 300)
    rig.take(piece("Agency", "first", text, "The whole report"))
    for at in range(12):
        (twelfth,) = rig.take(piece(f"Outlet {at}", f"{at}", text))
    assert [*sketches(rig.database)] == [*range(1, 10)]
    for id_ in column(rig.database, article.c.id)[:-1]:
        rig.pipeline.placer.erase(ForgetCommand(name=id_))
    assert [*sketches(rig.database)] == [13]
    placed = rig.take(piece("Late", "late", changed(text, 3, "late")))
    assert [one.outcome for one in placed] == ["copy"]
    copied = select(article.c.copy_of).order_by(article.c.inbox_no)
    assert queried(rig.database, copied).scalars().all() == [None, twelfth.article]
    assert not faults(rig.database, now=rig.clock())


def test_a_revised_copy_that_is_a_report_now_is_found_by_its_copies(rig: Rig) -> None:
    """Of the tenth copy nothing was stored; its page has another text."""
    text, page = prose("wire", 60), prose("page", 260)
    for at in range(10):
        rig.take(piece(f"Outlet {at}", f"{at}", text, "Ferry runs aground off Sennick"))
    number = rig.waits(
        piece(
            "Herald", "own", text, "Ferry runs aground", url="https://herald.example/f"
        )
    )
    rig.place()
    rig.comes(number, page_of(page, "Ferry runs aground"), "https://herald.example/f")
    assert links(rig.database)["Ferry runs aground"] == ("report", None)
    (copy,) = rig.take(piece("Post", "post", page, "Ferry runs aground at night"))
    assert copy.outcome == "copy"


def test_the_same_page_again_is_found_by_its_address_after_copies(rig: Rig) -> None:
    """Of copies of a flood nothing is stored by which their words are found; here within one batch, too."""
    url, text = "https://gazette.example/news/1?from=feed", prose("page", 200)
    for at in range(11):
        rig.take(piece(f"Outlet {at}", f"{at}", text))

    def listed(source: str, **more: Any) -> Entry:
        given = piece(
            source, "1", text + " Read on.", f"Bridge, {source}", url=url, **more
        )
        return replace(given, outlet=None)

    placed = rig.take(
        listed("bridge", authority="foreign"), listed("planet", authority="foreign")
    )
    assert [one.outcome for one in placed] == ["copy", "unchanged"]
    (own,) = rig.take(listed("gazette", authority="own"))
    assert own.outcome in ("revised", "unchanged")
    assert len(queried(rig.database, select(article.c.id)).all()) == 12


@pytest.mark.later
def test_what_is_stored_is_the_same_whatever_computes_it(rig: Rig) -> None:
    """At placing, in another grouping, by a repair."""
    rig.take(*mixture(3, 40))
    for at in range(12):
        rig.take(piece(f"Outlet {at}", f"flood {at}", prose("3 0", 90), "Bridge"))
    placed = sketches(rig.database)
    assert len(placed) < len(queried(rig.database, select(article.c.id)).all())
    recluster(rig.database)
    assert sketches(rig.database) == placed
    executed(rig.database, sketch.delete().where(sketch.c.article % 2 == 0))
    rebuild(rig.database, Tuning())
    assert sketches(rig.database) == placed


def test_a_text_that_came_after_its_headline_is_found_by_its_copies(rig: Rig) -> None:
    rig.take(record("Herald", "1", "Levee breaks at Pennmouth", ""))
    rig.take(record("Herald", "1", "Levee breaks at Pennmouth", FLOOD))
    (copy,) = rig.take(record("Post", "1", "Levee breaks", FLOOD))
    assert copy.outcome == "copy"


def test_reuse_of_an_agencys_words_is_one_origin_with_its_evidence(rig: Rig) -> None:
    whole = prose("agency", 420)
    rewritten = f"{prose('own', 180)} {part(whole, 0, 140)}"
    title = "Harbour bridge of Pennmouth closed after storm"
    rig.take(
        piece("Reuters", "wire", whole, title),
        piece("Lantern", "rewritten", rewritten, title),
    )
    rows = queried(rig.database, select(article).order_by(article.c.inbox_no)).all()
    counted = queried(
        rig.database,
        select(story.c.article_count, story.c.outlet_count, story.c.report_count),
    ).all()
    agency, reuse = rows
    assert [tuple(row) for row in counted] == [(2, 2, 1)]
    assert (reuse.role, reuse.copy_of, reuse.reuses) == ("report", None, agency.id)
    evidence = codecs.unpack(reuse.evidence, Evidence)
    assert evidence.reuse.other == agency.id
    assert evidence.reuse.share > TUNING.reuse_share
    assert not faults(rig.database, now=rig.clock())
