"""Copies and excerpts through the real pipeline: found from rows or from memory alike, and bounded."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.copies.sampled_shingles import held
from aggregator.model.core import Entry, Evidence
from aggregator.model.errors import AggregatorError
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.stories import articles
from aggregator.store.tables import article, lsh_band, sketch, story
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE, Clock, Rig, record, settled
from tests.support.deep_checks import faults
from tests.support.fresh import with_tables
from tests.support.rows import queried, rename

TUNING = Tuning().section("copies", CopyTuning)
WORDS = sorted(set((FLOOD + FLOOD_ELSEWHERE + STRIKE).split()))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Rig]]:
    """As many desks as one likes, each with an empty SQLite file: what is long is run on one database."""
    opened: list[Database] = []

    def make() -> Rig:
        opened.append(Database(f"sqlite:///{tmp_path / f'{len(opened)}.db'}"))
        with_tables(opened[-1])
        return Rig(opened[-1], Clock(NOON))

    yield make
    for database in opened:
        database.close()


def prose(seed: str, words: int) -> str:
    """Invented sentences of real words; two seeds share no run of words to speak of."""
    rng = random.Random(seed)
    text = [word.strip(".,").lower() for word in rng.choices(WORDS, k=words)]
    sentences = [text[at : at + 14] for at in range(0, words, 14)]
    return " ".join(" ".join(sentence).capitalize() + "." for sentence in sentences)


def piece(outlet: str, name: str, text: str, title: str = "", **more: Any) -> Entry:
    words = random.Random(name).sample(WORDS, 6)
    return record(outlet, name, title or " ".join(words).capitalize(), text, published=NOON, **more)


def links(database: Database) -> dict[str, tuple[str, str | None]]:
    """By title: role, and the title of what it is linked to."""
    rows = queried(database, select(article.c.id, article.c.title, article.c.role, article.c.copy_of))
    held_rows = [tuple(row) for row in rows]
    title_of = {id_: title for id_, title, _, _ in held_rows}
    return {title: (role, title_of[copy_of] if copy_of else None) for _, title, role, copy_of in held_rows}


def finders(database: Database) -> list[list[tuple[Any, ...]]]:
    """The rows by which articles are found."""
    tables = (lsh_band, sketch)
    return [[tuple(row) for row in queried(database, select(table).order_by(*table.c))] for table in tables]


def part(text: str, start: int, words: int) -> str:
    return " ".join(text.split()[start : start + words])


def test_an_excerpt_is_linked_to_its_whole_whichever_came_first(rig: Rig) -> None:
    first, second = prose("first", 600), prose("second", 600)
    whole = piece("Gazette", "1", first, "Whole that came first")
    cut = piece("Courier", "2", part(first, 300, 60), "Excerpt that came later")
    early = piece("Herald", "3", part(second, 200, 60), "Excerpt that came first")
    late = piece("Gazette", "4", second, "Whole that came later")
    rig.take(whole, cut, early, late)
    found = links(rig.database)
    assert found["Excerpt that came later"] == ("excerpt", "Whole that came first")
    # What came first keeps its word: the whole says what it holds, and may be a page stuffed with it.
    assert found["Excerpt that came first"] == ("report", None)
    rows = queried(rig.database, select(article.c.title, article.c.id, article.c.evidence)).all()
    id_of = {row.title: row.id for row in rows}
    evidence = {row.title: codecs.unpack(row.evidence, Evidence) for row in rows}
    held = evidence["Whole that came later"].excerpts
    assert [(one.other, one.kind) for one in held] == [(id_of["Excerpt that came first"], "excerpt")]
    assert found["Whole that came later"][0] == "report", "linked, never merged"


def test_a_cut_to_two_fifths_is_a_copy(rig: Rig) -> None:
    texts = {f"Long report {at}": prose(f"cut {at}", 700) for at in range(8)}
    rig.take(*(piece("Gazette", title, text, title) for title, text in texts.items()))
    rig.take(
        *(
            piece("Courier", f"{at}", part(text, 0, 280), f"{at} cut")
            for at, text in enumerate(texts.values())
        )
    )
    found = links(rig.database)
    assert [found[f"{at} cut"] for at in range(8)] == [("copy", f"Long report {at}") for at in range(8)]


def mixture(seed: int, count: int) -> list[Entry]:
    """Articles, their copies, cuts, excerpts before and after, and revisions."""
    rng = random.Random(seed)
    texts = [prose(f"{seed} {at}", rng.randint(60, 500)) for at in range(count // 4)]
    entries = []
    for at in range(count):
        text = rng.choice(texts)
        start = rng.randrange(max(1, len(text.split()) - 70))
        changed = rng.choice([text, text + " " + prose(f"more {at}", 60), part(text, start, 70), text])
        entries.append(
            piece(rng.choice(["Gazette", "Courier", "Herald"]), f"{rng.randrange(count)}", changed)
        )
    return entries


@pytest.mark.later
def test_rows_and_memory_answer_alike(fresh: Callable[[], Rig]) -> None:
    """One rig forgets after every article, so it asks the rows; the other one has its index in memory."""
    going, forgetting = fresh(), fresh()
    for one in mixture(20261, 44):
        going.take(one)
        forgetting.take(one)
        forgetting.restart()
    assert settled(going.database)["articles"] == settled(forgetting.database)["articles"]
    assert finders(going.database) == finders(forgetting.database)
    roles = {row[3] for row in settled(going.database)["articles"]}
    assert {"report", "copy", "excerpt"} <= roles


def test_what_waits_is_found(rig: Rig) -> None:
    (placed,) = rig.take(piece("Herald", "1", FLOOD))
    finder, keys = CopyFinder(Tuning()), (7, 8)
    with rig.database.read() as connection:
        stored = articles.latest(connection, placed.article)
        assert stored is not None
        new = msgspec.structs.replace(stored, inbox_no=9, bands=keys)
        waiting = [
            msgspec.structs.replace(stored, inbox_no=5, bands=keys),
            msgspec.structs.replace(stored, inbox_no=3, bands=keys[:1]),
            msgspec.structs.replace(stored, inbox_no=10, bands=keys),  # which comes after it
        ]
        assert finder.voted(connection, new, waiting) == [5, 3]
        assert finder.voted(connection, new) == [], "they have no rows"


@pytest.mark.later
def test_memory_is_as_before_after_a_batch_that_failed(fresh: Callable[[], Rig]) -> None:
    entries = mixture(7, 40)
    disturbed, straight = fresh(), fresh()
    straight.take(*entries[:24])
    straight.take(*entries[24:])
    disturbed.take(*entries[:24])
    disturbed.accept(*entries[24:])
    rename(disturbed.database, "story_log", "away")
    with pytest.raises((SQLAlchemyError, AggregatorError)):
        disturbed.place()
    rename(disturbed.database, "away", "story_log")
    disturbed.place()
    assert finders(disturbed.database) == finders(straight.database)
    assert settled(disturbed.database)["articles"] == settled(straight.database)["articles"]


@pytest.mark.later
def test_a_wire_family_of_seventy_finds_its_copy_and_its_excerpts(fresh: Callable[[], Rig]) -> None:
    """More members than a shingle may have: a family holds its shingles once."""
    rig = fresh()
    wire = prose("wire", 400)
    rig.take(piece("Agency", "wire", wire, "The wire text"))
    for at in range(70):
        framed = f"{prose(f'before {at}', 20)}\n{wire}\n{prose(f'after {at}', 40)}"
        rig.take(piece(f"Outlet {at}", f"{at}", framed))
    rig.take(piece("Last", "excerpt", part(wire, 150, 60), "An excerpt after all"))
    roles = queried(rig.database, select(article.c.role).order_by(article.c.inbox_no)).scalars().all()
    hashes = [len(held(blob)) for blob in queried(rig.database, select(sketch.c.hashes)).scalars()]
    assert roles[1:71] == ["copy"] * 70
    assert links(rig.database)["An excerpt after all"][1] is not None
    assert sum(hashes) < 3 * hashes[0], "what copies share is held once; a flood adds nothing"


@pytest.mark.later
def test_a_form_filled_in_again_and_again_holds_little_and_hides_nobody(fresh: Callable[[], Rig]) -> None:
    """The weather of one outlet, every day: no copies, and no key or shingle grows without end."""
    rig = fresh()
    form = prose("form", 120).split()
    days = []
    for at in range(120):
        rng = random.Random(at)
        filled = [str(rng.randrange(100, 999)) if place % 9 == 4 else word for place, word in enumerate(form)]
        days.append(f"{' '.join(filled)} {prose(f'day {at}', 60)}")
    rig.take(*(piece("Weather", f"{at}", day, f"The weather on day {at}") for at, day in enumerate(days)))
    rig.take(piece("Courier", "reprint", days[-1], "Tomorrow's weather"))
    found = links(rig.database)
    assert {found[f"The weather on day {at}"][0] for at in range(120)} <= {"report"}
    assert found["Tomorrow's weather"] == ("copy", "The weather on day 119")
    keys = (
        queried(rig.database, select(func.count(lsh_band.c.article)).group_by(lsh_band.c.band))
        .scalars()
        .all()
    )
    blobs = queried(rig.database, select(sketch.c.hashes)).scalars().all()
    shingles: dict[int, int] = {}
    for blob in blobs:
        for hash_ in held(blob).tolist():
            shingles[hash_] = shingles.get(hash_, 0) + 1
    assert max(keys) <= TUNING.key_cap
    assert max(shingles.values()) <= TUNING.key_cap


def test_a_text_that_came_after_its_headline_is_found_by_its_copies(rig: Rig) -> None:
    rig.take(record("Herald", "1", "Levee breaks at Pennmouth", "", published=NOON))
    rig.take(record("Herald", "1", "Levee breaks at Pennmouth", FLOOD, published=NOON))
    (copy,) = rig.take(record("Post", "1", "Levee breaks", FLOOD, published=NOON))
    assert copy.outcome == "copy"


def test_reuse_of_an_agencys_words_is_one_origin_with_its_evidence(rig: Rig) -> None:
    whole = prose("agency", 420)
    rewritten = f"{prose('own', 180)} {part(whole, 0, 140)}"
    title = "Harbour bridge of Pennmouth closed after storm"
    rig.take(piece("Reuters", "wire", whole, title), piece("Lantern", "rewritten", rewritten, title))
    rows = queried(rig.database, select(article).order_by(article.c.inbox_no)).all()
    counted = queried(
        rig.database, select(story.c.article_count, story.c.outlet_count, story.c.report_count)
    ).all()
    agency, reuse = rows
    assert [tuple(row) for row in counted] == [(2, 2, 1)]
    assert (reuse.role, reuse.copy_of, reuse.reuses) == ("report", None, agency.id)
    evidence = codecs.unpack(reuse.evidence, Evidence)
    assert evidence.reuse.other == agency.id
    assert evidence.reuse.share > TUNING.reuse_share
    assert not list(faults(rig.database, now=rig.clock()))
