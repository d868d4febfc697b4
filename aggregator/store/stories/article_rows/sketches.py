"""Sketches: the sampled shingles that let later articles find an article as their original."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, insert

from aggregator.store.tables import (
    execute_each,
    read_value,
    sketch,
    stream_rows,
    write_sql,
)


def insert_sketches(connection: Connection, sketches: Mapping[int, bytes]) -> None:
    """Insert the sketches of articles that have none, by inbox number; b"" is not stored."""
    rows = [
        {"article": number, "hashes": hashes}
        for number, hashes in sketches.items()
        if hashes
    ]
    execute_each(connection, insert(sketch), rows)


def replace_sketch(connection: Connection, number: int, hashes: bytes) -> None:
    """Replace the sketch of article `number`."""
    former = "DELETE FROM sketch WHERE article = :number"
    write_sql(connection, former, number=number)
    insert_sketches(connection, {number: hashes})


def delete_sketches(connection: Connection) -> None:
    """Delete the sketches of all articles."""
    write_sql(connection, "DELETE FROM sketch")


def sketches_after(connection: Connection, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and sketch of the articles above `number`, in order."""
    above = (
        "SELECT article, hashes FROM sketch WHERE article > :number ORDER BY article"
    )
    yield from stream_rows(connection, above, number=number)


def sketch_of(connection: Connection, number: int) -> bytes:
    """Return the sketch of article `number`; b"" if it has none."""
    stored = "SELECT hashes FROM sketch WHERE article = :number"
    return read_value(connection, stored, number=number) or b""
