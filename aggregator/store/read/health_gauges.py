"""What probes and metrics ask of the database: few statements, each over an index or a handful of rows.

At a million articles all of it takes some milliseconds (docs/monitoring.md), so nothing here counts articles.
Few, because each waits for its turn among the threads of a daemon that places: up to 5 ms, which is more than
the statement itself takes.
"""

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    case,
    func,
    select,
    text,
)

from aggregator.model.health_report import DatabaseSize, DatabaseStatus, SourceGauge
from aggregator.store.engine.database import Database
from aggregator.store.search import index
from aggregator.store.stories import outbox
from aggregator.store.tables import UtcTime, article, entry, hook, request, source, story, story_log
from aggregator.store.tables import outbox as deliveries

_UNRENDERED_COUNTED = 1_000  # more of them are "so many at least": each is a row of an index
_OLDEST_OF = 1_000  # pages that are looked at for the oldest one: those that are due the longest
_LATE = dt.timedelta(seconds=5)  # what is due for less is only waiting for the next tick


def stored(connection: Connection, now: dt.datetime, recovered_after: int) -> DatabaseStatus:
    """What the database knows of how it goes. `recovered_after`: see outbox.problems."""
    found = connection.execute(_AT_ONCE, {"late": now - _LATE}).one()
    waits = [moment for moment in (found.oldest_ready, found.oldest_page) if moment is not None]
    newest = found.newest or 0
    states = connection.execute(_STATES).all()
    return DatabaseStatus(
        inbox={"page": found.page, "ready": found.ready},
        oldest_seconds=max([0.0, *((now - moment).total_seconds() for moment in waits)]),
        last_placed=found.last_placed,
        sources=_of_all_kinds(states),
        all_fail=_all_fail(states),
        due_sources=found.due,
        late_seconds=0.0 if found.first_due is None else (now - found.first_due).total_seconds(),
        articles=newest,
        unindexed=index.unindexed_at_most(connection, newest),
        untold=found.untold,
        requests_waiting=found.requests,
        deliveries_waiting=found.deliveries,
        hooks_failing=found.failing_hooks,
        problems=outbox.problems(connection, recovered_after),
    )


def source_states(connection: Connection) -> dict[str, int]:
    """How many sources are in each state."""
    return _of_all_kinds(connection.execute(_STATES).all())


def all_fail(connection: Connection) -> str | None:
    """That every feed that was asked fails or is gone, in words; None where one does not, or none was."""
    return _all_fail(connection.execute(_STATES).all())


