"""Deletes articles and everything derived from them, for `forget` and retention.

Hashes (identity keys, observations), ids and numbers stay, so that the same article is recognised and
refused. The caller computes the affected stories again (grouping/deletion/erase.py).
"""

import datetime as dt
import json
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, Literal

from msgspec.structs import replace
from sqlalchemy import (
    Column,
    Connection,
    RowMapping,
    delete,
    func,
    literal,
    or_,
    select,
    update,
)

from aggregator.model.entry import Entry
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.intake.identity import tombstones
from aggregator.store.maintenance.index_merge import count_stale_rows
from aggregator.store.maintenance.row_rewrite import rewrite
from aggregator.store.search import index
from aggregator.store.stories import articles, story_subjects
from aggregator.store.stories.articles import ArticleDetails, StoredArticle
from aggregator.store.tables import (
    IS_LIVE,
    article,
    change,
    change_with,
    command,
    delete_rows,
    entry,
    outbox,
    outlet_line,
    pairs_with,
    read_mark,
    reader,
    rejected_input,
    rows_with,
    story,
    story_log,
    update_rows,
    values_with,
)

DeletedPart = Literal["text", "all"]

# These columns of an entry are null when it is blanked.
_OF_TEXT = (
    "url",
    "page",
    "page_url",
    "page_charset",
    "page_robots",
    "page_due_at",
    "page_verdict",
)
_WITHOUT_TEXT: Final[dict[str, Any]] = {
    "lead": "",
    "text": None,
    "html": None,
    "signature": b"",
    "terms": b"",
}
_GIVEN_UP = "an article of the story was erased before it was sent"
_BLANK_STORY: Final[dict[str, Any]] = {
    "title": "",
    "title_article": None,
    "summary": "",
    "text": None,
    "rendered": None,
}
_CLOSED_STORY = {
    **_BLANK_STORY,
    "article_count": 0,
    "outlet_count": 0,
    "unknown_outlet_count": 0,
    "report_count": 0,
    "redirect_to": "",
}


def articles_of(connection: Connection, ids: Collection[str]) -> list[StoredArticle]:
    """Return those of the articles that are placed, in the order of placing."""
    return articles.stored_with(connection, article.c.id, ids)


def orphaned_copies(
    connection: Connection, ids: Collection[str]
) -> list[StoredArticle]:
    """Return the copies and excerpts of these articles that are not among them, in the order of placing."""
    copies = articles.stored_with(connection, article.c.copy_of, ids)
    return [copy for copy in copies if copy.id not in ids]


def set_copied(
    connection: Connection, ids: Iterable[str], **values: str | None
) -> None:
    """Set of which other articles these are copies or versions (None: of none), or their `role`."""
    change_with(connection, update(article).values(values), article.c.id, ids)


def former_stories(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return every story that one of these articles was in, by log and change stream."""
    return values_with(
        connection, select(story_log.c.story), story_log.c.article, ids
    ) | values_with(connection, select(change.c.story), change.c.article, ids)


def with_redirects(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return these stories, their successors, and all stories that redirect to either."""
    successors = select(story.c.redirect_to).where(story.c.redirect_to != "")
    targets = values_with(connection, successors, story.c.id, ids).union(ids)
    redirecting = select(story.c.id)
    return targets | values_with(connection, redirecting, story.c.redirect_to, targets)


def delete_articles(
    connection: Connection,
    rows: Sequence[StoredArticle],
    what: DeletedPart,
) -> None:
    """Delete the texts of these articles ("text"), or their rows with all dependent rows ("all").

    Titles and decisions outlive the texts.
    """
    numbers = [row.inbox_no for row in rows]
    indexed = [n for n in numbers if index.take_out(connection, n)]
    count_stale_rows(connection, len(indexed))
    if what == "all":
        ids = [row.id for row in rows]
        change_with(
            connection, update(article).values(original=None), article.c.original, ids
        )
        # Sketches and lines of outlets are deleted by their foreign keys.
        change_with(connection, delete(article), article.c.id, ids)
        return
    change_with(connection, delete(outlet_line), outlet_line.c.article, numbers)

    def without_text(row: RowMapping) -> dict[str, Any]:
        changes = dict(_WITHOUT_TEXT)
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
    connection: Connection, ids: Collection[str], at: dt.datetime
) -> None:
    """Erase the text of all entries of these articles and refuse those that wait."""
    _blank(connection, entry.c.article, ids, at)


def blank_entry(connection: Connection, n: int, at: dt.datetime) -> None:
    """Erase the text of entry `n` and refuse it."""
    _blank(connection, entry.c.entry_no, [n], at)


