"""Finds stories and rows that are older than they may be kept, and deletes or shortens them.

An article expires twice: first its text ("text"), and later its whole row ("all"). A story expires with its last
article. grouping/deletion/retention.py deletes stories one after the other, the oldest first, so `up_to`, the inbox
number of the last expired article, tells which stories are due. Progress is not recorded, because the remaining texts
and rows show what is still to be deleted.
"""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, RowMapping

from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.maintenance.erased_rows import DeletedPart, rewrite
from aggregator.store.stories.stored_articles import StoredArticle, read_whole_articles
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

# A counter: the number of the last entry that `shorten_entries` has shortened
_SHORTENED_TO = "entries_to"
# Changes are kept for this many days (chosen), and until all webhooks have read them
_CHANGE_DAYS = 90.0
# Answered commands are kept for this many days (chosen)
_COMMAND_DAYS = 30.0
# Notes on unreadable files and missing pages are kept for this many days (chosen)
_REJECTED_DAYS = 90.0

# The articles of stories whose last article has expired
_OF_EXPIRED_STORY = """
    inbox_no <= :up_to AND :up_to >= (SELECT last_inbox_no FROM story WHERE story.id = article.story)
    """
# The articles of these stories that still have the part to delete: their row, or their text
_IS_EXPIRED = {
    "all": _OF_EXPIRED_STORY,
    "text": f"{_OF_EXPIRED_STORY} AND text IS NOT NULL",
}


def last_inbox_number(connection: Connection) -> int:
    """Return the highest inbox number of an article; 0 without articles."""
    return read_value(connection, "SELECT coalesce(max(inbox_no), 0) FROM article")


def last_expired_number(
    connection: Connection, part: DeletedPart, seconds: int | None, now: datetime
) -> int:
    """Return the inbox number of the last article older than `seconds`; 0 if articles never expire (None).

    This is the number before the first younger article that still has the part to delete. So an article that was
    placed while the clock was behind counts as old as its neighbours, and an article that was placed while the clock
    was ahead stops nothing.
    """
    if seconds is None:
        return 0
    younger = "SELECT inbox_no FROM article WHERE placed_at BETWEEN :since AND :now"
    if part == "text":
        younger += " AND text IS NOT NULL"
    first = read_value(
        connection,
        f"{younger} ORDER BY inbox_no LIMIT 1",
        since=now - timedelta(seconds=seconds),
        now=now,
    )
    return last_inbox_number(connection) if first is None else first - 1


def find_expired_story(connection: Connection, part: DeletedPart, up_to: int) -> Any:
    """Return number, id and title of the expired story with the oldest article; None without any."""
    # The query skips expired articles of stories that still grow. Such articles are few.
    return read_row(
        connection,
        f"""
        SELECT story_no, id, title FROM story
        WHERE id = (SELECT story FROM article WHERE {_IS_EXPIRED[part]} ORDER BY inbox_no LIMIT 1)
        """,  # noqa: S608
        up_to=up_to,
    )


def count_expired_stories(connection: Connection, part: DeletedPart, up_to: int) -> int:
    """Return the number of expired stories, which `find_expired_story` returns one after the other."""
    return read_value(
        connection,
        f"SELECT count(DISTINCT story) FROM article WHERE {_IS_EXPIRED[part]}",  # noqa: S608
        up_to=up_to,
    )


def load_articles_with_text(
    connection: Connection, story_id: str, limit: int
) -> list[StoredArticle]:
    """Return the first articles of a story whose texts are not deleted yet, in the order of placing."""
    numbers = read_values(
        connection,
        """
        SELECT inbox_no FROM article WHERE story = :story AND text IS NOT NULL ORDER BY inbox_no LIMIT :limit
        """,
        story=story_id,
        limit=limit,
    )
    return read_whole_articles(connection, "inbox_no", numbers)


def delete_terms(connection: Connection, story_id: str) -> bool:
    """Delete the terms of the articles of a story; return whether there were any."""
    statement = (
        "UPDATE article SET terms = :nothing WHERE story = :story AND length(terms) > 0"
    )
    return write_sql(connection, statement, nothing=b"", story=story_id) > 0


def shorten_story_text(connection: Connection, story_no: int, text: StoryText) -> None:
    """Delete the text of a story except its title, its summary and the first paragraph of its lead."""
    shortened = replace(text, lead=text.lead[:1], openings=(), quotations=())
    values = {"text": "", "rendered": codecs.compress_struct(shortened)}
    rewrite(connection, story, [story_no], lambda _: values)


def list_articles_to_delete(
    connection: Connection, story_id: str, limit: int
) -> list[str]:
    """Return the ids of the next articles of a story to delete, the newest first.

    So a copy is deleted before its original. The article with the headline comes last.
    """
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


def delete_history(connection: Connection, ids: set[str]) -> None:
    """Delete the log lines and changes of stories."""
    write_sql(connection, "DELETE FROM story_log WHERE story IN :ids", ids=ids)
    write_sql(connection, "DELETE FROM change WHERE story IN :ids", ids=ids)


def shorten_entries(connection: Connection, limit: int) -> bool:
    """Clear the values of the next `limit` entries that their articles repeat; return whether this was done.

    Nothing is done before all of these entries are finished. An entry with a problem keeps its payload.
    """
    rows = read_rows(
        connection,
        """
        SELECT entry_no, state, article.url AS url FROM entry LEFT JOIN article ON article.id = entry.article
        WHERE entry_no > :shortened ORDER BY entry_no LIMIT :limit
        """,
        shortened=counter_value(connection, _SHORTENED_TO),
        limit=limit,
    )
    if len(rows) < limit or any(row.state in ("page", "ready") for row in rows):
        return False
    article_urls = {row.entry_no: row.url for row in rows}

    def columns_to_clear(row: RowMapping) -> Values:
        values: Values = {}
        if row["state"] == "done":
            # `doctor` reads the entries whose page failed.
            if row["verdict"] == "ok" and row["page_verdict"] is None:
                values["payload"] = b""
            for name in ("url", "page_url"):
                if row[name] == article_urls[row["entry_no"]]:
                    values[name] = None
        return values

    rewrite(connection, entry, article_urls, columns_to_clear)
    set_counter(connection, _SHORTENED_TO, rows[-1].entry_no)
    return True


def delete_old_rows(connection: Connection, now: datetime, limit: int) -> int:
    """Delete old changes, answered commands and notes on rejected inputs; return how many.

    At most `limit` rows of each table are deleted. A change stays until all webhooks have read it.
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
