"""The repair of `db check --repair`, which deletes or computes derived rows again.

intake/recluster/rebuild.py calls it, in a process that uses the database alone.
"""

from collections.abc import Mapping

from sqlalchemy import Connection

from aggregator.store.engine.database import Database
from aggregator.store.intake.rejected import IS_QUARANTINED, requeue
from aggregator.store.maintenance.row_stream import Advance
from aggregator.store.search import index
from aggregator.store.stories import stored_articles, story_rows
from aggregator.store.stories.rendered_stories import clear_rendered
from aggregator.store.tables import (
    counter_value,
    is_sqlite,
    metadata,
    read_value,
    read_values,
    set_counter,
    update_rows,
    write_sql,
)

# Counters, each with a column and a table that contain its numbers
_NUMBERED = (
    ("entry", "entry_no", "entry"),
    ("inbox", "inbox_no", "entry"),
    ("inbox", "inbox_no", "article"),
    ("story", "story_no", "story"),
    ("change", "change_no", "change"),
)


def clear_derived(connection: Connection) -> None:
    """Delete derived rows, repair faults that a single statement can repair, and queue entries in quarantine again."""
    if is_sqlite(connection):
        write_sql(connection, "REINDEX")
    # Insert a story for the articles of each lost story. `write_stories` computes its counts and times.
    write_sql(
        connection,
        """
        INSERT INTO story (id, story_no, founding_article, founding_no, last_inbox_no, title, summary,
          language, first_published, last_published, bumped_at, article_count, outlet_count, report_count)
        SELECT founder.story, used.number + row_number() OVER (ORDER BY founder.inbox_no), founder.id, 0,
          founder.inbox_no, founder.title, founder.lead, founder.language, founder.effective_at,
          founder.effective_at, founder.effective_at, 1, 1, 1
        FROM article AS founder,
          (SELECT max(number) AS number FROM (SELECT value AS number FROM counter WHERE name = 'story'
           UNION ALL SELECT max(story_no) FROM story) AS numbers) AS used
        WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.id = founder.story)
          AND founder.inbox_no = (SELECT min(inbox_no) FROM article AS member WHERE member.story = founder.story)
        """,
    )
    for name, column, table in _NUMBERED:  # so that no number is given twice
        highest = f"SELECT coalesce(max({column}), 0) FROM {table}"  # noqa: S608
        number = max(read_value(connection, highest), counter_value(connection, name))
        set_counter(connection, name, number)
    # Delete rows that refer to lost rows, and the identity keys and observations of lost articles, so that these are
    # accepted when they arrive again. Copies of lost articles become reports.
    for referring in metadata.sorted_tables:
        for key in referring.foreign_keys:
            lost = f"""
                DELETE FROM {referring.name}
                WHERE {key.parent.name} NOT IN (SELECT {key.column.name} FROM {key.column.table.name})
                """  # noqa: S608
            write_sql(connection, lost)
    for name in ("identity_key", "observation"):
        lost = f"""
            DELETE FROM {name} WHERE article <> '' AND article NOT IN (
              SELECT id FROM article UNION SELECT article FROM tombstone UNION SELECT article FROM entry)
            """  # noqa: S608
        write_sql(connection, lost)
    write_sql(connection, "DELETE FROM known_items")  # some may name lost articles
    write_sql(
        connection,
        """
        UPDATE article SET copy_of = NULL, role = CASE WHEN role = 'container' THEN role ELSE 'report' END
        WHERE copy_of NOT IN (SELECT id FROM article)
        """,
    )
    quarantined = f"SELECT entry_no FROM entry WHERE {IS_QUARANTINED}"  # noqa: S608
    requeue(connection, read_values(connection, quarantined))
    index.clear(connection)
    clear_rendered(connection)


def write_stories(
    database: Database, families: Mapping[str, str] | None, advance: Advance
) -> None:
    """Compute the counts and times of all live stories.

    Their headlines, their order and the log stay.
    """
    with database.write(unhurried=True) as connection:
        for id_ in read_values(
            connection, "SELECT id FROM story WHERE redirect_to IS NULL"
        ):
            members = stored_articles.read_articles_of(connection, id_)
            if members:
                derived = story_rows.derived_columns(
                    members,
                    families,
                    container_only=story_rows.has_only_containers(members),
                )
                update_rows(connection, "story", "id = :id", derived, id=id_)
            advance(1)
