"""Deletes articles and everything derived from them, for `forget` and retention.

Hashes (identity keys, observations), ids and numbers stay, so that the same article is recognised and
refused. The caller computes the affected stories again (grouping/deletion/erase_articles.py).
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from msgspec.structs import replace
from sqlalchemy import (
    Connection,
    RowMapping,
    Table,
)

from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.intake.identity import tombstones
from aggregator.store.search import index
from aggregator.store.stories import story_rows
from aggregator.store.stories.stored_articles import ArticleDetails, StoredArticle
from aggregator.store.tables import (
    Values,
    article,
    entry,
    in_parts,
    insert_rows,
    is_sqlite,
    read_rows,
    read_set,
    read_values,
    story,
    update_rows,
    write_sql,
)

DeletedPart = Literal["text", "all"]

_CLOSED_STORY = {
    "title": "",
    "title_article": None,
    "summary": "",
    "text": None,
    "rendered": None,
    "article_count": 0,
    "outlet_count": 0,
    "unknown_outlet_count": 0,
    "report_count": 0,
    "redirect_to": "",
}


def former_stories(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return every story that one of these articles was in, by log and change stream."""
    return read_set(
        connection,
        """
        SELECT story FROM story_log WHERE article IN :ids
        UNION SELECT story FROM change WHERE article IN :ids
        """,
        ids=ids,
    )


