"""The mutes that the owner sets and removes in the browser."""

from sqlalchemy import Connection

from aggregator.config.messages import redact_address
from aggregator.model.errors import UsageError
from aggregator.model.prepared import KINDS
from aggregator.model.read_model import Mute
from aggregator.model.structs import FrozenStruct
from aggregator.store.engine.database import Database
from aggregator.store.read.story_filter import outlets_named
from aggregator.store.tables import (
    count_rows,
    insert_or,
    mute,
    read_rows,
    structs_of,
    write_sql,
)

MOST_MUTES = 500  # (limit) each is compared with each article of a list
# The limit of config.yaml
_MOST_CHARS = 200


class BrowserMute(FrozenStruct):
    """A row of `mute`."""

    kind: str
    muted: str
    name: str


class BrowserMutes:
    """The mutes of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all_mutes(self) -> list[BrowserMute]:
        """Return all mutes by kind and name."""
        ordered = "SELECT * FROM mute ORDER BY kind, name"
        with self._database.read() as connection:
            return structs_of(BrowserMute, read_rows(connection, ordered))

    def add(self, kind: str, typed: str) -> None:
        """Mute a word, an outlet by name or key, a source by id, or a kind. Raises UsageError."""
        typed = " ".join(typed.split())[:_MOST_CHARS]
        with self._database.write() as connection:
            # Names to show, by the key or word that is muted
            named = {typed: typed}
            if kind == "words":
                from aggregator.store.search.query import muted_term

                if muted_term(typed) is None:
                    raise UsageError("give a word with at least one letter or digit")
            elif kind == "outlets":
                # Stories show "via" for an outlet that a feed of another site names.
                keys = outlets_named(connection, typed.removeprefix("via "))
                if not keys:
                    raise UsageError(
                        f"no article is of an outlet {typed[:40]!r}; copy its name from a story"
                    )
                called = """
                    SELECT outlet, max(coalesce(outlet_name, outlet)) FROM article
                    WHERE outlet IN :keys GROUP BY outlet
                    """
                named = dict(read_rows(connection, called, keys=keys))
            elif kind == "sources":
                # Commands that list stories do not need this module.
                from aggregator.store.intake.sources import source_with_id

                source = source_with_id(connection, typed)
                if source is None:
                    raise UsageError("there is no such source any more")
                named = {source.entry_source: redact_address(source.shown_name)}
            elif kind != "kinds" or typed not in KINDS:
                raise UsageError("the form is invalid; open the page again")
            if count_rows(connection, mute) + len(named) > MOST_MUTES:
                raise UsageError(
                    f"there are {MOST_MUTES} mutes already; remove some first"
                )
            rows = [
                {"kind": kind, "muted": muted, "name": name}
                for muted, name in named.items()
            ]
            connection.execute(
                insert_or(connection, mute).values(rows).on_conflict_do_nothing()
            )

    def remove(self, kind: str, muted: str) -> None:
        """Remove a mute, if it is there."""
        with self._database.write() as connection:
            unmuted = "DELETE FROM mute WHERE kind = :kind AND muted = :muted"
            write_sql(connection, unmuted, kind=kind, muted=muted)


def in_force(connection: Connection) -> tuple[Mute, ...]:
    """Return the mutes for the filter of a list."""
    rows = read_rows(connection, "SELECT kind, muted FROM mute ORDER BY kind, muted")
    return tuple(map(tuple, rows))
