"""The state of inbox, sources, window, rendering and deliveries.

The queries are few statements, each over an index or a few rows: with a million articles they take some
milliseconds together (docs/monitoring.md), and none counts articles. There are few, because each may wait
5 ms for the GIL while the daemon places, longer than the statement takes.
"""

import datetime as dt
import shutil
from collections import Counter
from collections.abc import Sequence
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

from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.model.health_report import DatabaseSize, DatabaseStatus
from aggregator.store.deliveries import recipients
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import UNWRITTEN, source_with_id
from aggregator.store.search.progress import unindexed_at_most
from aggregator.store.stories.storylines import uncompared
from aggregator.store.tables import (
    IS_LIVE,
    UtcTime,
    article,
    command,
    entry,
    source,
    story,
    webhook,
)
from aggregator.store.tables import outbox as deliveries

_READY_MINUTES = 5  # that an entry may wait whose page is here, or needs none
_UNRENDERED_COUNTED = 1_000  # the count stops here: each is a row of an index
# Pages and ready entries among which the oldest is searched: those due the longest
_OLDEST_OF = 1_000

# A source due for less time may have been polled without news, or waits for the next tick.
_LATE = UNWRITTEN + dt.timedelta(seconds=5)


def stored(
    connection: Connection,
    now: dt.datetime,
    all_tuning: Tuning,
    slow_sources: Sequence[str] = (),
) -> DatabaseStatus:
    """Return the state of inbox, sources, window, rendering and webhooks. `slow_sources`: of the process."""
    counts = connection.execute(_AT_ONCE, {"late": now - _LATE}).one()
    newest = counts.newest or 0
    states = connection.execute(_STATES).all()
    by_state: Counter[str] = Counter()
    for row in states:
        by_state[row.state] += row.number
    events = all_tuning.values("events")
    reach = events["live_reach"]
    hours = _window_hours(connection, now, newest, reach)
    is_short = hours is not None and hours < 24 * events["window_days"]
    return DatabaseStatus(
        inbox={"page": counts.page, "ready": counts.ready},
        overdue=_overdue(connection, now, counts.oldest_ready),
        slow_sources=tuple(_name_of(connection, name) for name in slow_sources),
        oldest_seconds=_seconds_since(now, counts.oldest_ready, counts.oldest_page),
        last_placed=counts.last_placed,
        sources=dict(by_state),
        all_fail=_all_fail(states),
        due_sources=counts.due,
        late_seconds=_seconds_since(now, counts.first_due),
        articles=newest,
        window_hours=hours,
        window_is_short=newest > reach and is_short,
        unindexed=unindexed_at_most(connection, newest),
        uncompared=uncompared(connection),
        unrendered=counts.unrendered,
        requests_waiting=counts.requests,
        deliveries_waiting=counts.deliveries,
        hooks_failing=counts.failing_hooks,
        problems=recipients.problems(connection),
    )


def _seconds_since(now: dt.datetime, *moments: dt.datetime | None) -> float:
    """Return the seconds since the first of these moments; 0 without any."""
    first = min(filter(None, moments), default=now)
    return max(0.0, (now - first).total_seconds())


def _name_of(connection: Connection, entry_source: str) -> str:
    of_feed = source_with_id(connection, entry_source)
    return entry_source if of_feed is None else of_feed.shown_name


def _overdue(
    connection: Connection, now: dt.datetime, oldest_ready: dt.datetime | None
) -> str | None:
    """Return a message that names the source of most entries that are ready for too long, else None."""
    before = now - dt.timedelta(minutes=_READY_MINUTES)
    if oldest_ready is None or oldest_ready > before:
        return None
    most = connection.execute(_OVERDUE, {"before": before}).first()
    if most is None:
        return None
    entries = counted(most.number, "entry", "entries")
    name = _name_of(connection, most.source)
    return f"{entries} of {name} waited for more than {_READY_MINUTES} minutes to be placed"


_PLACED_FROM = (
    select(article.c.inbox_no, article.c.placed_at)
    .where(article.c.inbox_no >= bindparam("number"))
    .order_by(article.c.inbox_no)
    .limit(1)
)


