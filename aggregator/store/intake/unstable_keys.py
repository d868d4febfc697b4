"""What is known of articles and sources beside keys: how articles looked, which sources' keys are restless.

The rules are in cluster/rekeyed_entries.py; here are the rows that they are asked about. Written in the
transaction
that accepts a poll's entries.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, insert, select, update

from aggregator.cluster.rekeyed_entries import EntryHashes, Observation
from aggregator.model.core import FrozenStruct
from aggregator.store.tables import habit, in_parts, sighting, source


class IdentifierStability(FrozenStruct, frozen=True, kw_only=True):
    """How a source's keys behaved; strikes are polls running in which they were new for known words."""

    guid_strikes: int = 0
    url_strikes: int = 0
    guids_distrusted_at: dt.datetime | None = None
    urls_distrusted_at: dt.datetime | None = None


class OtherSource(FrozenStruct, frozen=True, kw_only=True):
    """What is known of another source: the outlet chosen for it, and whether it is asked and answers."""

    outlet: str | None
    answers: bool


def stability_of(connection: Connection, source_id: str) -> IdentifierStability:
    """The habit of a source; one without strikes where nothing is written down."""
    row = connection.execute(select(habit).where(habit.c.source == source_id)).first()
    if row is None:
        return IdentifierStability()
    return IdentifierStability(**{name: value for name, value in row._mapping.items() if name != "source"})


def save_stability(connection: Connection, source_id: str, new: IdentifierStability) -> None:
    """Write the habit of a source."""
    values = {name: getattr(new, name) for name in IdentifierStability.__struct_fields__}
    done = connection.execute(update(habit).where(habit.c.source == source_id).values(**values))
    if not done.rowcount:
        connection.execute(insert(habit), [{"source": source_id} | values])


def distrusted(connection: Connection) -> dict[str, str]:
    """Of each source whose keys are not asked any more, by its id: what changes by itself, in words."""
    found = {}
    for row in connection.execute(select(habit).order_by(habit.c.source)):
        changing = [
            name
            for name, since in (("GUIDs", row.guids_distrusted_at), ("addresses", row.urls_distrusted_at))
            if since is not None
        ]
        if changing:
            found[row.source] = f"the {' and '.join(changing)} of its entries change by themselves"
    return found


def matching_observations(connection: Connection, marks: Iterable[EntryHashes]) -> list[Observation]:
    """Every look at any source that shares a key with one of `marks`."""
    given = list(marks)
    found: dict[tuple[str, str, bytes], Observation] = {}
    for column, keys in (
        (sighting.c.text_key, {one.text_key for one in given if one.text_key is not None}),
        (sighting.c.title_key, {one.title_key for one in given if one.title_key is not None}),
    ):
        ordered = sorted(keys)
        for part in in_parts(ordered):
            rows = connection.execute(_OBSERVATIONS.where(column.in_(part)))
            for row in rows:
                found[row.article, row.source, bytes(row.content_hash)] = Observation(
                    article=row.article,
                    source=row.source,
                    title=bytes(row.title_hash or b""),
                    text_key=_bytes(row.text_key),
                    title_key=_bytes(row.title_key),
                    minute=row.declared,
                    seen=row.first_seen_at,
                )
    return [found[key] for key in sorted(found)]


_OBSERVATIONS = select(
    sighting.c.article,
    sighting.c.source,
    sighting.c.content_hash,
    sighting.c.title_hash,
    sighting.c.text_key,
    sighting.c.title_key,
    sighting.c.declared,
    sighting.c.first_seen_at,
)


def other_sources(connection: Connection, ids: Iterable[str]) -> dict[str, OtherSource]:
    """The sources `ids` as far as they still exist; one that was removed is asked no more and has no row."""
    ordered: Sequence[str] = sorted(set(ids))
    found: dict[str, OtherSource] = {}
    for part in in_parts(ordered):
        statement = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)
        for row in connection.execute(statement.where(source.c.id.in_(part))):
            answers = not row.paused and row.health not in ("failing", "gone", "merged")
            found[row.id] = OtherSource(outlet=row.outlet, answers=answers)
    return found


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
