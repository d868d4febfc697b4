"""Sources whose GUIDs or addresses change although the texts do not."""

import datetime as dt

from sqlalchemy import Connection, bindparam, select

from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import fields_of, struct_of, unstable_identifier


class IdentifierStability(FrozenStruct):
    """Stability of a source's identifiers; strikes are consecutive polls with new ones for known texts."""

    guid_strikes: int = 0
    url_strikes: int = 0
    guids_distrusted_at: dt.datetime | None = None
    urls_distrusted_at: dt.datetime | None = None

    @property
    def is_in_doubt(self) -> bool:
        """Return whether the last polls had new identifiers, and the next one may end the series."""
        guids = self.guid_strikes > 0 and self.guids_distrusted_at is None
        return guids or (self.url_strikes > 0 and self.urls_distrusted_at is None)


def stability_of(connection: Connection, source_id: str) -> IdentifierStability:
    """Return the stability of a source; without strikes if there is no row."""
    row = connection.execute(_STABILITY, {"source_id": source_id}).first()
    return struct_of(IdentifierStability, row) or IdentifierStability()


_STABILITY = select(*fields_of(unstable_identifier, IdentifierStability)).where(
    unstable_identifier.c.source == bindparam("source_id")
)


def distrusted(connection: Connection) -> dict[str, str]:
    """Return a sentence per source with distrusted identifiers, by id."""
    sentences = {}
    for row in connection.execute(
        select(unstable_identifier).order_by(unstable_identifier.c.source)
    ):
        changing = []
        if row.guids_distrusted_at is not None:
            changing.append("GUIDs")
        if row.urls_distrusted_at is not None:
            changing.append("addresses")
        if changing:
            sentences[row.source] = (
                f"the {' and '.join(changing)} of its entries are unstable"
            )
    return sentences
