"""The one door to an article's text: plain while it is young, packed with zstd later, gone in the end.

`TEXT` stands in a SELECT for either. There is no dictionary: one trained on news makes texts a fifth smaller
still, but it would be made of words that `forget` must be able to take away (ADR 34).
"""

import logging
from functools import cache
from typing import Any

import zstandard
from sqlalchemy import ColumnElement, LargeBinary, TypeDecorator, func
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from aggregator.model.errors import DamagedError
from aggregator.store.tables import article

log = logging.getLogger(__name__)

GONE = b""  # as `article.packed`: the text is kept no more
_LEVEL = 12  # measured: 3 % smaller than level 3 at 0.25 ms a text, and it is done once
_MAX_BYTES = 64 * 1024 * 1024
_MAGIC = b"\x28\xb5\x2f\xfd"  # of a zstd frame; no UTF-8 begins so


class DamagedText(str):
    """In the place of a text that cannot be unpacked: empty, so that what is beside it can be read."""

    __slots__ = ()


DAMAGED = DamagedText()


def refuse_damaged(text: str, id_: str) -> None:
    """Raises DamagedError for the text of article `id_`, where that is no answer without it."""
    if isinstance(text, DamagedText):
        raise DamagedError(
            f"the stored text of article {id_} cannot be unpacked, it is damaged; `aggregator db check` "
            "looks at all of them"
        )


@cache
def _say_once() -> None:
    log.error("the stored text of an article cannot be unpacked; `aggregator db check` says of which")


def packed(text: str) -> bytes:
    """A text as `article.packed` holds it."""
    return zstandard.compress(text.encode(), _LEVEL)


def unpacked(stored: str | bytes | None) -> str:
    """The text of what a row holds, plain or packed; "" for one that is kept no more."""
    if stored is None or isinstance(stored, str):
        return stored or ""
    if stored.startswith(_MAGIC):
        stored = zstandard.decompress(stored, max_output_size=_MAX_BYTES)
    return stored.decode()


class _PackedText(TypeDecorator[str]):
    """Text out of bytes that may be packed."""

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        try:
            return unpacked(bytes(value) if isinstance(value, memoryview) else value)
        except (zstandard.ZstdError, UnicodeDecodeError):
            _say_once()
            return DAMAGED

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - bytes as they are
        return lambda value: self.process_result_value(value, dialect)


class _bytes_of(GenericFunction[bytes]):  # noqa: N801 - an SQL function
    """The bytes of a text, where a database does not mix the two by itself."""

    type = LargeBinary()
    inherit_cache = True


@compiles(_bytes_of, "sqlite")
def _as_it_is(element: _bytes_of, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(_bytes_of)
def _converted(element: _bytes_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"convert_to({compiler.process(element.clauses.clauses[0], **kw)}, 'UTF8')"


TEXT = func.coalesce(article.c.packed, _bytes_of(article.c.text), type_=_PackedText).label("text")
IS_GONE: ColumnElement[bool] = func.coalesce(func.length(article.c.packed), 1) == 0
