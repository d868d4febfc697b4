"""What webhooks deliver: which changes were looked at for each hook, what waits, and what came of it.

The stream of changes is the source. Rows are added together with the number of the last change that was
looked at, in one transaction: a crash in between makes none of them and loses none.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, Update, and_, delete, func, insert, or_, select, update

from aggregator.model.core import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import change, hook, in_parts, outbox

_EARLIER = outbox.alias("earlier")


class WebhookState(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """How one hook does. `state`: ok, failing, or gone (its receiver said so; nothing is sent any more)."""

    name: str
    is_on: bool
    read_to: int
    state: str
    problem: str | None
    failures: int
    failing_since: dt.datetime | None
    resumes_at: dt.datetime | None
    last_success_at: dt.datetime | None


class WebhookStats(FrozenStruct, frozen=True, kw_only=True):
    """A hook with how many of its deliveries wait, were made lately and were given up lately."""

    row: WebhookState
    waiting: int = 0
    done: int = 0
    given_up: int = 0


class NewDelivery(FrozenStruct, frozen=True, kw_only=True):
    """A delivery to be added."""

    hook: str
    change: int
    id: str
    story: str
    body: bytes


class Delivery(FrozenStruct, frozen=True, kw_only=True):
    """A delivery that waits, with its body as it is sent."""

    hook: str
    change: int
    id: str
    story: str
    body: bytes
    tries: int
    first_tried_at: dt.datetime | None


_COLUMNS = [hook.c[name] for name in WebhookState.__struct_fields__]


# --- hooks -------------------------------------------------------------------------------------------------


def sync_webhooks(connection: Connection, places: Mapping[str, bytes], newest: int, now: dt.datetime) -> None:
    """Take over which hooks there are, by name, each with the hash of its address.

    A new one, and one that comes back, begins after change `newest`: nothing old is sent. Of one that is
    named no more all is kept, and nothing sent. Another address begins afresh with what waits.
    """
    known = {row.name: row for row in connection.execute(select(hook.c.name, hook.c.place, hook.c.is_on))}
    for name, place in places.items():
        row = known.get(name)
        if row is None:
            values = {"name": name, "place": place, "is_on": True, "read_to": newest, "state": "ok"}
            connection.execute(insert(hook).values(**values, failures=0))
            continue
        if not row.is_on:
            connection.execute(_of(name).values(is_on=True, read_to=newest))
        if row.place != place:
            connection.execute(_of(name).values(place=place))
            resume(connection, name, now)
    off = set(known) - set(places)
    if off:
        connection.execute(update(hook).where(hook.c.name.in_(sorted(off))).values(is_on=False))


def skip_backlog(connection: Connection) -> None:
    """Tell no hook of what is there already."""
    newest = select(func.coalesce(func.max(change.c.n), 0)).scalar_subquery()
    connection.execute(update(hook).values(read_to=newest))


def webhooks(connection: Connection) -> list[WebhookState]:
    """All that were ever named and still have rows, by name."""
    rows = connection.execute(select(*_COLUMNS).order_by(hook.c.name))
    return [WebhookState(**row._mapping) for row in rows]


def webhook_stats(connection: Connection) -> list[WebhookStats]:
    """The hooks in force, by name, with their deliveries counted."""
    counted = connection.execute(
        select(outbox.c.hook, outbox.c.state, func.count().label("number")).group_by(
            outbox.c.hook, outbox.c.state
        )
    )
    counts: dict[tuple[str, str], int] = {(row.hook, row.state): row.number for row in counted}
    return [
        WebhookStats(
            row=row,
            waiting=counts.get((row.name, "waiting"), 0),
            done=counts.get((row.name, "done"), 0),
            given_up=counts.get((row.name, "given_up"), 0),
        )
        for row in webhooks(connection)
        if row.is_on
    ]


def resume(connection: Connection, name: str, now: dt.datetime) -> bool:
    """Send again, at once, what waits for a hook, also where its receiver had said that it is gone.

    False where there is no such hook in force.
    """
    done = connection.execute(
        _of(name)
        .where(hook.c.is_on)
        .values(state="ok", problem=None, failures=0, failing_since=None, resumes_at=None)
    )
    connection.execute(
        update(outbox)
        .where(outbox.c.hook == name, outbox.c.state == "waiting")
        .values(next_at=now, first_tried_at=None)
    )
    return done.rowcount > 0


def problems(connection: Connection, least_failures: int) -> tuple[str, ...]:
    """What is wrong with hooks in force, a sentence each: gone, or so many failures in a row."""
    found = []
    for row in webhooks(connection):
        if not row.is_on:
            continue
        if row.state == "gone":
            found.append(f"webhook {row.name}: its receiver says that it is gone for good (410)")
        elif row.failures >= least_failures and row.failing_since is not None:
            since = f"{row.failing_since:%Y-%m-%d %H:%M} UTC"
            found.append(f"webhook {row.name}: fails since {since}: {row.problem}")
    return tuple(found)


def _of(name: str) -> Update:
    return update(hook).where(hook.c.name == name)


# --- filling -----------------------------------------------------------------------------------------------


def already_sent(connection: Connection, name: str, stories: Collection[str]) -> set[str]:
    """Of these stories those of which the hook was sent something that was not forgotten since."""
    found: set[str] = set()
    for some in in_parts(sorted(stories)):
        few = outbox.c.story.in_(some)
        found |= set(connection.execute(select(outbox.c.story).where(outbox.c.hook == name, few)).scalars())
    return found


def add(
    connection: Connection,
    new_deliveries: Sequence[NewDelivery],
    read_to: Mapping[str, int],
    now: dt.datetime,
) -> None:
    """Add deliveries, and write down up to which change each hook was looked after."""
    rows = [
        {
            "hook": one.hook,
            "change": one.change,
            "id": one.id,
            "story": one.story,
            "body": codecs.compress_bytes(one.body),
            "state": "waiting",
            "at": now,
            "tries": 0,
            "next_at": now,
        }
        for one in new_deliveries
    ]
    if rows:
        connection.execute(insert(outbox), rows)
    for name, number in read_to.items():
        connection.execute(_of(name).values(read_to=number))


def keep_within(connection: Connection, name: str, most: int, now: dt.datetime) -> int:
    """Give up the oldest deliveries of a hook where more than `most` wait; returns how many."""
    oldest = (
        select(outbox.c.change)
        .where(outbox.c.hook == name, outbox.c.state == "waiting")
        .order_by(outbox.c.change.desc())
        .limit(1)
        .offset(most)
    )
    last = connection.execute(oldest).scalar()
    if last is None:
        return 0
    given_up = connection.execute(
        update(outbox)
        .where(outbox.c.hook == name, outbox.c.state == "waiting", outbox.c.change <= last)
        .values(state="given_up", body=None, done_at=now, problem="too many wait")
    )
    return given_up.rowcount


# --- sending -----------------------------------------------------------------------------------------------


def next_due(connection: Connection, name: str, now: dt.datetime) -> Delivery | dt.datetime | None:
    """What a hook is to be sent next; else when to ask again; None where nothing waits.

    The oldest that is due, but never one of a story of which an earlier one still waits.
    """
    row = connection.execute(
        select(hook.c.resumes_at, hook.c.state).where(hook.c.name == name, hook.c.is_on)
    ).first()
    if row is None or row.state == "gone":
        return None
    is_waiting = and_(outbox.c.hook == name, outbox.c.state == "waiting")
    first_of_its_story = ~(
        select(_EARLIER.c.change)
        .where(
            _EARLIER.c.hook == outbox.c.hook,
            _EARLIER.c.story == outbox.c.story,
            _EARLIER.c.state == "waiting",
            _EARLIER.c.change < outbox.c.change,
        )
        .exists()
    )
    if row.resumes_at is None or row.resumes_at <= now:
        due = connection.execute(
            select(outbox)
            .where(is_waiting, outbox.c.next_at <= now, first_of_its_story)
            .order_by(outbox.c.change)
            .limit(1)
        ).first()
        if due is not None:
            values = {field: due._mapping[field] for field in Delivery.__struct_fields__}
            return Delivery(**values | {"body": codecs.decompress_bytes(due.body)})
    soonest: dt.datetime | None = connection.execute(
        select(func.min(outbox.c.next_at)).where(is_waiting, first_of_its_story)
    ).scalar()
    if soonest is None:
        return None
    resumes: dt.datetime = row.resumes_at or soonest
    return max(soonest, resumes)


def pull_in(connection: Connection, name: str, latest: dt.datetime) -> None:
    """Let all that waits for a hook be due by `latest`: what is due later is so by a clock that was wrong."""
    late = outbox.c.hook == name, outbox.c.state == "waiting", outbox.c.next_at > latest
    connection.execute(update(outbox).where(*late).values(next_at=latest))
    connection.execute(_of(name).where(hook.c.resumes_at > latest).values(resumes_at=latest))


def failures_of(connection: Connection, name: str) -> int:
    """How often a hook failed in a row."""
    return connection.execute(select(hook.c.failures).where(hook.c.name == name)).scalar() or 0


def mark_delivered(connection: Connection, one: Delivery, now: dt.datetime, *, recovered_after: int) -> None:
    """The receiver has it. After `recovered_after` failures in a row all that waits is due at once."""
    has_recovered = failures_of(connection, one.hook) >= recovered_after
    connection.execute(
        _at(one).values(state="done", body=None, tries=one.tries + 1, done_at=now, problem=None)
    )
    if has_recovered:
        connection.execute(
            update(outbox).where(outbox.c.hook == one.hook, outbox.c.state == "waiting").values(next_at=now)
        )
    connection.execute(
        _of(one.hook).values(
            state="ok", problem=None, failures=0, failing_since=None, resumes_at=None, last_success_at=now
        )
    )


def mark_failed(
    connection: Connection,
    one: Delivery,
    now: dt.datetime,
    problem: str,
    *,
    next_at: dt.datetime | None,
    resumes_at: dt.datetime,
) -> None:
    """The receiver does not have it. `next_at` None: it is given up."""
    values = {"tries": one.tries + 1, "first_tried_at": one.first_tried_at or now, "problem": problem}
    if next_at is None:
        values |= {"state": "given_up", "body": None, "done_at": now}
    else:
        values |= {"next_at": next_at}
    connection.execute(_at(one).values(**values))
    connection.execute(
        _of(one.hook).values(
            state="failing",
            problem=problem,
            failures=hook.c.failures + 1,
            failing_since=func.coalesce(hook.c.failing_since, now),
            resumes_at=resumes_at,
        )
    )


def mark_gone(connection: Connection, one: Delivery, now: dt.datetime, problem: str) -> None:
    """The receiver asks not to be asked again: all that waits for the hook is given up."""
    connection.execute(_at(one).values(tries=one.tries + 1))
    connection.execute(
        update(outbox)
        .where(outbox.c.hook == one.hook, outbox.c.state == "waiting")
        .values(state="given_up", body=None, done_at=now, problem=problem)
    )
    connection.execute(
        _of(one.hook).values(
            state="gone", problem=problem, failing_since=func.coalesce(hook.c.failing_since, now)
        )
    )


def prune(connection: Connection, before: dt.datetime) -> int:
    """Forget what ended before that time, and what was left waiting of hooks that are no more."""
    off = select(hook.c.name).where(~hook.c.is_on)
    done = connection.execute(
        delete(outbox).where(
            or_(outbox.c.done_at < before, and_(outbox.c.hook.in_(off), outbox.c.at < before))
        )
    )
    connection.execute(
        delete(hook).where(~hook.c.is_on, ~select(outbox.c.hook).where(outbox.c.hook == hook.c.name).exists())
    )
    return done.rowcount


def _at(one: Delivery) -> Update:
    return update(outbox).where(outbox.c.hook == one.hook, outbox.c.change == one.change)
