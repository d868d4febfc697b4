"""Access to the text of an article: plain at first, compressed with zstd later, deleted by retention at last.

`TEXT` is the column to select. Compression uses no dictionary: one that is trained on news would make texts a
fifth smaller, but would contain text that `forget` must be able to erase (ADR 34).
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

GONE = b""  # value of `article.compressed_text` for a deleted text
_TEXT_LEVEL = 12  # measured: 3 % smaller than level 3 at 0.25 ms a text, and each text is compressed once
_MAGIC = b"\x28\xb5\x2f\xfd"  # of a zstd frame; not valid UTF-8


class DamagedText(str):
    """An empty text in place of a damaged one, so that the rest of the row can be read."""

    __slots__ = ()


DAMAGED = DamagedText()


def refuse_damaged(text: str, id_: str) -> None:
    """Raise DamagedError if the text of article `id_` is damaged."""
    if isinstance(text, DamagedText):
        raise DamagedError(
            f"the stored text of article {id_} is damaged: it cannot be decompressed; `aggregator db check` "
            "checks all texts"
        )


@cache
def _log_once() -> None:
    log.error(
        "the stored text of an article cannot be decompressed; `aggregator db check` names the article",
        extra={"event": "article_text_damaged"},
    )


def packed(text: str) -> bytes:
    """Return a text as bytes for `article.compressed_text`."""
    return zstandard.compress(text.encode(), _TEXT_LEVEL)


def unpacked(stored: str | bytes | None) -> str:
    """Return the text of a plain or compressed value; "" for a deleted one."""
    if stored is None or isinstance(stored, str):
        return stored or ""
    if stored.startswith(_MAGIC):
        stored = zstandard.decompress(stored, max_output_size=_MAX_BYTES)
    return stored.decode()


class _PackedText(TypeDecorator[str]):
    """Text from bytes that may be compressed."""

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        try:
            return unpacked(bytes(value) if isinstance(value, memoryview) else value)
        except (zstandard.ZstdError, UnicodeDecodeError):
            _log_once()
            return DAMAGED

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:  # noqa: ARG002 - bytes as they are
        return lambda value: self.process_result_value(value, dialect)


class _bytes_of(GenericFunction[bytes]):  # noqa: N801 - an SQL function
    """The bytes of a text: Postgres does not mix the two types."""

    type = LargeBinary()
    inherit_cache = True


@compiles(_bytes_of, "sqlite")
def _as_it_is(element: _bytes_of, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(_bytes_of)
def _converted(element: _bytes_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"convert_to({compiler.process(element.clauses.clauses[0], **kw)}, 'UTF8')"


TEXT = func.coalesce(article.c.compressed_text, _bytes_of(article.c.text), type_=_PackedText).label("text")
IS_GONE: ColumnElement[bool] = func.coalesce(func.length(article.c.compressed_text), 1) == 0