def with_redirects(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return these stories, their successors, and all stories that redirect to either."""
    successors = "SELECT redirect_to FROM story WHERE redirect_to <> '' AND id IN :ids"
    targets = {*ids, *read_values(connection, successors, ids=ids)}
    redirecting = "SELECT id FROM story WHERE redirect_to IN :targets"
    return targets.union(read_values(connection, redirecting, targets=targets))


def delete_articles(
    connection: Connection,
    rows: Sequence[StoredArticle],
    what: DeletedPart,
) -> None:
    """Delete the texts of these articles ("text"), or their rows with all dependent rows ("all").

    If only the texts are deleted, titles and decisions stay.
    """
    numbers = [row.inbox_no for row in rows]
    indexed = [n for n in numbers if index.take_out(connection, n)]
    index.count_stale_rows(connection, len(indexed))
    if what == "all":
        ids = [row.id for row in rows]
        write_sql(
            connection,
            "UPDATE article SET original = NULL WHERE original IN :ids",
            ids=ids,
        )
        # Foreign keys also delete the sketches and the lines of outlets.
        write_sql(connection, "DELETE FROM article WHERE id IN :ids", ids=ids)
        return
    write_sql(
        connection, "DELETE FROM outlet_line WHERE article IN :numbers", numbers=numbers
    )

    def without_text(row: RowMapping) -> Values:
        changes: Values = {
            "lead": "",
            "text": None,
            "html": None,
            "signature": b"",
            "terms": b"",
        }
        try:
            details = codecs.unpack(row["details"], ArticleDetails)
        except codecs.UNREADABLE:
            details = ArticleDetails()  # because damaged details may hold text
        changes["details"] = codecs.pack(replace(details, repeated=(), media=()))
        with suppress(*codecs.UNREADABLE):
            evidence = codecs.unpack(row["evidence"], Evidence)
            evidence = replace(
                evidence, reasons=(), shared=(), runner_up=None, excerpts=()
            )
            changes["evidence"] = codecs.pack_compressed(evidence)
        return changes

    rewrite(connection, article, numbers, without_text)
    for n in indexed:
        index.put_back(connection, n)


def blank_entries(
    connection: Connection, column: str, values: Collection[Any], at: datetime
) -> None:
    """Erase the text of all entries whose `column` has one of the values, and refuse those that wait."""
    which = f"{column} IN :values"
    names = set()
    for row in read_rows(
        connection,
        f"SELECT url, payload FROM entry WHERE {which}",  # noqa: S608
        values=values,
    ):
        names.add(row.url)
        if row.payload:
            item = codecs.decompress_struct(row.payload, Entry)
            names |= {item.url, item.guid}
    write_sql(
        connection,
        "DELETE FROM rejected_input WHERE item IN :names",
        names=names - {None, ""},
    )
    write_sql(
        connection,
        f"""
        UPDATE entry SET url = NULL, page = NULL, page_url = NULL, page_charset = NULL, page_robots = NULL,
          page_due_at = NULL, page_verdict = NULL, payload = :nothing, state = 'refused',
          outcome = 'refused', verdict = :verdict, reason = :reason, done_at = coalesce(done_at, :at)
        WHERE {which}
        """,  # noqa: S608
        nothing=b"",
        verdict=tombstones.VERDICT,
        reason=tombstones.REASON,
        at=at,
        values=values,
    )


def slim_entries(connection: Connection, ids: Collection[str]) -> None:
    """Delete payload and addresses of the placed entries of these articles; the rows stay for the counts."""
    # The state is not a condition of the query, because SQLite, which has no statistics, would read the index of all
    # placed entries.
    rows = read_rows(
        connection, "SELECT entry_no, state FROM entry WHERE article IN :ids", ids=ids
    )
    numbers = [row.entry_no for row in rows if row.state == "done"]
    slim = {"payload": b"", "url": None, "page_url": None}
    rewrite(connection, entry, numbers, lambda _: slim)


def close_story(connection: Connection, id: str) -> None:
    """Close a story that has no articles left. The row stays, so that its id is never given again."""
    numbers = read_values(
        connection,
        "SELECT story_no FROM story WHERE id = :id OR redirect_to = :id",
        id=id,
    )
    rewrite(connection, story, numbers, lambda _: _CLOSED_STORY)
    # The primary key begins with the reader, so a condition without readers would read every mark.
    write_sql(
        connection,
        "DELETE FROM read_mark WHERE reader IN (SELECT reader_no FROM reader) AND story IN :numbers",
        numbers=numbers,
    )
    story_rows.erase_subjects(connection, [id])


def hide_title(connection: Connection, id: str, ids: Collection[str]) -> None:
    """Clear the headline of a story if it is the title of one of these articles, or if its article is unknown."""
    write_sql(
        connection,
        """
        UPDATE story SET title = '', title_article = NULL, summary = ''
        WHERE id = :id AND (title_article IS NULL OR title_article IN :ids)
        """,
        id=id,
        ids=ids,
    )


def blank_stories(
    connection: Connection, stories: Collection[str], ids: Collection[str]
) -> None:
    """Erase the words of the erased articles `ids` from stories and their history.

    Merged stories lose their texts, which are computed again if the merge is undone.
    """
    shown = """
        SELECT title FROM story WHERE redirect_to IS NULL AND id IN :stories
        UNION SELECT title FROM article WHERE story IN :stories
        """
    titles = {"", *read_values(connection, shown, stories=stories)}
    write_sql(
        connection,
        """
        UPDATE story SET title = '', title_article = NULL, summary = '', text = NULL, rendered = NULL
        WHERE redirect_to IS NOT NULL AND id IN :stories
        """,
        stories=stories,
    )

    # The log and the change stream do not record the article of a headline, which may be a former title or made from a
    # lead. So every headline that is not the title of a remaining article is cleared.
    write_sql(
        connection,
        "UPDATE change SET title = '', article = NULL WHERE article IN :ids",
        ids=ids,
    )
    for n, title, before in read_rows(
        connection,
        "SELECT change_no, title, title_before FROM change WHERE story IN :stories",
        stories=stories,
    ):
        kept = title if title in titles else ""
        kept_before = before if before in titles else None
        if (kept, kept_before) != (title, before):
            blank = "UPDATE change SET title = :kept, title_before = :before WHERE change_no = :n"
            write_sql(connection, blank, kept=kept, before=kept_before, n=n)
    for n, written in read_rows(
        connection,
        "SELECT log_no, detail FROM story_log WHERE kind = 'headline' AND story IN :stories",
        stories=stories,
    ):
        detail = json.loads(written or "{}")
        for name in ("before", "after"):
            if detail.get(name, "") not in titles:
                detail[name] = ""
        cleaned = json.dumps(detail, ensure_ascii=False, sort_keys=True)
        if cleaned != written:
            blank = "UPDATE story_log SET detail = :cleaned WHERE log_no = :n"
            write_sql(connection, blank, cleaned=cleaned, n=n)

    # Deliveries from before an upgrade may contain their messages.
    write_sql(
        connection,
        "UPDATE outbox SET body = NULL WHERE body IS NOT NULL AND story IN :stories",
        stories=stories,
    )


def drop_answers(connection: Connection) -> None:
    """Delete the answered `recluster` commands, because their results contain headlines."""
    write_sql(
        connection,
        "DELETE FROM command WHERE kind = 'recluster' AND state <> 'waiting'",
    )


def blank_command(connection: Connection, n: int) -> None:
    """Erase the payload of command `n`, because an address in it often contains the headline."""
    write_sql(
        connection, "UPDATE command SET payload = '{}' WHERE command_no = :n", n=n
    )


def rewrite(
    connection: Connection,
    table: Table,
    keys: Iterable[int],
    changes_of: Callable[[RowMapping], Values],
) -> None:
    """Write the column values that `changes_of` returns for each row.

    No row of another table may depend on these rows by a foreign key that deletes it with them.

    On SQLite the rows are deleted and inserted again, because SQLite does not merge the pages of rows that an UPDATE
    made smaller. In a measurement, a row that lost nine tenths of its bytes still took half a page. PostgreSQL writes
    a new version of the row in any case.
    """
    (key,) = table.primary_key.columns.keys()
    chosen = f"FROM {table.name} WHERE {key} IN :keys"
    for part in in_parts(sorted(keys)):
        rows = [
            row._mapping
            for row in read_rows(
                connection, f"SELECT * {chosen} ORDER BY {key}", keys=part
            )
        ]
        if is_sqlite(connection):
            # Check foreign keys at the end of this transaction, when the rows are there again.
            write_sql(connection, "PRAGMA defer_foreign_keys=ON")
            write_sql(connection, f"DELETE {chosen}", keys=part)
            insert_rows(connection, table, [{**row, **changes_of(row)} for row in rows])
            continue
        for row in rows:
            if changes := changes_of(row):
                update_rows(
                    connection, table.name, f"{key} = :key", changes, key=row[key]
                )
