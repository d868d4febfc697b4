"""Finds stories and rows that are older than they may be kept, and deletes or shortens them.

grouping/deletion/retention.py calls this. Its progress is not recorded: an old story is found by its oldest
article, which has a text until that is deleted, and a row until it is deleted itself.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, RowMapping

from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.maintenance.erased_rows import DeletedPart, rewrite
from aggregator.store.stories.stored_articles import StoredArticle, stored_with
from aggregator.store.tables import (
    Values,
    counter_value,
    entry,
    read_row,
    read_rows,
    read_value,
    read_values,
    set_counter,
    story,
    write_sql,
)

# A counter: the number of the last entry that `settle_entries` has shortened
_SETTLED_TO = "entries_to"
# Changes are kept for so long, and until all webhooks have read them (chosen).
_CHANGE_DAYS = 90.0
# Finished commands are kept for so long (chosen).
_COMMAND_DAYS = 30.0
# Notes about unreadable files and missing pages are kept for so long (chosen).
_REJECTED_DAYS = 90.0

# Articles up to inbox number `upto` whose story has no later article
_OF_OLD_STORY = """
    inbox_no <= :upto AND :upto >= (SELECT last_inbox_no FROM story WHERE story.id = article.story)
    """
# The articles that still have something to delete: their row, or their text
_IS_EXPIRED = {"all": _OF_OLD_STORY, "text": f"{_OF_OLD_STORY} AND text IS NOT NULL"}


def newest_article(connection: Connection) -> int:
    """Return the highest inbox number of an article; 0 without articles."""
    return read_value(connection, "SELECT coalesce(max(inbox_no), 0) FROM article")


def placed_before(
    connection: Connection, what: DeletedPart, seconds: int | None, now: datetime
) -> int:
    """Return the last inbox number of the articles that are older than `seconds`; 0 if nothing is deleted (None).

    It is the number before the first younger article that has something to delete. So articles that were placed
    while the clock was behind are as old as their neighbours, and articles that were placed while it was ahead are
    passed over until that time has come.
    """
    if seconds is None:
        return 0
    younger = "SELECT inbox_no FROM article WHERE placed_at BETWEEN :since AND :now"
    if what == "text":
        younger += " AND text IS NOT NULL"
    first = read_value(
        connection,
        f"{younger} ORDER BY inbox_no LIMIT 1",
        since=now - timedelta(seconds=seconds),
        now=now,
    )
    return newest_article(connection) if first is None else first - 1


def next_story(connection: Connection, what: DeletedPart, upto: int) -> Any:
    """Return number, id and title of the next story to shorten ("text") or delete ("all"); None without any.

    It is the story of the oldest article, among the stories without an article above inbox number `upto`.
    """
    # The articles of stories that still grow are passed over; they are few.
    return read_row(
        connection,
        f"""
        SELECT story_no, id, title FROM story
        WHERE id = (SELECT story FROM article WHERE {_IS_EXPIRED[what]} ORDER BY inbox_no LIMIT 1)
        """,  # noqa: S608
        upto=upto,
    )


def count_stories(connection: Connection, what: DeletedPart, upto: int) -> int:
    """Count the stories that `next_story` returns, one after the other."""
    return read_value(
        connection,
        f"SELECT count(DISTINCT story) FROM article WHERE {_IS_EXPIRED[what]}",  # noqa: S608
        upto=upto,
    )


def articles_with_text(
    connection: Connection, story_id: str, limit: int
) -> list[StoredArticle]:
    """Return the articles of a story whose texts are not deleted, in the order of placing."""
    numbers = read_values(
        connection,
        """
        SELECT inbox_no FROM article WHERE story = :story AND text IS NOT NULL ORDER BY inbox_no LIMIT :limit
        """,
        story=story_id,
        limit=limit,
    )
    return stored_with(connection, "inbox_no", numbers)


def drop_terms(connection: Connection, story_id: str) -> bool:
    """Delete the terms of the articles of a story; return whether there were any."""
    terms = (
        "UPDATE article SET terms = :nothing WHERE story = :story AND length(terms) > 0"
    )
    return write_sql(connection, terms, nothing=b"", story=story_id) > 0


def keep_text(connection: Connection, story_no: int, text: StoryText) -> None:
    """Keep only the title and the first paragraph of the lead of a story's text.

    The texts of its articles are deleted next; its summary stays, too.
    """
    text = replace(text, lead=text.lead[:1], openings=(), quotations=())
    values = {"text": "", "rendered": codecs.compress_struct(text)}
    rewrite(connection, story, [story_no], lambda _: values)


def last_to_first(connection: Connection, story_id: str, limit: int) -> list[str]:
    """Return the last articles of a story, the headline's article last: copies go before their originals."""
    return read_values(
        connection,
        """
        SELECT id FROM article WHERE story = :story
        ORDER BY CASE WHEN id = (SELECT title_article FROM story WHERE story.id = :story) THEN 1 ELSE 0 END,
          inbox_no DESC LIMIT :limit
        """,
        story=story_id,
        limit=limit,
    )