def _blank(
    connection: Connection, key: Column[Any], values: Collection[Any], at: dt.datetime
) -> None:
    names = set()
    for row in rows_with(connection, select(entry.c.url, entry.c.payload), key, values):
        names.add(row.url)
        if row.payload:
            declared = codecs.decompress_struct(row.payload, Entry)
            names.update((declared.url, declared.guid))
    change_with(
        connection, delete(rejected_input), rejected_input.c.item, names - {None, ""}
    )
    blank = update(entry).values(
        **dict.fromkeys(_OF_TEXT),
        state="refused",
        payload=b"",
        done_at=func.coalesce(entry.c.done_at, literal(at, entry.c.done_at.type)),
        outcome="refused",
        verdict=tombstones.VERDICT,
        reason=tombstones.REASON,
    )
    change_with(connection, blank, key, values)


def slim_entries(connection: Connection, ids: Collection[str]) -> None:
    """Delete payload and addresses of the placed entries of these articles; the rows stay for the counts."""
    # The state is compared here: SQLite, which has no statistics, would read the index of all placed entries.
    rows = rows_with(
        connection, select(entry.c.entry_no, entry.c.state), entry.c.article, ids
    )
    numbers = [row.entry_no for row in rows if row.state == "done"]
    slim = {"payload": b"", "url": None, "page_url": None}
    rewrite(connection, entry, numbers, lambda _: slim)


def close_story(connection: Connection, id: str) -> None:
    """Close a story without articles. The row keeps the id, so that it is never given again."""
    closed = select(story.c.story_no).where(
        or_(story.c.id == id, story.c.redirect_to == id)
    )
    numbers = connection.scalars(closed).all()
    rewrite(connection, story, numbers, lambda _: _CLOSED_STORY)
    # The key begins with the reader: without the readers, every mark would be read.
    marks = delete(read_mark).where(read_mark.c.reader.in_(select(reader.c.reader_no)))
    change_with(connection, marks, read_mark.c.story, numbers)
    story_subjects.erase(connection, [id])


def hide_title(connection: Connection, id: str, ids: Collection[str]) -> None:
    """Clear the headline of a live story unless it is known not to be the title of one of these articles."""
    is_theirs = or_(story.c.title_article.is_(None), story.c.title_article.in_(ids))
    hidden = {"title": "", "title_article": None, "summary": ""}
    update_rows(connection, story, story.c.id == id, is_theirs, **hidden)


def blank_stories(
    connection: Connection,
    stories: Collection[str],
    ids: Collection[str],
    at: dt.datetime,
) -> None:
    """Erase what stories, their history and their deliveries still show of the erased articles `ids`.

    Undoing a merge computes the texts of a merged story again.
    """
    shown = select(story.c.title, article.c.title).join(
        article, article.c.story == story.c.id
    )
    titles = set[str]().union(*rows_with(connection, shown, story.c.id, stories)) | {""}
    merged = update(story).where(~IS_LIVE).values(**_BLANK_STORY)
    change_with(connection, merged, story.c.id, stories)

    # Log and change stream have no article of a headline: it may be a former title, or made from a lead. So
    # each headline goes that no remaining article has.
    of_erased = update(change).values(title="", article=None)
    change_with(connection, of_erased, change.c.article, ids)
    for column, blank in ((change.c.title, ""), (change.c.title_before, None)):
        stored = select(change.c.change_no, column).where(column.is_not(None))
        headlines = pairs_with(connection, stored, change.c.story, stories)
        gone = [n for n, title in headlines.items() if title not in titles]
        blanked = update(change).values({column: blank})
        change_with(connection, blanked, change.c.change_no, gone)
    lines = select(story_log.c.log_no, story_log.c.detail).where(
        story_log.c.kind == "headline"
    )
    for row in list(rows_with(connection, lines, story_log.c.story, stories)):
        detail = json.loads(row.detail or "{}")
        for name in ("before", "after"):
            if detail.get(name, "") not in titles:
                detail[name] = ""
        cleaned = json.dumps(detail, ensure_ascii=False, sort_keys=True)
        if cleaned != row.detail:
            update_rows(
                connection, story_log, story_log.c.log_no == row.log_no, detail=cleaned
            )

    values = {"state": "given_up", "body": None, "problem": _GIVEN_UP, "done_at": at}
    waiting = update(outbox).where(outbox.c.body.is_not(None)).values(**values)
    change_with(connection, waiting, outbox.c.story, stories)


def drop_answers(connection: Connection) -> None:
    """Delete the answered `recluster` commands: their results have headlines."""
    delete_rows(
        connection, command, command.c.kind == "recluster", command.c.state != "waiting"
    )


def blank_command(connection: Connection, n: int) -> None:
    """Erase the payload of command `n`: an address often contains the headline."""
    update_rows(connection, command, command.c.command_no == n, payload="{}")
