"""SQL of `db check --repair`, which computes derived rows again (pipeline/placement/rebuild.py)."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from sqlalchemy import (
    BigInteger,
    Connection,
    delete,
    exists,
    insert,
    literal_column,
    select,
    text,
    update,
)

from aggregator.cluster.events.weights import EventModel
from aggregator.store.engine.database import Database
from aggregator.store.intake import rejected
from aggregator.store.intake.inbox import take_numbers
from aggregator.store.search import index
from aggregator.store.stories import articles, stories
from aggregator.store.tables import (
    article,
    counter,
    entry,
    identity_key,
    lsh_band,
    metadata,
    observation,
    revision,
    sketch,
    story,
    tombstone,
)

_AT_ONCE: Final = 100  # stories per transaction
# Queries of the highest number in use, by the name of its counter.
_HIGHEST_NUMBERS: Final[Mapping[str, str]] = {
    "entry": "SELECT MAX(entry_no) FROM entry",
    "inbox": """SELECT MAX(used.number) FROM (SELECT MAX(inbox_no) AS number FROM entry
                UNION ALL SELECT MAX(inbox_no) FROM article) AS used""",
    "story": "SELECT MAX(story_no) FROM story",
    "change": "SELECT MAX(change_no) FROM change",
}
Advance = Callable[[int], object]  # called with the number of further rows


def clear_derived(connection: Connection) -> None:
    """Delete the derived rows that are written again, mend what one statement can, and end the quarantine."""
    if connection.dialect.name == "sqlite":
        connection.execute(text("REINDEX"))
    _raise_counters(connection)
    _insert_lost_stories(connection)
    _delete_orphans(connection)
    quarantined = select(entry.c.entry_no).where(rejected.IS_QUARANTINED)
    rejected.requeue(connection, connection.execute(quarantined).scalars().all())
    _clear_search(connection)
    _clear_merged_texts(connection)
    connection.execute(delete(lsh_band))
    connection.execute(delete(sketch))


def _raise_counters(connection: Connection) -> None:
    """Raise counters to the highest number in use, so that none is given twice."""
    for name, query in _HIGHEST_NUMBERS.items():
        highest = literal_column(f"({query})", BigInteger)
        behind = counter.c.name == name, counter.c.value < highest
        connection.execute(update(counter).where(*behind).values(value=highest))


def _insert_lost_stories(connection: Connection) -> None:
    """Insert a story for the articles of each story that is lost; `write_stories` computes its columns."""
    lost = ~exists().where(story.c.id == article.c.story)
    columns = ("id", "story", "inbox_no", "title", "lead", "language", "effective_at")
    of_lost = select(*(article.c[name] for name in columns)).where(lost).order_by(article.c.inbox_no)
    founders = {one.story: one for one in reversed(connection.execute(of_lost).all())}
    for id_, one in founders.items():
        values = {
            "id": id_,
            "story_no": take_numbers(connection, "story", 1) + 1,
            "founding_article": one.id,
            "founding_no": 0,
            "last_inbox_no": one.inbox_no,
            "centroid": b"",
            "title": one.title,
            "summary": one.lead,
            "language": one.language,
            **dict.fromkeys(("first_published", "last_published", "bumped_at"), one.effective_at),
            **dict.fromkeys(("article_count", "outlet_count", "report_count"), 1),
        }
        connection.execute(insert(story).values(values))


def _delete_orphans(connection: Connection) -> None:
    """Delete rows that refer to lost rows, and turn copies of lost articles into reports.

    Without their identity keys and observations, lost articles are accepted when they arrive again.
    """
    for table in metadata.sorted_tables:
        for key in table.foreign_keys if table is not article else ():
            lost = ~exists().where(key.column == key.parent)
            connection.execute(delete(table).where(key.parent.is_not(None), lost))
    for table in (identity_key, observation):
        connection.execute(
            delete(table).where(
                table.c.article != "",
                ~exists().where(article.c.id == table.c.article),
                ~exists().where(tombstone.c.article == table.c.article),
                ~exists().where(entry.c.article == table.c.article),
            )
        )
    connection.execute(delete(revision).where(~exists().where(article.c.id == revision.c.article)))
    original = article.alias("original_article")
    is_copy_of_lost = article.c.copy_of.is_not(None), ~exists().where(original.c.id == article.c.copy_of)
    connection.execute(
        update(article).where(*is_copy_of_lost, article.c.role != "container").values(role="report")
    )
    connection.execute(update(article).where(*is_copy_of_lost).values(copy_of=None))


def _clear_search(connection: Connection) -> None:
    """Empty the full-text index and queue all articles for indexing."""
    is_sqlite = connection.dialect.name == "sqlite"
    emptied = "INSERT INTO article_search(article_search) VALUES ('delete-all')"
    connection.execute(text(emptied if is_sqlite else "DELETE FROM article_search"))
    index.reindex_all(connection)


def _clear_merged_texts(connection: Connection) -> None:
    """Clear the merged texts that can be rendered again: retention has deleted texts of the others."""
    members = exists().where(article.c.story == story.c.id)
    can_render = members, ~members.where(article.c.text.is_(None))
    rendered = update(story).where(story.c.redirect_to.is_(None), *can_render)
    connection.execute(rendered.values(text=None, merged_story=None))


def next_articles(connection: Connection, after: int, limit: int) -> Sequence[int]:
    """Return the inbox numbers of the next articles."""
    chosen = select(article.c.inbox_no).where(article.c.inbox_no > after).order_by(article.c.inbox_no)
    return connection.execute(chosen.limit(limit)).scalars().all()


def write_stories(
    database: Database, model: EventModel, families: Mapping[str, str] | None, advance: Advance
) -> None:
    """Compute centroids, counts and times of stories, except those with terms that cannot be read.

    Headline, order and log stay.
    """
    live = story.c.redirect_to.is_(None)
    last = 0
    while True:
        chosen = select(story.c.story_no, story.c.id).where(live, story.c.story_no > last)
        with database.write() as connection:
            rows = connection.execute(chosen.order_by(story.c.story_no).limit(_AT_ONCE)).all()
            for row in rows:
                members = articles.members(connection, row.id)
                with suppress(ValueError, LookupError):
                    if members:
                        derived = stories.columns_of_members(members, model, families)
                        stories.write_derived(connection, row.id, derived)
        if not rows:
            return
        last = rows[-1].story_no
        advance(len(rows))
