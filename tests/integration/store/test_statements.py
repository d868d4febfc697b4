"""SQL text: names and types of its rows."""

from datetime import datetime

from aggregator.store.engine.database import Database
from aggregator.store.intake.identity import tombstones
from aggregator.store.tables import read_rows

AT = datetime.fromisoformat("2026-03-01T08:30Z")


def test_rows_have_names_and_types_whenever_a_statement_is_executed(
    database: Database,
) -> None:
    with database.write() as connection:
        tombstones.add_tombstones(connection, ["a1", "a2"], AT, "forgotten")
    for _ in range(3):  # the first result shows the order of the columns
        with database.read() as connection:
            rows = read_rows(
                connection,
                "SELECT at AS at, article AS named, rejected_at FROM tombstone WHERE article IN :ids ORDER BY article",
                ids=["a2", "a1", "a3"],
            )
        assert [(row.named, row.at, row.rejected_at) for row in rows] == [
            ("a1", AT, None),
            ("a2", AT, None),
        ]
