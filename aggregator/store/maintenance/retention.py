"""Retention in the tables: which stories and rows are old, and what stays of them.

grouping/deletion/retention.py runs it.
Nothing records how far it is: an old story is found by its oldest article, which has a text until that is
deleted, and a row until it is deleted itself.
"""

import datetime as dt
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    RowMapping,
    bindparam,
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

_SAMPLES = 32  # of each step of `placed_before`
# counter: the last entry of which only what its article lacks is left
_SETTLED_TO = "entries_to"
# That changes are stored, once all webhooks have read them (chosen)
_CHANGE_DAYS = 90.0
_COMMAND_DAYS = 30.0  # that finished commands are stored (chosen)
_REJECTED_DAYS = 90.0  # that unreadable files and missing pages are recorded (chosen)


def newest_article(connection: Connection) -> int:
    """Return the highest inbox number of an article; 0 without articles."""
    return highest(connection, article.c.inbox_no)


_NEXT_PLACED = (
    select(article.c.inbox_no, article.c.placed_at)
    .where(
        article.c.inbox_no >= bindparam("number"),
        article.c.placed_at <= bindparam("now"),
    )
    .order_by(article.c.inbox_no)
    .limit(1)
)


def placed_before(connection: Connection, moment: dt.datetime, now: dt.datetime) -> int:
    """Return the inbox number up to which articles were placed before `moment`.

    Numbers and times rise together, except where articles were placed under a wrong clock: they are treated
    as old as their neighbours. So the bound is where the fewest samples are on the wrong side, and the search
    continues between the two samples at the bound. A period under a wrong clock moves the bound by about its
    own length only.
    """
    low = 0
    high = newest_article(connection) + 1
    while high - low > 1:
        step = max(1, (high - low) // _SAMPLES)
        bounds = low, low + step
        # Of old samples over young ones so far: where it is largest, fewest are wrong
        surplus = most = 0
        for number in range(low + step, high, step):
            row = connection.execute(
                _NEXT_PLACED, {"number": number, "now": now}
            ).first()
            if row is None or row.inbox_no >= high or row.placed_at >= moment:
                surplus -= 1
                continue
            surplus += 1
            if surplus > most:
                most = surplus
                bounds = row.inbox_no, min(number + step, high)
        low, high = bounds
    return low


def next_story(
    connection: Connection, what: DeletedPart, upto: int
) -> Row[Any, Any, Any] | None:
    """Return number, id and title of the next story to shorten ("text") or delete ("all").

    Of the stories without an article above inbox number `upto` it is that of the oldest article.
    """
    # Those of stories that still grow are passed over; they are few.
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
    """Store what a story shows for good, before the texts of its articles are deleted."""
    values = {"count_state": None, "text": "", "rendered": codecs.compress_struct(text)}
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
    rewrite(
        connection,
        entry,
        addresses,
        lambda row: _settled(row, addresses[row["entry_no"]]),
    )
    set_counter(connection, _SETTLED_TO, rows[-1].entry_no)
    return True


def _settled(row: RowMapping, address: str | None) -> dict[str, Any]:
    """Clear the columns that the article has, too. `doctor` reads the entries whose page failed."""
    values: dict[str, Any] = {}
    if row["state"] == "done":
        if row["verdict"] == "ok" and row["page_verdict"] is None:
            values["payload"] = b""
        for name in ("url", "page_url"):
            if row[name] == address:
                values[name] = None
    return values


def drop_streams(connection: Connection, now: dt.datetime, limit: int) -> int:
    """Delete old ones of the first `limit` changes, answered commands and rejected inputs; return how many.

    A change stays until all webhooks have examined it.
    """
    is_answered = command.c.state != "waiting"
    commands = is_answered & (
        command.c.done_at < now - dt.timedelta(days=_COMMAND_DAYS)
    )
    rejected = rejected_input.c.at < now - dt.timedelta(days=_REJECTED_DAYS)
    return (
        _drop_changes(connection, now - dt.timedelta(days=_CHANGE_DAYS), limit)
        + delete_some(connection, command, commands, command.c.command_no, limit)
        + delete_some(connection, rejected_input, rejected, rejected_input.c.at, limit)
    )


def _drop_changes(connection: Connection, before: dt.datetime, limit: int) -> int:
    first = select(change.c.change_no).order_by(change.c.change_no).limit(limit)
    examined = (
        select(func.min(webhook.c.last_change_no))
        .where(webhook.c.is_configured)
        .scalar_subquery()
    )
    examined_or_all = func.coalesce(examined, change.c.change_no)
    old = (
        change.c.change_no.in_(first),
        change.c.change_no <= examined_or_all,
        change.c.at < before,
    )
    return delete_rows(connection, change, *old)
