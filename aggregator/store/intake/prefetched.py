"""Texts that daemons which stand by have prepared for the one that places.

All of it is derived: a row that is lost, late or of another program costs the one that places a job of its
own. Rows go in the transaction that finishes their entry.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql

from aggregator.store import codecs
from aggregator.store.engine.database import Connection
from aggregator.store.tables import entry, prepared


def claim(
    connection: Connection, holder: str, *, made_for: str, seconds: float, skip: int, most: int
) -> list[int]:
    """Numbers of entries that `holder` is to prepare, in the order of the inbox; of Postgres alone.

    The first `skip` that wait are left to the one that places: it has them under way. After `seconds`, by
    the server's clock, others claim what was not prepared by then, or was for another program: not at once,
    lest two versions prepare the same for and against each other.
    """
    far = (
        select(entry.c.inbox_no)
        .where(entry.c.state == "ready")
        .order_by(entry.c.inbox_no)
        .offset(skip)
        .limit(1)
        .scalar_subquery()
    )
    is_of_no_use = or_(prepared.c.result.is_(None), prepared.c.made_for != made_for)
    is_late = and_(is_of_no_use, prepared.c.until < func.clock_timestamp())
    chosen = connection.execute(
        select(entry.c.n)
        .outerjoin(prepared, prepared.c.entry == entry.c.n)
        .where(
            entry.c.state == "ready",
            entry.c.inbox_no >= far,
            or_(prepared.c.entry.is_(None), is_late),
        )
        .order_by(entry.c.inbox_no)
        .limit(most)
        .with_for_update(of=entry, skip_locked=True)  # two that choose at one moment choose different ones
    ).scalars()
    numbers = list(chosen)
    if not numbers:
        return []
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    of_all = {"holder": holder, "until": until, "made_for": made_for, "result": None}
    statement = postgresql.insert(prepared).values([{"entry": n, **of_all} for n in numbers])
    mine = {name: statement.excluded[name] for name in ("holder", "until", "made_for", "result")}
    connection.execute(statement.on_conflict_do_update(index_elements=["entry"], set_=mine))
    return numbers


def store(connection: Connection, holder: str, results: Mapping[int, bytes]) -> None:
    """What `holder` has prepared; of entries that were placed meanwhile, or are another's by now, nothing."""
    statement = (
        update(prepared)
        .where(prepared.c.entry == bindparam("of_entry"), prepared.c.holder == holder)
        .values(result=bindparam("made"))
    )
    rows = [{"of_entry": n, "made": codecs.compress_bytes(result)} for n, result in sorted(results.items())]
    if rows:
        connection.execute(statement, rows)


def results(connection: Connection, numbers: Sequence[int], made_for: str) -> dict[int, bytes]:
    """What was prepared of these entries under `made_for`."""
    statement = select(prepared.c.entry, prepared.c.result).where(
        prepared.c.entry.in_(numbers), prepared.c.made_for == made_for, prepared.c.result.is_not(None)
    )
    return {row.entry: codecs.decompress_bytes(row.result) for row in connection.execute(statement)}


def drop(connection: Connection, numbers: Sequence[int]) -> None:
    """These entries wait no longer."""
    if numbers:
        connection.execute(delete(prepared).where(prepared.c.entry.in_(numbers)))
