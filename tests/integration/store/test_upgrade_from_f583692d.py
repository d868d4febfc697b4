"""A database of commit f583692d becomes that of today, and nothing in it is lost; its export is refused.

The last program that merged texts made both (tests/support/make_upgrade_fixture.py).
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest
import zstandard
from sqlalchemy import inspect, text

from aggregator.admin.import_rows import open_lines
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.integrity_check import faults
from aggregator.store.migrate import check, newest_revision, upgrade
from aggregator.store.stories.rendered_stories import count_unrendered, render_next
from aggregator.store.tables import VIEWS
from aggregator.stories.story_tuning import shipped_tuning
from tests.support.articles import STRIKE, Rig, record
from tests.support.former_database import observed_once, with_former_rows
from tests.support.former_database import rows_of_tables as _rows
from tests.support.former_database import rows_of_views as _views
from tests.support.make_upgrade_fixture import Fixture
from tests.support.rows import executed, queried, read_by

Row = dict[str, Any]

_FIXTURE = Fixture("f583692d")
_STORIES = 15  # of these ...
_LIVE = 13
_WITHOUT_TEXTS = 3  # ... whose texts retention deleted


@pytest.fixture
def former(database_url: str) -> Iterator[Database]:
    """The database of the former program, once for each kind."""
    with closing(Database(database_url)) as database:
        with_former_rows(database, _FIXTURE)
        yield database


def test_an_upgrade_keeps_every_row(former: Database) -> None:
    before, views = _rows(former), _views(former)
    assert upgrade(former) == ("0033", newest_revision())
    check(former)
    after = _rows(former)
    for new in ("known_items", "standing", "mute", "source_access", "affinity"):
        assert after.pop(new) == []
    assert before.pop("lsh_band")
    before["observation"] = observed_once(before["observation"])
    del before["unstable_identifier"], before["story_link"]
    assert before.pop("story_summary")
    assert after.keys() == before.keys()
    for article in before["article"]:
        del article["follows"]  # earlier and later stories are those of its storyline
        article["is_compared"] = article.pop("counts_in_centroid")
        article["version_of"] = article["claimed_outlet"] = article["html"] = article[
            "record_id"
        ] = None
    assert {article["is_compared"] for article in before["article"]} == {True, False}
    for mark in before["read_mark"]:
        mark["labels"] = None
    newest = max(row["inbox_no"] for row in before["article"])
    after["counter"].remove({"name": "affinity_until", "value": newest})
    for row in before["counter"]:
        if row["name"] in ("searchable", "unindexed"):
            row["value"] = newest  # the full-text index is made anew
    for table in before.keys() - {
        "alembic_version",
        "story",
        "sketch",
    }:
        assert after[table] == before[table], table
    with_texts = {
        row["inbox_no"] for row in before["article"] if row["text"] is not None
    }
    assert {row["article"] for row in after["sketch"]} == with_texts
    copies = {
        row["inbox_no"] for row in before["article"] if row["copy_of"]
    } & with_texts
    lengths = [
        sum(len(row["hashes"]) for row in rows["sketch"] if row["article"] in copies)
        for rows in (before, after)
    ]
    assert lengths[0] < lengths[1] / 2, (
        "of copies only what their originals had not was stored"
    )
    kept = _stories_without_texts(before)
    for story, former_story in zip(after["story"], before["story"], strict=True):
        rendered, merged = story.pop("rendered"), former_story.pop("merged_story")
        assert former_story.pop("centroid") is not None
        assert story.pop("storyline") is None
        del former_story["count_state"]  # what a story counts follows from its articles
        if story["redirect_to"] is not None:
            assert rendered == merged
        elif story["id"] in kept:
            _check_plain_form(_unpacked(rendered), _unpacked(merged))
        else:
            assert (story.pop("text"), rendered) == (None, None)
            del former_story["text"]
        assert story == former_story
    for row in views["v_story_articles"]:
        row["record_id"] = None
    for row in views["v_stories"]:
        row["storyline"] = None
    views |= {"v_storylines": [], "v_follows": [], "v_story_links": []}
    assert {name: _without_text(rows) for name, rows in _views(former).items()} == {
        name: _without_text(rows) for name, rows in views.items()
    }


def _check_plain_form(plain: Row, merged: Row) -> None:
    """Title and opening are as they were; the openings of the samples are of one report each."""
    words = " ".join(sentence["text"] for sentence in merged["summary"])
    assert plain == {
        "title": merged["title"],
        "lead": [{"text": words, "article_id": merged["summary"][0]["article"]}],
        "openings": [],
        "quotations": [],
        "version": 1,
    }


@pytest.mark.later
def test_afterwards_stories_are_rendered_and_the_database_is_sound(
    former: Database,
) -> None:
    upgrade(former)
    assert read_by(former, count_unrendered) == _LIVE - _WITHOUT_TEXTS
    _render(former)
    rows = _rows(former)
    live = [row for row in rows["story"] if row["redirect_to"] is None]
    assert len(live) == _LIVE
    assert all(row["rendered"] is not None and row["text"] is not None for row in live)
    of_several = [
        row
        for row in live
        if row["article_count"] > 1 and row["id"] not in _stories_without_texts(rows)
    ]
    assert len(of_several) == 4
    assert all(row["text"] for row in of_several)
    assert list(faults(former)) == []


@pytest.mark.later
def test_views_of_users_survive_even_broken_ones(former: Database) -> None:
    executed(
        former,
        text("CREATE VIEW v_mine AS SELECT id, merged_story AS shown FROM story"),
    )
    if former.is_sqlite:  # which lets a view stay whose column is no more
        executed(former, text("CREATE VIEW v_broken AS SELECT gone FROM story"))
    upgrade(former)
    assert len(queried(former, text("SELECT id, shown FROM v_mine")).all()) == _STORIES
    names = set(
        read_by(former, lambda connection: inspect(connection).get_view_names())
    )
    assert names - VIEWS == {"v_mine", *(["v_broken"] if former.is_sqlite else [])}


@pytest.mark.later
def test_a_view_of_all_columns_survives(former: Database) -> None:
    """PostgreSQL drops no column that a view shows: there it stays without values, and placing goes on."""
    executed(former, text("CREATE VIEW v_mine AS SELECT * FROM story"))
    upgrade(former)
    shown = [
        dict(row) for row in queried(former, text("SELECT * FROM v_mine")).mappings()
    ]
    assert len(shown) == _STORIES
    assert {row.get("centroid") for row in shown} == {None}
    check(former)
    report = record(
        "Harbour Post",
        "1",
        "Grain ship runs aground off Sennick",
        f"{STRIKE} It lay on a bank.",
    )
    assert [one.outcome for one in Rig(former).take(report)] == ["founded"]


@pytest.mark.later
def test_after_the_upgrade_copies_of_the_former_articles_are_found(
    former: Database,
) -> None:
    """Of originals, of copies, and of short texts; with up to three words changed."""
    upgrade(former)
    stored = [row for row in _rows(former)["article"] if row["text"] is not None]
    rig = Rig(former)
    reprints = []
    for number, row in enumerate(stored):
        words = row["text"].split()
        for at in range(number % 4 if len(words) > 40 else 0):
            words[len(words) // 2 + at] = f"another{at}"
        reprints.append(record(f"Reprint {number}", "1", row["title"], " ".join(words)))
    rig.take(*reprints)
    family = {row["id"]: row["copy_of"] or row["id"] for row in stored}
    placed = _rows(former)["article"][-len(stored) :]
    expected = [family[row["id"]] for row in stored]
    assert [family.get(row["copy_of"], row["copy_of"]) for row in placed] == expected


def test_the_former_export_is_refused_with_the_way_to_go(database: Database) -> None:
    with (
        pytest.raises(UsageError, match="of a program before"),
        open_lines(str(_FIXTURE.export)),
    ):
        pass


# --- helpers -----------------------------------------------------------------------------------------------


def _without_text(rows: list[Row]) -> list[Row]:
    return sorted(({**row, "text": None} for row in rows), key=repr)


def _stories_without_texts(rows: dict[str, list[Row]]) -> set[str]:
    """Return the ids of the stories whose texts retention deleted."""
    with_texts = {row["story"] for row in rows["article"] if row["text"] is not None}
    return {row["story"] for row in rows["article"]} - with_texts


def _unpacked(blob: bytes) -> Any:
    return msgspec.msgpack.decode(zstandard.decompress(blob))


def _render(database: Database) -> None:
    while render_next(database, 5, shipped_tuning()):
        pass
