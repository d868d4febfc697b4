"""Observations by hashes, and sources with unstable identifiers: the rows for cluster/rekeyed_entries.py.

Written in the transaction that accepts the entries of a poll.
"""

import datetime as dt
from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from aggregator.cluster.rekeyed_entries import EntryHashes, Observation
from aggregator.model.core import FrozenStruct
from aggregator.store.tables import insert_or, observation, rows_with, source, unstable_identifier


class IdentifierStability(FrozenStruct, frozen=True, kw_only=True):
    """Stability of a source's identifiers; strikes are consecutive polls with new ones for known texts."""

    guid_strikes: int = 0
    url_strikes: int = 0
    guids_distrusted_at: dt.datetime | None = None
    urls_distrusted_at: dt.datetime | None = None


class OtherSource(FrozenStruct, frozen=True, kw_only=True):
    """Another source: its configured outlet, and whether it is polled and answers."""

    outlet: str | None
    answers: bool


def stability_of(connection: Connection, source_id: str) -> IdentifierStability:
    """Return the stability of a source; without strikes if there is no row."""
    row = connection.execute(
        select(unstable_identifier).where(unstable_identifier.c.source == source_id)
    ).first()
    if row is None:
        return IdentifierStability()
    return IdentifierStability(**{name: value for name, value in row._mapping.items() if name != "source"})


def save_stability(connection: Connection, source_id: str, new: IdentifierStability) -> None:
    """Write the stability of a source."""
    values = msgspec.structs.asdict(new)
    statement = insert_or(connection, unstable_identifier).values(source=source_id, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=values))


def distrusted(connection: Connection) -> dict[str, str]:
    """Return a sentence per source with distrusted identifiers, by id."""
    found = {}
    for row in connection.execute(select(unstable_identifier).order_by(unstable_identifier.c.source)):
        changing = [
            name
            for name, since in (("GUIDs", row.guids_distrusted_at), ("addresses", row.urls_distrusted_at))
            if since is not None
        ]
        if changing:
            found[row.source] = f"the {' and '.join(changing)} of its entries are unstable"
    return found


def matching_observations(connection: Connection, hashes: Iterable[EntryHashes]) -> list[Observation]:
    """Return the observations of all sources that share a text or title key with one of `hashes`."""
    given = list(hashes)
    found: dict[tuple[str, str, bytes], Observation] = {}
    for column, keys in (
        (observation.c.text_key, {one.text_key for one in given if one.text_key is not None}),
        (observation.c.title_key, {one.title_key for one in given if one.title_key is not None}),
    ):
        for row in rows_with(connection, _OBSERVATIONS, column, keys):
            found[row.article, row.source, bytes(row.content_hash)] = Observation(
                article=row.article,
                source=row.source,
                title=bytes(row.title_hash or b""),
                text_key=_bytes(row.text_key),
                title_key=_bytes(row.title_key),
                minute=row.declared_at,
                seen=row.first_seen_at,
            )
    return [found[key] for key in sorted(found)]


_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    observation.c.title_hash,
    observation.c.text_key,
    observation.c.title_key,
    observation.c.declared_at,
    observation.c.first_seen_at,
)


def other_sources(connection: Connection, ids: Iterable[str]) -> dict[str, OtherSource]:
    """Return those of the sources that still exist, by id."""
    chosen = select(source.c.id, source.c.outlet, source.c.paused, source.c.health)
    found: dict[str, OtherSource] = {}
    for row in rows_with(connection, chosen, source.c.id, ids):
        answers = not row.paused and row.health not in ("failing", "gone", "merged")
        found[row.id] = OtherSource(outlet=row.outlet, answers=answers)
    return found


def _bytes(value: bytes | None) -> bytes | None:
    return None if value is None else bytes(value)
