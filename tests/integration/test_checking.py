"""`aggregator db check`: nothing to say of a sound database, and each kind of damage named."""

import pytest
from sqlalchemy import text

from aggregator.store.checking import faults
from aggregator.store.database import Database
from aggregator.store.statistics import statistics
from tests.articles import FLOOD, FLOOD_ELSEWHERE, NOON, STRIKE, Clock, Desk, record
from tests.homes import correct, homes


@pytest.fixture
def sound(database: Database) -> Database:
    """Two stories, one merged into the other, a copy, a revision, a refused entry, one that waits."""
    desk = Desk(database, Clock())
    desk.take(
        record("Herald", "1", "Levee breaks", FLOOD, published=NOON),
        record("Echo", "1", "Town under water", FLOOD_ELSEWHERE, published=NOON),
        record("Post", "1", "Levee breaks at Pennmouth", FLOOD, published=NOON),
        record("Port", "1", "Dock workers strike", STRIKE, published=NOON),
        record("Port", "2", "", ""),
    )
    desk.take(record("Port", "1", "Dock workers strike", f"{STRIKE} Ferries ran.", published=NOON))
    desk.pipeline.index_text()
    correct(database, "merge", *sorted(set(homes(database).values())))
    desk.accept(record("Wharf", "1", "Ships wait", STRIKE, published=NOON))
    return database


def test_a_sound_database_has_no_fault(sound: Database) -> None:
    assert list(faults(sound)) == []
    told = dict(statistics(sound))
    assert (told["articles"], told["stories"], told["stories given way"]) == (4, 1, 1)
    assert (told["entries done"], told["entries ready"], told["entries refused"]) == (5, 1, 1)
    assert told["bytes"] > 0


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE story SET article_count = 9 WHERE redirect_to IS NULL", "stories count other articles"),
        ("UPDATE story SET redirect_to = 'nowhere' WHERE redirect_to IS NOT NULL", "gave way to one"),
        ("UPDATE story SET redirect_to = NULL WHERE redirect_to IS NOT NULL", "stories have no article"),
        (
            "UPDATE article SET story = (SELECT id FROM story WHERE redirect_to IS NOT NULL) WHERE n = 1",
            "articles are in a story that gave way",
        ),
        (
            "UPDATE article SET copy_of = 'nobody' WHERE copy_of IS NOT NULL",
            "copies of one that is not there",
        ),
        ("UPDATE entry SET article = 'nobody' WHERE n = 1", "entries were placed and have no article"),
        ("UPDATE entry SET outcome = NULL WHERE n = 1", "a state that does not fit"),
        ("DELETE FROM entry WHERE inbox_no = 1", "under a number that no entry has"),
        ("UPDATE revision SET article = 'nobody'", "former texts"),
        (
            "INSERT INTO tombstone (article, at) SELECT id, placed_at FROM article WHERE n = 1",
            "articles were forgotten and are there",
        ),
        ("UPDATE counter SET value = 99 WHERE name = 'searchable'", None),
        ("UPDATE counter SET value = 0 WHERE name = 'searchable'", "holds articles that are not there"),
    ],
)
def test_each_kind_of_damage_is_named(sound: Database, damage: str, said: str | None) -> None:
    with sound.write() as connection:
        connection.execute(text(damage))
    found = [fault.what for fault in faults(sound)]
    assert any(said in what for what in found) if said else found == []
