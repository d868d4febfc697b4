"""Rows of an export as JSON, and their check when they are imported."""

from datetime import datetime
from functools import cache
from typing import Annotated, Any

import msgspec
from sqlalchemy import DefaultClause, Table, Text

from aggregator.model.errors import ReadError
from aggregator.store.maintenance.older_rows import OlderRow, as_of_today
from aggregator.store.search.progress import LAST, REST
from aggregator.store.tables import UtcTime, Values, api_token, counter, metadata

_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_TIME = Annotated[datetime, msgspec.Meta(tz=True)]


def as_json(table: Table, row: Values) -> Values:
    """Return a row as an export contains it. Msgspec then writes times as RFC 3339 and bytes as base64."""
    if table is api_token:
        # A secret must not give access to another installation, so tokens are exported as revoked and without hashes.
        revoked_at = row["revoked_at"] or row["created_at"]
        return {**row, "hash": b"", "revoked_at": revoked_at}
    # An export does not include the full-text index, so its progress is 0.
    if table is counter and row["name"] in (LAST, REST):
        return {**row, "value": 0}
    return row


def check_row(table: str, given: OlderRow) -> Values:
    """Return a row of an export with the values that `write_all` takes, without columns that are unknown today.

    Raises ReadError if the row does not fit.
    """
    try:
        row = as_of_today(table, given)
        return msgspec.structs.asdict(msgspec.convert(row, _row_type(table)))
    except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
        raise ReadError(f"a row of {table} does not fit: {error}") from error


@cache
def _row_type(name: str) -> type[msgspec.Struct]:
    fields = []
    for column in metadata.tables[name].columns:
        type_: Any = column.type.python_type
        if isinstance(column.type, UtcTime):
            type_ = _TIME
        elif type_ is int:
            type_ = _INTEGER
        key = str(column.name)
        field: tuple[Any, ...] = key, type_
        default = column.server_default
        if column.nullable:
            field = key, type_ | None, None
        # An older export may lack the column
        elif isinstance(default, DefaultClause) and not isinstance(column.type, Text):
            field = key, type_, msgspec.json.decode(str(default.arg))
        fields.append(field)
    return msgspec.defstruct(name, fields, kw_only=True)
