"""Retention in the tables: finds the stories and rows that are old, and deletes or shortens them.

grouping/deletion/retention.py runs it.
Nothing records how far it is: an old story is found by its oldest article, which has a text until that is
deleted, and a row until it is deleted itself.
"""

import datetime as dt
from typing import Any

from msgspec.structs import replace
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    case,
    func,
    select,
)

from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.maintenance.erase import DeletedPart
from aggregator.store.maintenance.row_rewrite import rewrite
from aggregator.store.stories.articles import StoredArticle, stored_with
from aggregator.store.tables import (
    article,
    change,
    command,
    counter_value,
    delete_rows,
    delete_some,
    entry,
    highest,
    rejected_input,
    set_counter,
    story,
    story_log,
    update_rows,
    webhook,
)

# counter: up to this entry, entries keep only what their articles lack
_SETTLED_TO = "entries_to"
# Changes are stored for so long, and until all webhooks have read them (chosen).
_CHANGE_DAYS = 90.0
_COMMAND_DAYS = 30.0  # Finished commands are stored for so long (chosen).
# Unreadable files and missing pages are recorded for so long (chosen).
_REJECTED_DAYS = 90.0


def newest_article(connection: Connection) -> int:
    """Return the highest inbox number of an article; 0 without articles."""
    return highest(connection, article.c.inbox_no)


def placed_before(
    connection: Connection, what: DeletedPart, seconds: int | None, now: dt.datetime
) -> int:
    """Return the inbox number up to which articles are older than `seconds`; None: never.

    It is the number before the first article that is younger and has something to delete. So articles that
    were placed under a clock that was behind are as old as their neighbours, and those of a clock that was
    ahead are passed over until that time has come.
    """
    if seconds is None:
        return 0
    young = (
        select(article.c.inbox_no)
        .where(article.c.placed_at.between(now - dt.timedelta(seconds=seconds), now))
        .order_by(article.c.inbox_no)
        .limit(1)
    )
    if what == "text":
        young = young.where(article.c.text.is_not(None))
    first = connection.scalar(young)
    return newest_article(connection) if first is None else first - 1


def next_story(
    connection: Connection, what: DeletedPart, upto: int
) -> Row[Any, Any, Any] | None:
    """Return number, id and title of the next story to shorten ("text") or delete ("all").

    Of the stories without an article above inbox number `upto` it is that of the oldest article.
    """
    # The articles of stories that still grow are passed over; they are few.
    oldest = (
        select(article.c.story)
        .where(*_is_old(what, upto))
        .order_by(article.c.inbox_no)
        .limit(1)
    )
    chosen = select(story.c.story_no, story.c.id, story.c.title).where(
        story.c.id == oldest.scalar_subquery()
    )
    return connection.execute(chosen).first()


def count_stories(connection: Connection, what: DeletedPart, upto: int) -> int:
    """Count the stories that `next_story` returns, one after the other."""
    stories = select(func.count(article.c.story.distinct())).where(*_is_old(what, upto))
    return connection.execute(stories).scalar_one()


_LAST_OF_STORY = (
    select(story.c.last_inbox_no)
    .where(story.c.id == article.c.story)
    .correlate(article)  # not the story that a statement selects
    .scalar_subquery()
)


def _is_old(what: DeletedPart, upto: int) -> list[ColumnElement[bool]]:
    conditions = [article.c.inbox_no <= upto, upto >= _LAST_OF_STORY]
    if what == "text":
        conditions.append(article.c.text.is_not(None))
    return conditions


def articles_with_text(
    connection: Connection, story_id: str, limit: int
) -> list[StoredArticle]:
    """Return the articles of a story whose texts are not deleted, in the order of placing."""
    with_text = select(article.c.inbox_no).where(
        article.c.story == story_id, article.c.text.is_not(None)
    )
    numbers = connection.scalars(with_text.order_by(article.c.inbox_no).limit(limit))
    return stored_with(connection, article.c.inbox_no, numbers)


