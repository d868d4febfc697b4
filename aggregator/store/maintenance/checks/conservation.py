"""Conservation of entries: each received entry is stored, known or refused; stored ones are placed or wait.

`inbox.count_received` counts entries when they are received; here the counts are compared with rows.
"""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import STORED
from aggregator.store.intake.rejected import IS_QUARANTINED
from aggregator.store.maintenance.checks.finding import NOTED, Fault, pairs
from aggregator.store.tables import article, counter, entry, intake_count

_RESTORE = (
    "rows of the inbox are lost, or were inserted by hand: aggregator db restore FILE --replace; `aggregator "
    "export` writes all readable rows"
)


_FOUNDING = ("founded", "joined", "copy")  # outcomes of entries that became an article each


class Balance(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Numbers of all received entries, from one state of the database.

    `seen` = `stored` + `known` + `refused_as_forgotten` + `earlier`, and
    `stored` = `placed` + `waiting` + `refused` + `deleted`. `refused_as`: by verdict.
    """

    seen: int
    stored: int
    known: int
    refused_as_forgotten: int
    earlier: int  # received before outcomes were counted, and not stored
    placed: int
    waiting: int
    refused: int
    refused_as: tuple[tuple[str, int], ...]
    deleted: int  # stored, but deleted since
    became: int  # entries that founded, joined or copied: each is an article
    articles: int


def balance(connection: Connection) -> Balance:
    """Count entries by what became of them. Call it in one reading transaction."""
    seen = select(intake_count.c.outcome, func.sum(intake_count.c.count)).group_by(intake_count.c.outcome)
    by_outcome = Counter(pairs(connection, seen))
    deleted = connection.execute(select(func.coalesce(func.sum(intake_count.c.deleted), 0))).scalar_one()
    by_state: Counter[str] = Counter(
        pairs(connection, select(entry.c.state, func.count()).group_by(entry.c.state))
    )
    refused_as = connection.execute(
        select(entry.c.verdict, func.count()).where(entry.c.state == "refused").group_by(entry.c.verdict)
    )
    became = select(func.count()).where(entry.c.state == "done", entry.c.outcome.in_(_FOUNDING))
    return Balance(
        seen=connection.execute(select(counter.c.value).where(counter.c.name == "entry")).scalar_one(),
        stored=sum(int(by_outcome[name]) for name in STORED),
        known=int(by_outcome["known"]),
        refused_as_forgotten=int(by_outcome["forgotten"]),
        earlier=int(by_outcome["earlier"]),
        placed=by_state["done"],
        waiting=by_state["page"] + by_state["ready"],
        refused=by_state["refused"],
        refused_as=tuple(sorted((row[0] or "", row[1]) for row in refused_as)),
        deleted=int(deleted),
        became=connection.execute(became).scalar_one(),
        articles=connection.execute(select(func.count()).select_from(article)).scalar_one(),
    )


def faults(database: Database) -> Iterator[Fault]:
    """Yield counts that do not match, and entries in quarantine."""
    with database.read() as connection:
        total = balance(connection)
        accounted = total.stored + total.known + total.refused_as_forgotten + total.earlier
        if total.seen != accounted:
            what = f"{total.seen:,} entries were received, but {accounted:,} are stored, known or refused"
            yield Fault(what=what, rows=abs(total.seen - accounted), advice=_RESTORE)
        yield from _by_source(connection)
        # Entries in quarantine can be placed after a repair or an upgrade.
        chosen = select(entry.c.entry_no).where(IS_QUARANTINED).order_by(entry.c.entry_no).limit(NOTED)
        if found := connection.execute(chosen).scalars().all():
            what = "entries are in quarantine because placing them failed; a repair queues them again"
            yield Fault(what=what, rows=len(found), remedy="quarantine", keys=tuple(map(str, found)))


def _by_source(connection: Connection) -> Iterator[Fault]:
    missing: Counter[tuple[str, str]] = Counter()
    counts = select(
        intake_count.c.source, intake_count.c.outcome, intake_count.c.count - intake_count.c.deleted
    )
    for source, outcome, count in connection.execute(counts.where(intake_count.c.outcome.in_(STORED))):
        missing[source, outcome] += count
    of_entries = entry.c.source, entry.c.is_revision
    for source, is_revision, count in connection.execute(
        select(*of_entries, func.count()).group_by(*of_entries)
    ):
        missing[source, "revision" if is_revision else "new"] -= count
    if lost := (+missing).total():
        yield Fault(what="entries that were stored are missing", rows=lost, advice=_RESTORE)
    if more := (-missing).total():
        yield Fault(what="entries exist that were not received", rows=more, advice=_RESTORE)