def _window_hours(
    connection: Connection, now: dt.datetime, newest: int, reach: int
) -> float | None:
    """Return the hours in which `reach` numbers are placed, at the rate of the last tenth of them.

    None without articles.
    """
    first = connection.execute(_PLACED_FROM, {"number": newest - reach // 10}).first()
    if first is None or newest <= first.inbox_no:
        return None
    age: dt.timedelta = now - first.placed_at
    hours: float = age.total_seconds() / 3600 / (newest - first.inbox_no) * reach
    return hours


def all_feeds_fail(connection: Connection) -> str | None:
    """Return a message where all feeds fail that were asked, else None."""
    return _all_fail(connection.execute(_STATES).all())


def _all_fail(rows: Sequence[Row[Any]]) -> str | None:
    feeds = {}
    for row in rows:
        if row.is_remote:
            feeds[row.state] = row.number
    asked = feeds.keys() - _NOT_POLLED
    if not asked or not asked <= {"failing", "gone"}:
        return None
    number = sum(feeds[state] for state in asked)
    words = f"all {number} feeds", "fail"
    if number == 1:
        words = "the only feed", "fails"
    return (" asked so far " if "new" in feeds else " ").join(words)


def place(database: Database) -> DatabaseSize:
    """Return the sizes of the database on disk."""
    space = database.space()
    file = database.file
    if file is None:
        return DatabaseSize(size_bytes=space.total)
    return DatabaseSize(
        size_bytes=space.total,
        log_bytes=database.log_bytes(),
        free_page_bytes=space.free,
        free_disk_bytes=shutil.disk_usage(file.parent).free,
    )


def revision(connection: Connection) -> str | None:
    """Return the present revision of the tables, which another program may have changed."""
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


_STATE = case((source.c.paused, "paused"), else_=source.c.health).label("state")
_IS_REMOTE = source.c.host.is_not(None).label("is_remote")

_STATES = select(_IS_REMOTE, _STATE, func.count().label("number")).group_by(
    _IS_REMOTE, _STATE
)

# States of sources that are not polled, or not yet
_NOT_POLLED = ("new", "paused", "merged")

_NEWEST = select(article.c.inbox_no).order_by(article.c.inbox_no.desc()).limit(1)
_LAST_PLACED = select(article.c.placed_at).order_by(article.c.inbox_no.desc()).limit(1)
_READY = select(func.min(entry.c.accepted_at)).where(entry.c.state == "ready")
_READY_SINCE = func.coalesce(entry.c.page_due_at, entry.c.accepted_at, type_=UtcTime)

_READY_LONG = (
    select(entry.c.source)
    .where(entry.c.state == "ready", bindparam("before", type_=UtcTime) >= _READY_SINCE)
    .limit(_OLDEST_OF)
    .subquery()
)

_OVERDUE = (
    select(_READY_LONG.c.source, func.count().label("number"))
    .group_by(_READY_LONG.c.source)
    .order_by(func.count().desc(), _READY_LONG.c.source)
    .limit(1)
)

# Without late pages: their articles are placed.
_IS_UNPLACED = (entry.c.state == "page") & (
    entry.c.is_revision | (entry.c.page_attempts == 0)
)

_PAGES_DUE = (
    select(entry.c.accepted_at).where(_IS_UNPLACED).order_by(entry.c.page_due_at)
)

_PAGES = select(func.min(_PAGES_DUE.limit(_OLDEST_OF).subquery().c.accepted_at))
_POLLED = and_(~source.c.paused, source.c.health.not_in(("gone", "merged")))
_LATE_ONES = and_(_POLLED, source.c.next_due_at <= bindparam("late", type_=UtcTime))

_UNRENDERED = select(story.c.bumped_at).where(story.c.text.is_(None), IS_LIVE)

_ON = select(webhook.c.name).where(webhook.c.is_configured)


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
    select(func.min(source.c.next_due_at))
    .where(_LATE_ONES)
    .scalar_subquery()
    .label("first_due"),
    _number(
        _UNRENDERED.order_by(story.c.bumped_at).limit(_UNRENDERED_COUNTED).subquery()
    ).label("unrendered"),
    _number(command, command.c.state == "waiting").label("requests"),
    _number(
        deliveries, deliveries.c.webhook.in_(_ON), deliveries.c.state == "waiting"
    ).label("deliveries"),
    _number(webhook, webhook.c.is_configured, webhook.c.state != "ok").label(
        "failing_hooks"
    ),
)