def drop_history(connection: Connection, ids: set[str]) -> None:
    """Delete the log lines and changes of stories."""
    write_sql(connection, "DELETE FROM story_log WHERE story IN :ids", ids=ids)
    write_sql(connection, "DELETE FROM change WHERE story IN :ids", ids=ids)


def settle_entries(connection: Connection, limit: int) -> bool:
    """Drop from the next finished entries what their articles have, too; return whether there were any.

    An entry with a problem keeps its payload.
    """
    rows = read_rows(
        connection,
        """
        SELECT entry_no, state, article.url AS url FROM entry LEFT JOIN article ON article.id = entry.article
        WHERE entry_no > :settled ORDER BY entry_no LIMIT :limit
        """,
        settled=counter_value(connection, _SETTLED_TO),
        limit=limit,
    )
    if len(rows) < limit or any(row.state in ("page", "ready") for row in rows):
        return False
    addresses = {row.entry_no: row.url for row in rows}

    def columns_to_clear(row: RowMapping) -> Values:
        values: Values = {}
        if row["state"] == "done":
            # `doctor` reads the entries whose page failed.
            if row["verdict"] == "ok" and row["page_verdict"] is None:
                values["payload"] = b""
            for name in ("url", "page_url"):
                if row[name] == addresses[row["entry_no"]]:
                    values[name] = None
        return values

    rewrite(connection, entry, addresses, columns_to_clear)
    set_counter(connection, _SETTLED_TO, rows[-1].entry_no)
    return True


def drop_streams(connection: Connection, now: datetime, limit: int) -> int:
    """Delete the old rows among the first `limit` changes, answered commands and rejected inputs; return how many.

    A change stays until all webhooks have examined it.
    """
    changes = """
        DELETE FROM change WHERE change_no IN (SELECT change_no FROM change ORDER BY change_no LIMIT :limit)
        AND at < :before
        AND change_no <= coalesce((SELECT min(last_change_no) FROM webhook WHERE is_configured), change_no)
        """
    commands = """
        DELETE FROM command WHERE command_no IN (
          SELECT command_no FROM command WHERE state <> 'waiting' AND done_at < :before
          ORDER BY command_no LIMIT :limit)
        """
    rejected = """
        DELETE FROM rejected_input WHERE (source, item) IN (
          SELECT source, item FROM rejected_input WHERE at < :before ORDER BY at LIMIT :limit)
        """
    deleted = 0
    for statement, days in (
        (changes, _CHANGE_DAYS),
        (commands, _COMMAND_DAYS),
        (rejected, _REJECTED_DAYS),
    ):
        deleted += write_sql(
            connection, statement, before=now - timedelta(days=days), limit=limit
        )
    return deleted
