"""Texts that standbys prepare for the writer.

All rows are derived: without a row, or with one of another program, the writer prepares the text itself.
Rows are deleted in the transaction that finishes their entry.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import and_, bindparam, delete, func, or_, select, update

from aggregator.store import codecs
from aggregator.store.engine.database import Connection
from aggregator.store.tables import entry, insert_or, prefetched


def claim(
    connection: Connection, holder: str, *, code_version: str, seconds: float, skip: int, most: int
) -> list[int]:
    """Reserve up to `most` entries for `holder` to prepare. Return their numbers. Postgres only.

    The first `skip` waiting entries are left to the writer, which is preparing them. After `seconds`, by the
    server's clock, other standbys may reserve what is not finished or is for another program; not earlier,
    so that two versions of the program do not overwrite each other's results.
    """
    far = (
        select(entry.c.inbox_no)
        .where(entry.c.state == "ready")
        .order_by(entry.c.inbox_no)
        .offset(skip)
        .limit(1)
        .scalar_subquery()
    )
    is_unusable = or_(prefetched.c.result.is_(None), prefetched.c.code_version != code_version)
    is_late = and_(is_unusable, prefetched.c.expires_at < func.clock_timestamp())
    chosen = connection.execute(
        select(entry.c.entry_no)
        .outerjoin(prefetched, prefetched.c.entry == entry.c.entry_no)
        .where(
            entry.c.state == "ready",
            entry.c.inbox_no >= far,
            or_(prefetched.c.entry.is_(None), is_late),
        )
        .order_by(entry.c.inbox_no)
        .limit(most)
        .with_for_update(of=entry, skip_locked=True)  # concurrent standbys choose different entries
    ).scalars()
    numbers = list(chosen)
    if not numbers:
        return []
    until = func.clock_timestamp() + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
    of_all = {"holder": holder, "expires_at": until, "code_version": code_version, "result": None}
    statement = insert_or(connection, prefetched).values([{"entry": n, **of_all} for n in numbers])
    mine = {name: statement.excluded[name] for name in ("holder", "expires_at", "code_version", "result")}
    connection.execute(statement.on_conflict_do_update(index_elements=["entry"], set_=mine))
    return numbers


def store(connection: Connection, holder: str, results: Mapping[int, bytes]) -> None:
    """Store results of `holder`, except for entries that were placed or reserved by others meanwhile."""
    statement = (
        update(prefetched)
        .where(prefetched.c.entry == bindparam("of_entry"), prefetched.c.holder == holder)
        .values(result=bindparam("result_blob"))
    )
    rows = [
        {"of_entry": n, "result_blob": codecs.compress_bytes(result)} for n, result in sorted(results.items())
    ]
    if rows:
        connection.execute(statement, rows)


def results(connection: Connection, numbers: Sequence[int], code_version: str) -> dict[int, bytes]:
    """Return the results for these entries with this code version."""
    statement = select(prefetched.c.entry, prefetched.c.result).where(
        prefetched.c.entry.in_(numbers),
        prefetched.c.code_version == code_version,
        prefetched.c.result.is_not(None),
    )
    return {row.entry: codecs.decompress_bytes(row.result) for row in connection.execute(statement)}


def drop(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete the rows of these entries."""
    if numbers:
        connection.execute(delete(prefetched).where(prefetched.c.entry.in_(numbers)))
