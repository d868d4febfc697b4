"""The state of inbox, sources, window, rendering and deliveries.

Each query reads an index or a few rows, and none counts articles. With a million articles, all of them together take
some milliseconds (docs/monitoring.md). They are few, because each may wait 5 ms for the GIL while the daemon places,
which is longer than the query takes.
"""

import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from aggregator.config.messages import pluralise, redact_address
from aggregator.config.tuning import Tuning
from aggregator.model.health_report import DatabaseSize, DatabaseStatus
from aggregator.store.deliveries import recipients
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import UNWRITTEN, source_with_id
from aggregator.store.search.progress import unindexed_at_most
from aggregator.store.stories.storyline_rows import count_uncompared
from aggregator.store.tables import Row, read_rows, read_value

# An entry may be ready for this long: its page has arrived, or it needs none.
_READY_MINUTES = 5
_UNRENDERED_COUNTED = (
    1_000  # the count stops here, because it reads an index row for each story
)
# At most this many waiting pages, the longest due, are searched for the oldest entry. At most this many overdue
# entries are counted.
_OLDEST_OF = 1_000

# A source due for less time may have been polled without news, or waits for the next tick.
_LATE = UNWRITTEN + timedelta(seconds=5)


def read_status(
    connection: Connection,
    now: datetime,
    all_tuning: Tuning,
    slow_sources: Sequence[str] = (),
) -> DatabaseStatus:
    """Return the state of the database. `slow_sources`: the sources whose pages this process found slow to read."""
    # The oldest page ignores late pages, because their articles are placed already. Times have the names of columns, so
    # that `read_rows` returns them as times.
    (counts,) = read_rows(
        connection,
        f"""
        SELECT
        (SELECT inbox_no FROM article ORDER BY inbox_no DESC LIMIT 1) AS newest,
        (SELECT placed_at FROM article ORDER BY inbox_no DESC LIMIT 1) AS placed_at,
        (SELECT min(accepted_at) FROM entry WHERE state = 'ready') AS accepted_at,
        (SELECT min(accepted_at) FROM (SELECT accepted_at FROM entry
          WHERE state = 'page' AND (is_revision OR page_attempts = 0)
          ORDER BY page_due_at LIMIT {_OLDEST_OF}) AS pages) AS page_due_at,
        (SELECT count(*) FROM entry WHERE state = 'ready') AS ready,
        (SELECT count(*) FROM entry WHERE state = 'page') AS page,
        (SELECT count(*) FROM source WHERE {_IS_LATE}) AS due,
        (SELECT min(next_due_at) FROM source WHERE {_IS_LATE}) AS next_due_at,
        (SELECT count(*) FROM (SELECT bumped_at FROM story WHERE text IS NULL AND redirect_to IS NULL
          ORDER BY bumped_at LIMIT {_UNRENDERED_COUNTED}) AS stories) AS unrendered,
        (SELECT count(*) FROM command WHERE state = 'waiting') AS requests,
        (SELECT count(*) FROM outbox WHERE state = 'waiting'
          AND webhook IN (SELECT name FROM webhook WHERE is_configured)) AS deliveries,
        (SELECT count(*) FROM webhook WHERE is_configured AND state <> 'ok') AS failing_hooks
        """,  # noqa: S608
        late=now - _LATE,
    )
    newest = counts.newest or 0
    states = read_rows(connection, _STATES)
    by_state: Counter[str] = Counter()
    for row in states:
        by_state[row.state] += row.number
    events = all_tuning.values("events")
    reach = events["live_reach"]
    hours = _window_hours(connection, now, newest, reach)
    is_short = hours is not None and hours < 24 * events["window_days"]
    return DatabaseStatus(
        inbox={"page": counts.page, "ready": counts.ready},
        overdue=_overdue(connection, now, counts.accepted_at),
        slow_sources=tuple(_name_of(connection, name) for name in slow_sources),
        oldest_seconds=_seconds_since(now, counts.accepted_at, counts.page_due_at),
        last_placed=counts.placed_at,
        sources=dict(by_state),
        all_fail=_all_fail(states),
        due_sources=counts.due,
        late_seconds=_seconds_since(now, counts.next_due_at),
        articles=newest,
        window_hours=hours,
        window_is_short=newest > reach and is_short,
        unindexed=unindexed_at_most(connection, newest),
        uncompared=count_uncompared(connection),
        unrendered=counts.unrendered,
        requests_waiting=counts.requests,
        deliveries_waiting=counts.deliveries,
        hooks_failing=counts.failing_hooks,
        problems=recipients.problems(connection),
    )


def _seconds_since(now: datetime, *moments: datetime | None) -> float:
    """Return the seconds since the earliest of these times; 0 without any."""
    first = min(filter(None, moments), default=now)
    return max(0.0, (now - first).total_seconds())


def _name_of(connection: Connection, entry_source: str) -> str:
    of_feed = source_with_id(connection, entry_source)
    return entry_source if of_feed is None else redact_address(of_feed.shown_name)


def _overdue(
    connection: Connection, now: datetime, oldest_ready: datetime | None
) -> str | None:
    """Return a message about the source with most of the entries that have been ready too long; None without any."""
    before = now - timedelta(minutes=_READY_MINUTES)
    if oldest_ready is None or oldest_ready > before:
        return None
    for source, number in read_rows(
        connection,
        f"""
        SELECT source, count(*) AS number FROM (
          SELECT source FROM entry
          WHERE state = 'ready' AND coalesce(page_due_at, accepted_at) <= :before LIMIT {_OLDEST_OF}
        ) AS ready GROUP BY source ORDER BY number DESC, source LIMIT 1
        """,  # noqa: S608
        before=before,
    ):
        entries = pluralise(number, "entry", "entries")
        name = _name_of(connection, source)
        return f"{entries} of {name} waited for more than {_READY_MINUTES} minutes to be placed"
    return None


def _window_hours(
    connection: Connection, now: datetime, newest: int, reach: int
) -> float | None:
    """Return how many hours it takes to place `reach` entries, at the rate of the last tenth of them.

    None without articles.
    """
    for number, placed_at in read_rows(
        connection,
        "SELECT inbox_no, placed_at FROM article WHERE inbox_no >= :number ORDER BY inbox_no LIMIT 1",
        number=newest - reach // 10,
    ):
        if newest > number:
            age = now - placed_at
            return age.total_seconds() / 3600 / (newest - number) * reach
    return None


def all_feeds_fail(connection: Connection) -> str | None:
    """Return a message if all feeds that were asked fail, else None."""
    return _all_fail(read_rows(connection, _STATES))


def _all_fail(rows: Sequence[Row]) -> str | None:
    feeds = {row.state: row.number for row in rows if row.is_remote}
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
    return read_value(connection, "SELECT version_num FROM alembic_version")


_STATES = """
    SELECT host IS NOT NULL AS is_remote, CASE WHEN paused THEN 'paused' ELSE health END AS state,
      count(*) AS number
    FROM source GROUP BY host IS NOT NULL, CASE WHEN paused THEN 'paused' ELSE health END
    """
# States of sources that are not polled, or not yet
_NOT_POLLED = ("new", "paused", "merged")
_IS_LATE = "NOT paused AND health NOT IN ('gone', 'merged') AND next_due_at <= :late"
