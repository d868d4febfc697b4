"""Gives each folder a name of its own, which is the source of its files.

Two folders called `articles` are two sources: `articles` and `articles#2`.
"""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.extract.language.unicode import clean
from aggregator.model.entry import Entry
from aggregator.store.tables import read_map, write_sql


def own_name(path: Path) -> str:
    """Return the last part of an absolute path; "files" for the root of a disk, which has no name."""
    return clean(path.name) or "files"


def name_folder(
    connection: Connection, path: Path, is_there: Callable[[str], bool]
) -> str:
    """Return the name of the folder at the absolute `path`; store it if it is new.

    `is_there` returns whether a path is a folder. If a stored folder with the same last part is no longer there, it
    was moved to `path`, and keeps its name. Otherwise the second folder becomes `articles#2`.
    """
    at = clean(str(path))
    names = read_map(connection, "SELECT path, name FROM folder")
    if at in names:
        return names[at]
    base = own_name(path)
    namesakes = [
        (len(name), name, stored_path)
        for stored_path, name in names.items()
        if own_name(Path(stored_path)) == base
    ]
    # Shorter names come first, so that `articles#10` comes after `articles#9`.
    for _, name, stored_path in sorted(namesakes):
        if not is_there(stored_path):
            write_sql(
                connection,
                "UPDATE folder SET path = :at WHERE name = :name",
                at=at,
                name=name,
            )
            return name
    name, number = base, 1
    while name in names.values():  # a folder may really be called `articles#2`
        number += 1
        name = f"{base}#{number}"
    write_sql(
        connection,
        "INSERT INTO folder (name, path) VALUES (:name, :at)",
        name=name,
        at=at,
    )
    return name


def with_folder_name(entry: Entry, path: Path, name: str) -> Entry:
    """Return an entry of the folder at `path` with `name` as its source, unless the entry declares a source."""
    if entry.source != own_name(path) or name == entry.source:
        return entry
    return replace(entry, source=name)
