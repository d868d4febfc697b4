"""Types and indexes of columns, and the metadata shared by every table."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    TypeDecorator,
    false,
    text,
)
from sqlalchemy.types import TypeEngine


def _read_time(written: str | None) -> datetime | None:
    return None if written is None else datetime.fromisoformat(f"{written}+00:00")


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, stored and returned in UTC on both databases. Raises ValueError for a naive one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"cannot store a time without a time zone: {value!r}")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(
        self, dialect: Dialect, coltype: object
    ) -> Callable[[Any], Any] | None:
        # SQLAlchemy's intermediate steps are left out: a list of stories has thousands of times.
        return (
            _read_time
            if dialect.name == "sqlite"
            else super().result_processor(dialect, coltype)
        )

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        return None if value is None else value.astimezone(UTC)


# Characters. Longer addresses are not indexed, because Postgres refuses an index row of more than 2704 bytes.
INDEXED_ADDRESS = 600


def is_indexed(column: str) -> str:
    """Return the condition of the partial indexes of addresses. A query must have it in order to use them."""
    return f"length({column}) <= {INDEXED_ADDRESS}"


def by_address(table: str, column: str) -> Index:
    return partial_index(f"ix_{table}_{column}", column, where=is_indexed(column))


def partial_index(name: str, *columns: str, where: str) -> Index:
    # Only the migrations give this condition to PostgreSQL. Given here, it would load the dialect and five drivers in
    # every process.
    return Index(name, *columns, sqlite_where=text(where))


def article_key() -> Column[int]:
    """Return the column `article`, which has the `article.inbox_no` of the article that the row is derived from."""
    return Column(
        "article",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("article.inbox_no", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def required(name: str, type_: type[TypeEngine[Any]]) -> Column[Any]:
    """Return a column that is never null."""
    return Column(name, type_, nullable=False)


def text_key(name: str) -> Column[str]:
    """Return a column of text that is the primary key or a part of it."""
    return Column(name, Text, primary_key=True)


def number_key(name: str) -> Column[int]:
    """Return a column of numbers from elsewhere that is the primary key or a part of it."""
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def serial_key(name: str) -> Column[int]:
    """Return a primary key that the database numbers itself."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def flag(name: str, default: ColumnElement[bool] | None = None) -> Column[bool]:
    """Return a column that is true or false; `default`: the value of rows written before the column existed."""
    return Column(name, Boolean, nullable=False, server_default=default)


def from_zero(name: str, type_: type[TypeEngine[Any]] = Integer) -> Column[Any]:
    """Return a column of numbers that begin at 0."""
    return Column(name, type_, nullable=False, server_default=text("0"))


_TYPES: dict[type, type[TypeEngine[Any]]] = {
    str: Text,
    bytes: LargeBinary,
    bool: Boolean,
    int: Integer,
    float: Float,
    datetime: UtcTime,
}


def columns_of(
    shape: type[msgspec.Struct], *, key: str, always: tuple[str, ...] = ()
) -> Iterator[Column[Any]]:
    """Yield a column for each field of a struct; `key` is the primary key.

    A field with the default None may be null, `Literal` becomes text, and `Annotated` gives another type. Rows that
    were written before a column existed get the default of the struct, except for columns that were `always` there.
    """
    hints = get_type_hints(shape, include_extras=True)
    for field in msgspec.structs.fields(shape):
        kind = hints[field.name]
        type_ = next(iter(getattr(kind, "__metadata__", ())), None)
        default = field.default
        if field.name in always:
            default = msgspec.NODEFAULT
        elif default is False:
            default = false()
        elif isinstance(default, int | float):
            default = text(f"{default:g}")
        yield Column(
            field.name,
            type_ or _TYPES.get(next(iter(get_args(kind)), kind), Text),
            primary_key=field.name == key,
            nullable=field.default is None,
            server_default=None if default is msgspec.NODEFAULT else default,
        )


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
