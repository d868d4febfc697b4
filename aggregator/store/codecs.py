"""Values in columns: structs as msgpack, compressed with zstd where they hold text; the texts of articles.

A text is plain at first, compressed later, deleted by retention at last; `TEXT` is the column to select.
Texts are compressed without a dictionary: one that is trained on news would make them a fifth smaller, but
would contain text that `forget` must be able to erase (ADR 34).
"""

import logging
from functools import cache
from typing import Any, TypeVar

import msgspec
import zstandard
from sqlalchemy import ColumnElement, LargeBinary, TypeDecorator, func
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from aggregator.model.core import FrozenStruct
from aggregator.model.errors import DamagedError
from aggregator.store.tables import article

log = logging.getLogger(__name__)

_LEVEL = (
    3  # measured for news text: 2.2 times smaller at 34 us an article; higher levels cost more than they save
)
_MAX_BYTES = 64 * 1024 * 1024


def _reason(name: str) -> bytes:
    return b"\x83\xa4name" + msgspec.msgpack.encode(name) + b"\xa5value\xcb\x3f\xa5share\xcb\x3f"


# The field names of Evidence as msgpack writes them, the most frequent ones last. Do not change it: stored
# evidence is decompressed with these bytes. It holds no text of articles (ADR 34).
_NAMES = zstandard.ZstdCompressionDict(
    b"\xa5other\xb0\xabresemblance\xcb\xabcontainment\xcb\xa8estimate\xcb\xa4kind\xa4copy\xa7excerpt\xa8excerpts"
    b"\xa6shared\xaaterm_snapshot\xce\xa6vetoes\xacsecond look"
    b"\x83\xa5stage\xa5event\xa5score\xcb\xa4need\xcb\xa4bias\xcb\x87\xa5stage\xa7founded\xa4bias\xcb"
    b"\xa9runner_up\x84\xa5story\xb0\xa5score\xcb\xa4need\xcb\x40\xa7reasons\x97"
    + b"".join(
        _reason(name)
        for name in (
            "no_body", "undated", "numu", "num", "rare", "names", "lead", "title", "all", "days",
        )
    )
    + b"\xadrules_version\xac",
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)  # fmt: skip

# Exceptions that reading a damaged column raises.
UNREADABLE = (zstandard.ZstdError, msgspec.MsgspecError)

AnyStruct = TypeVar("AnyStruct", bound=FrozenStruct)


def pack(value: FrozenStruct) -> bytes:
    """Return a small struct as msgpack."""
    return msgspec.msgpack.encode(value)


def pack_compressed(value: FrozenStruct) -> bytes:
    """Return a struct as msgpack, compressed with the dictionary of names: half of an Evidence is names."""
    return compress_packed(pack(value))


def compress_packed(blob: bytes) -> bytes:
    """Return the output of `pack` or `pack_compressed` as `pack_compressed` writes it."""
    plain = decompress_packed(blob)
    return min(plain, zstandard.ZstdCompressor(level=_LEVEL, dict_data=_NAMES).compress(plain), key=len)


def decompress_packed(blob: bytes) -> bytes:
    """Return the output of `pack` or `pack_compressed` as `pack` writes it."""
    if not blob.startswith(zstandard.FRAME_HEADER):  # no struct in msgpack begins with these bytes
        return blob
    return zstandard.ZstdDecompressor(dict_data=_NAMES).decompress(blob, max_output_size=_MAX_BYTES)


def unpack(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """Return the struct that `pack` or `pack_compressed` wrote. Raises msgspec.MsgspecError."""
    try:
        return msgspec.msgpack.decode(decompress_packed(blob), type=shape)
    except zstandard.ZstdError as error:
        raise msgspec.ValidationError(str(error)) from error


def compress_bytes(data: bytes) -> bytes:
    """Return the bytes as one zstd frame."""
    return zstandard.compress(data, _LEVEL)


def decompress_bytes(blob: bytes) -> bytes:
    """Return the bytes of a frame from `compress_bytes`. Raises zstandard.ZstdError."""
    return zstandard.decompress(blob, max_output_size=_MAX_BYTES)


def compress_struct(value: FrozenStruct) -> bytes:
    """Return a struct that holds text as msgpack in a zstd frame."""
    return compress_bytes(pack(value))


def decompress_struct(blob: bytes, shape: type[AnyStruct]) -> AnyStruct:
    """Return the struct that `compress_struct` wrote. Raises one of UNREADABLE."""
    return unpack(decompress_bytes(blob), shape)


# --- texts of articles -------------------------------------------------------------------------------------

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
            f"the stored text of article {id_} is damaged: it cannot be decompressed; restore a backup"
        )


@cache
def _log_once() -> None:
    log.error(
        "the stored text of an article cannot be decompressed; restore a backup",
        extra={"event": "article_text_damaged"},
    )


def compress_text(text: str) -> bytes:
    """Return a text as bytes for `article.compressed_text`."""
    return zstandard.compress(text.encode(), _TEXT_LEVEL)


def decompress_text(stored: str | bytes | None) -> str:
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
            return decompress_text(bytes(value) if isinstance(value, memoryview) else value)
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
