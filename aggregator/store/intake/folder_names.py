"""By which names the files of folders are known: two folders called `articles` are two sources."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from sqlalchemy import Connection, insert, select, update

from aggregator.extract.language.unicode import clean
from aggregator.model.core import Entry
from aggregator.store.tables import folder

_UNNAMED = "files"  # the root of a disk has no name of its own


def own_name(path: Path) -> str:
    """The last part of an absolute path: what a folder is called."""
    return clean(path.name) or _UNNAMED


def folder_name(connection: Connection, path: Path, is_there: Callable[[str], bool]) -> str:
    """The name for the folder at the absolute `path`; a folder that was moved keeps the one it had.

    `is_there` says whether a path is still a folder: a namesake that is gone from its place has moved here.
    A second folder of the same name beside the first becomes `articles#2`.
    """
    at = clean(str(path))
    rows: dict[str, str] = {
        row.path: row.name for row in connection.execute(select(folder.c.path, folder.c.name))
    }
    if at in rows:
        return rows[at]
    base = own_name(path)
    namesakes = {name: place for place, name in rows.items() if name == base or name.startswith(f"{base}#")}
    for name in sorted(namesakes, key=lambda one: (len(one), one)):
        if not is_there(namesakes[name]):
            connection.execute(update(folder).where(folder.c.name == name).values(path=at))
            return name
    name = base if base not in namesakes else f"{base}#{len(namesakes) + 1}"
    connection.execute(insert(folder).values(name=name, path=at))
    return name


def known_as(entry: Entry, path: Path, name: str) -> Entry:
    """An entry of the folder at `path` under the folder's name; records say for themselves who they are."""
    if entry.source != own_name(path) or name == entry.source:
        return entry
    return msgspec.structs.replace(entry, source=name)
