"""A database and an export of each release become those of today, and nothing in them is lost.

The released program made both (tests/support/make_upgrade_fixture.py). A revision that changes rows on purpose
says here what changes.
"""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import inspect, select, text

from aggregator.admin.import_rows import import_into, open_lines
from aggregator.store.engine.database import Database
from aggregator.store.maintenance import row_stream
from aggregator.store.maintenance.integrity_check import faults
from aggregator.store.migrate import check, newest_revision, upgrade
from aggregator.store.stories.rendered_stories import clear_rendered
from aggregator.store.tables import VIEWS, api_token, counter
from tests.support.articles import STRIKE, Rig, record
from tests.support.former_database import (
    observed_once,
    rows_of_tables,
    rows_of_views,
    with_former_rows,
)
from tests.support.fresh import opened_at
from tests.support.make_upgrade_fixture import Fixture
from tests.support.rows import executed, queried, read_by, written_by

# The releases, and the revision of their databases.
_REVISIONS = {"v0.1.0": "0046"}
_STORIES = 16


@pytest.fixture(params=_REVISIONS)
def release(request: pytest.FixtureRequest) -> str:
    """The tag of a release."""
    return str(request.param)


@pytest.fixture
def released(database_url: str, release: str) -> Iterator[Database]:
    """The database of the released program, once for each kind."""
    with closing(Database(database_url)) as database:
        with_former_rows(database, Fixture(release))
        yield database


def test_the_released_database_holds_what_an_upgrade_could_lose(
    released: Database,
) -> None:
    """Else the other tests here say little."""
    rows = rows_of_tables(released)
    live = [row for row in rows["story"] if row["redirect_to"] is None]
    assert (len(rows["story"]), len(live)) == (_STORIES, 14)
    assert max(row["outlet_count"] for row in live) == 4
    assert {row["role"] for row in rows["article"]} == {"report", "copy", "container"}
    assert {row["kind"] for row in rows["correction"]} == {"merge", "split", "move"}
    assert {bool(row["is_starred"]) for row in rows["read_mark"]} == {True, False}
    for table in ("api_token", "reader", "sketch", "story_link", "story_subject"):
        assert rows[table], table
    for table in ("story_summary", "tombstone", "known_items"):
        assert rows[table], table


def test_an_upgrade_keeps_every_row_and_what_views_show(
    released: Database, release: str
) -> None:
    before, views = rows_of_tables(released), rows_of_views(released)
    assert upgrade(released) == (_REVISIONS[release], newest_revision())
    check(released)
    after = rows_of_tables(released)
    for row in before["story"]:
        del row["count_state"]  # what a story counts follows from its articles
    before["observation"] = observed_once(before["observation"])
    del before["unstable_identifier"], before["story_summary"], before["story_link"]
    for row in before["article"]:
        del row["follows"]  # earlier and later stories are those of its storyline
    before["known_items"] = []  # feeds are read whole once
    newest = max(row["inbox_no"] for row in before["article"])
    for row in before["counter"]:
        if row["name"] in ("searchable", "unindexed"):
            row["value"] = newest  # the full-text index is made anew
    # Every story stands alone until the last days are compared.
    assert after.pop("affinity") == []
    assert after.pop("muted_story") == after.pop("storyline_union") == []
    for row in after["story"]:
        assert row.pop("storyline") is None
    after["counter"].remove({"name": "affinity_until", "value": newest})
    for row in after["source"]:
        assert row.pop("self_url") is None
    for row in after["reader"]:
        assert row.pop("added_with") is None
    assert after.keys() == before.keys()
    for table in after.keys() - {"alembic_version"}:
        assert after[table] == before[table], table
    shown = rows_of_views(released)
    for row in shown["v_stories"]:
        assert row.pop("storyline") is None
    # Refused entries are shown from revision 0055 on.
    assert len(shown.pop("v_refused")) > len(views.pop("v_refused"))
    of_lines = {"v_storylines": [], "v_follows": [], "v_story_links": []}
    assert shown == views | of_lines
    assert not list(faults(released))


@pytest.mark.later
def test_views_of_users_survive_even_broken_ones(released: Database) -> None:
    executed(
        released,
        text("CREATE VIEW v_mine AS SELECT id, title AS shown FROM story"),
    )
    if released.is_sqlite:  # which lets a view stay whose column is no more
        executed(released, text("CREATE VIEW v_broken AS SELECT gone FROM story"))
    upgrade(released)
    shown = queried(released, text("SELECT id, shown FROM v_mine")).all()
    assert len(shown) == _STORIES
    names = set(
        read_by(released, lambda connection: inspect(connection).get_view_names())
    )
    assert names - VIEWS == {
        "v_mine",
        *(["v_broken"] if released.is_sqlite else []),
    }


@pytest.mark.later
def test_a_view_of_all_columns_survives(released: Database) -> None:
    """PostgreSQL drops no column that a view shows: there it stays without values, and placing goes on."""
    executed(released, text("CREATE VIEW v_mine AS SELECT * FROM story"))
    upgrade(released)
    shown = queried(released, text("SELECT * FROM v_mine")).mappings().all()
    assert len(shown) == _STORIES
    assert {row.get("count_state") for row in shown} == {None}
    check(released)
    report = record(
        "Harbour Post",
        "1",
        "Grain ship runs aground off Sennick",
        f"{STRIKE} It lay on a bank.",
        published=None,
    )
    assert [one.outcome for one in Rig(released).take(report)] == ["founded"]


def test_after_the_upgrade_a_copy_of_a_former_article_is_found(
    released: Database,
) -> None:
    upgrade(released)
    copied = next(
        row
        for row in rows_of_tables(released)["article"]
        if row["text"] is not None and row["role"] == "report"
    )
    rig = Rig(released)
    reprint, report = rig.take(
        record("Harbour Post", "1", copied["title"], copied["text"], published=None),
        record(
            "Harbour Post",
            "2",
            "Grain ship runs aground",
            f"{STRIKE} On a bank.",
            published=None,
        ),
    )
    assert (reprint.outcome, report.outcome) == ("copy", "founded")


def test_an_export_of_the_release_becomes_the_same_rows(
    database: Database, release: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fixture = Fixture(release)
    with open_lines(str(fixture.export)) as lines:
        import_into(database, lines, lambda _count: None)
    file = tmp_path_factory.mktemp("released") / "released.db"
    with opened_at(file) as upgraded:
        with_former_rows(upgraded, fixture)
        upgrade(upgraded)
        written_by(upgraded, clear_rendered)  # as an import of a former revision does
        for table in row_stream.tables():
            # The export has the counters of the full-text index at 0, and no tokens.
            if table in (api_token, counter):
                continue
            statement = select(table)
            expected = sorted(map(repr, queried(upgraded, statement)))
            assert sorted(map(repr, queried(database, statement))) == expected, (
                table.name
            )
    assert list(faults(database)) == []
