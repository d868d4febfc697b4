"""Names of folders, which are the source of their files: two folders called `articles` are two sources."""

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.extract.language.unicode import clean
from aggregator.model.entry import Entry
from aggregator.store.tables import read_map, write_sql


def own_name(path: Path) -> str:
    """Return the last part of an absolute path; the root of a disk has no name of its own."""
    return clean(path.name) or "files"


def known_folder(
    connection: Connection, path: Path, is_there: Callable[[str], bool]
) -> str:
    """Return the name of the folder at the absolute `path`; store it if it is new.

    `is_there` returns whether a path is a folder. A stored folder of the same name whose path is missing was
    moved to `path` and keeps it. A second folder of the same name becomes `articles#2`.
    """
    at = clean(str(path))
    names = read_map(connection, "SELECT path, name FROM folder")
    if at in names:
        return names[at]
    base = own_name(path)
    namesakes = [
        (len(name), name, known_path)
        for known_path, name in names.items()
        if own_name(Path(known_path)) == base
    ]
    # By length, so that `articles#10` comes after `articles#9`
    for _, name, known_path in sorted(namesakes):
        if not is_there(known_path):
            write_sql(
                connection,
                "UPDATE folder SET path = :at WHERE name = :name",
                at=at,
                name=name,
            )
            return name
    name, number = base, 1
    while name in names.values():  # perhaps a folder that is really called so
        number += 1
        name = f"{base}#{number}"
    write_sql(
        connection,
        "INSERT INTO folder (name, path) VALUES (:name, :at)",
        name=name,
        at=at,
    )
    return name


def known_as(entry: Entry, path: Path, name: str) -> Entry:
    """Return an entry of the folder at `path` with the folder's name as source, unless it declares one."""
    if entry.source != own_name(path) or name == entry.source:
        return entry
    return replace(entry, source=name)
