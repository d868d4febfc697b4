"""Nothing is lost on the way: what came is stored, known or refused; what is stored is placed or waits.

Counted at the door by store/intake/intake_counts.py, compared here with the rows.
"""

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from aggregator.model.core import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.intake.intake_counts import STORED
from aggregator.store.intake.rejected import IS_QUARANTINED
from aggregator.store.maintenance.checks.finding import NOTED, Fault, pairs
from aggregator.store.maintenance.checks.references import FOUNDING
from aggregator.store.tables import article, change, counter, entry, intake, story

_RESTORE = (
    "rows of the inbox are lost, or were put there by hand: aggregator db restore FILE --replace; what is "
    "readable comes out with `aggregator export`"
)


class Balance(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """Where all is that ever came, by one look at the rows.

    `seen` = `stored` + `known` + `refused_at_the_door` + `earlier`, and
    `stored` = `placed` + `waiting` + `refused` + `let_go`. `refused_as`: by verdict.
    """

    seen: int
    stored: int
    known: int
    refused_at_the_door: int
    earlier: int  # seen before this was counted, and not stored
    placed: int
    waiting: int
    refused: int
    refused_as: tuple[tuple[str, int], ...]
    let_go: int  # stored once, their rows are not kept any more
    became: int  # entries that became an article
    articles: int


def balance(connection: Connection) -> Balance:
    """Where all is. One reading transaction."""
    seen = select(intake.c.outcome, func.sum(intake.c.count)).group_by(intake.c.outcome)
    at_door = Counter(pairs(connection, seen))
    let_go = connection.execute(select(func.coalesce(func.sum(intake.c.gone), 0))).scalar_one()
    by_state: Counter[str] = Counter(
        pairs(connection, select(entry.c.state, func.count()).group_by(entry.c.state))
    )
    refused_as = connection.execute(
        select(entry.c.verdict, func.count()).where(entry.c.state == "refused").group_by(entry.c.verdict)
    )
    became = select(func.count()).where(entry.c.state == "done", entry.c.outcome.in_(FOUNDING))
    return Balance(
        seen=_counted(connection)["entry"],
        stored=sum(int(at_door[name]) for name in STORED),
        known=int(at_door["known"]),
        refused_at_the_door=int(at_door["forgotten"]),
        earlier=int(at_door["earlier"]),
        placed=by_state["done"],
        waiting=by_state["page"] + by_state["ready"],
        refused=by_state["refused"],
        refused_as=tuple(sorted((row[0] or "", row[1]) for row in refused_as)),
        let_go=int(let_go),
        became=connection.execute(became).scalar_one(),
        articles=connection.execute(select(func.count()).select_from(article)).scalar_one(),
    )


def faults(database: Database) -> Iterator[Fault]:
    """What does not add up; and running numbers that were given twice, or will be."""
    with database.read() as connection:
        told = balance(connection)
        yield from _of_the_whole(told)
        yield from _by_source(connection)
        yield from _of_numbers(connection)
        yield from _quarantined(connection)


def _of_the_whole(told: Balance) -> Iterator[Fault]:
    at_door = told.stored + told.known + told.refused_at_the_door + told.earlier
    if told.seen != at_door:
        yield Fault(
            what=f"{told.seen:,} entries were seen, but {at_door:,} are stored, known or refused",
            rows=abs(told.seen - at_door),
            advice=_RESTORE,
        )


def _by_source(connection: Connection) -> Iterator[Fault]:
    held: Counter[tuple[str, str]] = Counter()
    rows = select(entry.c.source, entry.c.revises, func.count()).group_by(entry.c.source, entry.c.revises)
    for source, revises, count in connection.execute(rows):
        held[source, "revision" if revises else "new"] += count
    counted: Counter[tuple[str, str]] = Counter()
    of_rows = select(intake.c.source, intake.c.outcome, intake.c.count - intake.c.gone)
    for source, outcome, count in connection.execute(of_rows.where(intake.c.outcome.in_(STORED))):
        counted[source, outcome] = count
    wrong = {
        key: counted[key] - held[key] for key in counted.keys() | held.keys() if counted[key] != held[key]
    }
    if lost := sum(count for count in wrong.values() if count > 0):
        yield Fault(what="entries were stored and are not there", rows=lost, advice=_RESTORE)
    if more := -sum(count for count in wrong.values() if count < 0):
        yield Fault(what="entries are there that never came in", rows=more, advice=_RESTORE)


def _counted(connection: Connection) -> dict[str, int]:
    return pairs(connection, select(counter.c.name, counter.c.value))


def _of_numbers(connection: Connection) -> Iterator[Fault]:
    """The next number of each kind must be a new one."""
    counted = _counted(connection)
    highest = {
        "entry": entry.c.n,
        "inbox": entry.c.inbox_no,
        "story": story.c.n,
        "change": change.c.n,
    }
    for name, column in highest.items():
        used = connection.execute(select(func.max(column))).scalar() or 0
        if counted.get(name, 0) < used:
            yield Fault(
                what=f"the counter of {name} numbers is behind: the next one would be given twice",
                rows=used - counted.get(name, 0),
                remedy="counters",
                keys=(name,),
            )
    placed = connection.execute(select(func.max(article.c.n))).scalar() or 0
    if counted.get("inbox", 0) < placed:
        yield Fault(
            what="the counter of inbox numbers is behind the articles",
            rows=placed - counted.get("inbox", 0),
            remedy="counters",
            keys=("inbox",),
        )


def _quarantined(connection: Connection) -> Iterator[Fault]:
    """Where a row was damaged that is repaired by now, or the program mended, they can be placed."""
    found = (
        connection.execute(select(entry.c.n).where(IS_QUARANTINED).order_by(entry.c.n).limit(NOTED))
        .scalars()
        .all()
    )
    if found:
        what = "entries are set aside, since placing them failed; repairing lets them wait again"
        yield Fault(what=what, rows=len(found), remedy="set aside", keys=tuple(map(str, found)))
