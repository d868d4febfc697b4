"""What a source is asked with that was typed in the browser; what is in config.yaml is in no table.

It is secret: no view, page, export or log shows it. Backups hold it, as they are the whole installation.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, select

from aggregator.config.source_access import Access, SourceExtras
from aggregator.store.tables import delete_rows, source_access, upsert


class TypedAccess(NamedTuple):
    """Headers for the origin of `address` alone, the selectors of a page, and the proxy of the source.

    The selectors are those of list, link, title and date.
    """

    address: str
    headers: Mapping[str, str] = {}
    selectors: tuple[str, ...] = ()
    proxy: str = ""

    def __repr__(self) -> str:
        return f"TypedAccess({self.address!r})"


def typed_access(connection: Connection, source_id: str) -> TypedAccess | None:
    """Return what was typed for a source; None if nothing was."""
    stored = select(source_access).where(source_access.c.source == source_id)
    row = connection.execute(stored).first()
    if row is None:
        return None
    headers = msgspec.msgpack.decode(row.headers, type=dict[str, str])
    selectors = msgspec.msgpack.decode(row.selectors, type=tuple[str, ...])
    return TypedAccess(row.address, headers, selectors, row.proxy)


def extras_typed(connection: Connection, source_id: str) -> SourceExtras:
    """Return what was typed for a source, as it is used for a request; nothing if nothing was."""
    typed = typed_access(connection, source_id)
    if typed is None:
        return SourceExtras()
    return SourceExtras(
        Access(typed.address, typed.headers), typed.selectors, typed.proxy
    )


def save_access(connection: Connection, source_id: str, access: TypedAccess) -> None:
    """Store what was typed for a source, in place of what was; nothing is stored where nothing was typed."""
    forget_access(connection, source_id)
    if not (access.headers or access.selectors or access.proxy):
        return
    values = {
        "source": source_id,
        "address": access.address,
        "headers": msgspec.msgpack.encode(access.headers),
        "selectors": msgspec.msgpack.encode(access.selectors),
        "proxy": access.proxy,
    }
    upsert(connection, source_access, values)


def forget_access(connection: Connection, source_id: str) -> None:
    """Delete what was typed for a source."""
    delete_rows(connection, source_access, source_access.c.source == source_id)