def _of_all_kinds(rows: Sequence[Row[Any]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in rows:
        found[row.state] += row.number
    return dict(found)


def _all_fail(rows: Sequence[Row[Any]]) -> str | None:
    feeds = {row.state: row.number for row in rows if row.kind == "feed" and row.state not in _NOT_ASKED_YET}
    if not feeds or not set(feeds) <= {"failing", "gone"}:
        return None
    number = sum(feeds.values())
    return f"all {number} feeds fail" if number > 1 else "the only feed fails"


def sources(connection: Connection, limit: int) -> list[SourceGauge]:
    """The first sources by id: each is several series for good."""
    columns = (source.c.health, source.c.last_success_at, source.c.paused)
    counts = (source.c.entries_new, source.c.entries_known, source.c.entries_refused)
    rows = connection.execute(select(source.c.id, *columns, *counts).order_by(source.c.id).limit(limit))
    return [
        SourceGauge(
            id=row.id,
            health="paused" if row.paused else row.health,
            last_success=None if row.last_success_at is None else row.last_success_at.timestamp(),
            new=row.entries_new,
            known=row.entries_known,
            refused=row.entries_refused,
        )
        for row in rows
    ]


def log_end(connection: Connection) -> int:
    """The number of the last line of the stories' log."""
    return connection.execute(select(func.max(story_log.c.n))).scalar() or 0


def log_kinds(connection: Connection, after: int, to: int) -> dict[str, int]:
    """How many lines of each kind the stories' log got after line `after`, up to line `to`."""
    counted = select(story_log.c.kind, func.count().label("number")).group_by(story_log.c.kind)
    rows = connection.execute(counted.where(story_log.c.n > after, story_log.c.n <= to))
    return {row.kind: row.number for row in rows}


def place(database: Database, connection: Connection) -> DatabaseSize:
    """What the database takes on its disk."""
    file = database.file
    if file is None:
        size = text("SELECT pg_database_size(current_database())")
        return DatabaseSize(size_bytes=connection.execute(size).scalar_one())
    log = Path(f"{file}-wal")
    pages = "SELECT page_size, freelist_count FROM pragma_page_size, pragma_freelist_count"
    page_size, free = connection.exec_driver_sql(pages).one()
    return DatabaseSize(
        size_bytes=file.stat().st_size,
        log_bytes=log.stat().st_size if log.exists() else 0,
        free_page_bytes=page_size * free,
        free_disk_bytes=shutil.disk_usage(file.parent).free,
    )


def revision(connection: Connection) -> str | None:
    """The revision of the tables as they are now: another program may have changed it under us."""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def server_encoding(connection: Connection) -> str:
    """On Postgres: how the database holds text."""
    found: str = connection.execute(text("SHOW server_encoding")).scalar_one()
    return found


def last_accepted_at(connection: Connection) -> dt.datetime | None:
    """When the last entry was accepted, by the clock of then."""
    return connection.execute(select(entry.c.accepted_at).order_by(entry.c.n.desc()).limit(1)).scalar()


_STATE = case((source.c.paused, "paused"), else_=source.c.health).label("state")
_STATES = select(source.c.kind, _STATE, func.count().label("number")).group_by(source.c.kind, _STATE)
_NOT_ASKED_YET = ("new", "paused", "merged")  # of these nothing is known, or wanted
_NEWEST = select(article.c.n).order_by(article.c.n.desc()).limit(1)
_LAST_PLACED = select(article.c.placed_at).order_by(article.c.n.desc()).limit(1)
_READY = select(entry.c.accepted_at).where(entry.c.state == "ready").order_by(entry.c.inbox_no).limit(1)
_PAGES_DUE = select(entry.c.accepted_at).where(entry.c.state == "page").order_by(entry.c.page_due_at)
_PAGES = select(func.min(_PAGES_DUE.limit(_OLDEST_OF).subquery().c.accepted_at))
_ASKED = and_(~source.c.paused, source.c.health.not_in(("gone", "merged")))
_LATE_ONES = and_(_ASKED, source.c.next_due_at <= bindparam("late", type_=UtcTime))
_UNRENDERED = select(story.c.updated).where(story.c.text.is_(None), story.c.redirect_to.is_(None))
_ON = select(hook.c.name).where(hook.c.is_on)


def _number(of: FromClause, *where: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(func.count()).select_from(of).where(*where).scalar_subquery()


_AT_ONCE = select(
    _NEWEST.scalar_subquery().label("newest"),
    _LAST_PLACED.scalar_subquery().label("last_placed"),
    _READY.scalar_subquery().label("oldest_ready"),
    _PAGES.scalar_subquery().label("oldest_page"),
    _number(entry, entry.c.state == "ready").label("ready"),
    _number(entry, entry.c.state == "page").label("page"),
    _number(source, _LATE_ONES).label("due"),
    select(func.min(source.c.next_due_at)).where(_LATE_ONES).scalar_subquery().label("first_due"),
    _number(_UNRENDERED.order_by(story.c.updated).limit(_UNRENDERED_COUNTED).subquery()).label("untold"),
    _number(request, request.c.state == "waiting").label("requests"),
    _number(deliveries, deliveries.c.hook.in_(_ON), deliveries.c.state == "waiting").label("deliveries"),
    _number(hook, hook.c.is_on, hook.c.state != "ok").label("failing_hooks"),
)
