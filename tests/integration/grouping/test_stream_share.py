"""The share of articles with a partner, which shifts every score, is that of news without a backlog."""

from datetime import timedelta

from aggregator.store.engine.database import Database
from tests.support.articles import NOON, Rig, record


def shift_of(rig: Rig) -> float:
    placer = rig.pipeline.placer
    with placer.unit_of_work() as unit_of_work:
        stream = placer.services.stream
        stream.read_last(unit_of_work)
        return stream.shift(unit_of_work.connection)


def test_a_backlog_does_not_count_in_the_share_of_partners_of_news(
    sqlite: Database,
) -> None:
    rig = Rig(sqlite)
    assert shift_of(rig) == 0.0
    months_ago = NOON - timedelta(days=90)
    for number in range(12):
        title, text = f"Harbour notes {number}", f"Tide table {number} of the old pier."
        rig.take(
            record(f"Gazette {number}", str(number), title, text, published=months_ago)
        )
    assert shift_of(rig) > 0.5, "nearly all of them have a partner"
    rig.take(
        record(
            "Herald",
            "today",
            "Ferry service resumes",
            "Two boats sail.",
        )
    )
    assert -0.1 < shift_of(rig) < 0.0, "it alone is news, and has none"
    rig.restart()
    in_memory = shift_of(rig)
    rig.restart()
    assert shift_of(rig) == in_memory