def drop_terms(connection: Connection, story_id: str) -> bool:
    """Delete the terms of the articles of a story; return whether there were any."""
    with_terms = article.c.story == story_id, func.length(article.c.terms) > 0
    return update_rows(connection, article, *with_terms, terms=b"") > 0


def keep_text(connection: Connection, story_no: int, text: StoryText) -> None:
    """Keep the title and the first paragraph of the lead of what a story shows.

    The texts of its articles are deleted next; its summary stays, too.
    """
    text = replace(text, lead=text.lead[:1], openings=(), quotations=())
    values = {"text": "", "rendered": codecs.compress_struct(text)}
    rewrite(connection, story, [story_no], lambda _: values)


def last_to_first(connection: Connection, story_id: str, limit: int) -> list[str]:
    """Return the last articles of a story, the one of the headline last: copies go before their originals."""
    is_title = (
        article.c.id
        == select(story.c.title_article).where(story.c.id == story_id).scalar_subquery()
    )
    members = select(article.c.id).where(article.c.story == story_id)
    ordered = members.order_by(case((is_title, 1), else_=0), article.c.inbox_no.desc())
    return list(connection.scalars(ordered.limit(limit)))


def drop_history(connection: Connection, ids: set[str]) -> None:
    """Delete the log lines and changes of stories."""
    for table in (story_log, change):
        delete_rows(connection, table, table.c.story.in_(ids))


def settle_entries(connection: Connection, limit: int) -> bool:
    """Drop the payload of the next finished entries and rewrite their rows; return whether there were any.

    What a placed entry declared is in its article.
    """
    rows = connection.execute(
        select(entry.c.entry_no, entry.c.state, article.c.url)
        .outerjoin(article, article.c.id == entry.c.article)
        .where(entry.c.entry_no > counter_value(connection, _SETTLED_TO))
        .order_by(entry.c.entry_no)
        .limit(limit)
    ).all()
    if len(rows) < limit or any(row.state in ("page", "ready") for row in rows):
        return False
    addresses = {row.entry_no: row.url for row in rows}

    def settled(row: RowMapping) -> dict[str, Any]:
        """Clear the columns that the article has, too."""
        values: dict[str, Any] = {}
        if row["state"] == "done":
            # `doctor` reads the entries whose page failed.
            if row["verdict"] == "ok" and row["page_verdict"] is None:
                values["payload"] = b""
            for name in ("url", "page_url"):
                if row[name] == addresses[row["entry_no"]]:
                    values[name] = None
        return values

    rewrite(connection, entry, addresses, settled)
    set_counter(connection, _SETTLED_TO, rows[-1].entry_no)
    return True


def drop_streams(connection: Connection, now: dt.datetime, limit: int) -> int:
    """Delete old ones of the first `limit` changes, answered commands and rejected inputs; return how many.

    A change stays until all webhooks have examined it.
    """
    first = select(change.c.change_no).order_by(change.c.change_no).limit(limit)
    examined = (
        select(func.min(webhook.c.last_change_no))
        .where(webhook.c.is_configured)
        .scalar_subquery()
    )
    changes = delete_rows(
        connection,
        change,
        change.c.change_no.in_(first),
        change.c.change_no <= func.coalesce(examined, change.c.change_no),
        change.c.at < now - dt.timedelta(days=_CHANGE_DAYS),
    )
    is_answered = command.c.state != "waiting"
    commands = is_answered & (
        command.c.done_at < now - dt.timedelta(days=_COMMAND_DAYS)
    )
    rejected = rejected_input.c.at < now - dt.timedelta(days=_REJECTED_DAYS)
    return (
        changes
        + delete_some(connection, command, commands, command.c.command_no, limit)
        + delete_some(connection, rejected_input, rejected, rejected_input.c.at, limit)
    )
