"""Headers, selectors and proxies that were typed in the browser. Those in config.yaml are not stored.

They are secret, so no view, page, export or log shows them. Backups contain them, because a backup copies the whole
installation.
"""

import msgspec
from sqlalchemy import Connection

from aggregator.config.configured_access import Access
from aggregator.store.tables import read_row, write_sql


def typed_access(connection: Connection, source_id: str) -> Access:
    """Return the access typed for a source, which is empty if nothing was typed."""
    row = read_row(
        connection,
        "SELECT address, headers, selectors, proxy FROM source_access WHERE source = :source",
        source=source_id,
    )
    if row is None:
        return Access()
    headers = msgspec.msgpack.decode(row.headers, type=dict[str, str])
    selectors = msgspec.msgpack.decode(row.selectors, type=tuple[str, ...])
    return Access(row.address, headers, selectors=selectors, proxy=row.proxy)


def save_access(connection: Connection, source_id: str, access: Access) -> None:
    """Replace the access typed for a source; an empty access only deletes the stored values."""
    forget_access(connection, source_id)
    if not (access.headers or access.selectors or access.proxy):
        return
    write_sql(
        connection,
        """
        INSERT INTO source_access (source, address, headers, selectors, proxy)
        VALUES (:source, :address, :headers, :selectors, :proxy)
        """,
        source=source_id,
        address=access.address,
        headers=msgspec.msgpack.encode(access.headers),
        selectors=msgspec.msgpack.encode(access.selectors),
        proxy=access.proxy,
    )


def forget_access(connection: Connection, source_id: str) -> None:
    """Delete the access typed for a source."""
    write_sql(
        connection, "DELETE FROM source_access WHERE source = :source", source=source_id
    )
