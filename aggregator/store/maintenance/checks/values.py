"""Values of columns: allowed words, plausible times, bytes that can be decoded."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

import msgspec
import zstandard
from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select

from aggregator.cluster.constraints import Relation
from aggregator.cluster.copies.minhash import bands
from aggregator.cluster.events import stream, term_codec
from aggregator.extract.language.dates import EARLIEST
from aggregator.model.core import (
    Entry,
    Evidence,
    Kind,
    MergedStory,
    Precision,
    PublishedOrigin,
    Role,
    Verdict,
)
from aggregator.model.read_model import ChangeKind
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import Outcome, ReceivedOutcome
from aggregator.store.maintenance.checks.finding import NOTED, CheckScope, CheckStep, Fault, Remedy, of_row
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.stories.commands import CommandKind
from aggregator.store.stories.corrections import CorrectionDetail, CorrectionKind
from aggregator.store.stories.placement_batch import LogKind
from aggregator.store.tables import UtcTime, metadata, story

_AHEAD: Final = dt.timedelta(days=1)  # tolerance for clocks of senders, as in extract/language/dates.py
# Columns with times that may be in the future.
_PLANNED: Final = frozenset(
    {"next_due_at", "backoff_until", "page_due_at", "resumes_at", "next_attempt_at", "expires_at"}
)
_IS_AHEAD: Final = "is in the future: the clock was wrong then, or is wrong now"
_SQLITE_TIME: Final = "2026-11-20 08:00:00.000000"
_CHUNK: Final = 500

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "entry.state": ("page", "ready", "done", "refused"),
    "entry.outcome": get_args(Outcome),
    "entry.verdict": (*get_args(Verdict), "forgotten"),
    "entry.page_verdict": get_args(Verdict),
    "intake_count.outcome": get_args(ReceivedOutcome),
    "article.role": get_args(Role),
    "article.kind": get_args(Kind),
    "article.verdict": get_args(Verdict),
    "article.published_origin": get_args(PublishedOrigin),
    "article.published_precision": get_args(Precision),
    "tombstone.kind": ("forgotten", "retention"),
    "story_log.kind": get_args(LogKind),
    "change.kind": get_args(ChangeKind),
    "correction.kind": get_args(CorrectionKind),
    "link_constraint.relation": get_args(Relation),
    "outbox.state": ("waiting", "done", "given_up"),
    "webhook.state": ("ok", "failing", "gone"),
    "command.kind": get_args(CommandKind),
    "command.state": ("waiting", "done", "refused"),
    "source.kind": ("feed", "folder"),
    "source.pages": ("auto", "always", "never"),
    "source.origin": ("config", "user"),
    "source.health": ("new", "ok", "failing", "gone", "merged"),
}


def faults(database: Database, now: dt.datetime) -> Iterator[Fault]:
    """Check words and times of all rows, one table at a time."""
    for table in metadata.sorted_tables:
        conditions = dict(_conditions(table, now, is_sqlite=database.is_sqlite))
        if not conditions:
            continue
        counted = [func.count().filter(condition) for condition in conditions.values()]
        with database.read() as connection:
            row = connection.execute(select(*counted).select_from(table)).one()
            for (what, condition), rows in zip(conditions.items(), row, strict=True):
                if rows:
                    named = _named(connection, table, condition)
                    yield Fault(what=what, rows=rows, keys=named, is_note=what.endswith(_IS_AHEAD))


def _named(connection: Connection, table: Table, condition: ColumnElement[bool]) -> tuple[str, ...]:
    name = next(iter(table.primary_key.columns))
    found = connection.execute(select(name).where(condition).limit(NOTED)).scalars()
    return tuple(value.hex() if isinstance(value, bytes) else str(value) for value in found)


def _conditions(
    table: Table, now: dt.datetime, *, is_sqlite: bool
) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Yield a message and the condition of the rows that it is about."""
    for column in table.columns:
        words = _WORDS.get(f"{table.name}.{column.name}")
        if words is not None:
            yield f"{table.name}.{column.name} has a value that is not allowed", column.not_in(words)
        if isinstance(column.type, UtcTime):
            if column.name not in _PLANNED:
                yield f"{table.name}.{column.name} {_IS_AHEAD}", column > now + _AHEAD
            wrong = [column < EARLIEST]
            if is_sqlite:  # which accepts any type in any column: a value without the form of a stored time
                wrong += [func.typeof(column) != "text", func.length(column) != len(_SQLITE_TIME)]
            held = and_(column.is_not(None), or_(*wrong))
            yield f"{table.name}.{column.name} has an impossible time", held


# --- bytes -------------------------------------------------------------------------------------------------

_Reader = Callable[[Any], object]
_READ: Final[dict[str, _Reader]] = {
    "entry.payload": lambda held: held and codecs.decompress_struct(held, Entry),
    "entry.page": codecs.decompress_bytes,
    "revision.text": lambda held: held and codecs.decompress_bytes(held).decode(),
    "article.evidence": lambda held: codecs.unpack(held, Evidence),
    "article.signature": lambda held: held and bands(held, count=1, rows=1),
    "article.details": lambda held: codecs.unpack(held, ArticleDetails),
    "article.terms": term_codec.read,
    "article.compressed_text": codecs.decompress_text,
    "story.merged_story": lambda held: codecs.decompress_struct(held, MergedStory),
    "stream_period.terms": stream.unpack_frequencies,
    "correction.detail": lambda held: msgspec.json.decode(held, type=CorrectionDetail),
    "outbox.body": codecs.decompress_bytes,
}
_REMEDIES: Final[dict[str, Remedy]] = {"story.merged_story": "merged texts"}


def unreadable(database: Database, extent: CheckScope, step: CheckStep) -> Iterator[Fault]:
    """Yield columns with bytes that cannot be decoded, in the chunks of `extent`."""
    for place, read in _READ.items():
        table = metadata.tables[place.split(".")[0]]
        column = table.c[place.split(".")[1]]
        key = next(iter(table.primary_key.columns))
        shown = story.c.id if table is story else key
        for low, high in chosen_ranges(database, key, extent):
            with database.read() as connection:
                held = select(shown, column).where(column.is_not(None), key.between(low, high))
                rows = connection.execute(held).all()
            for name, blob in rows:
                try:
                    read(blob)
                except (msgspec.MsgspecError, zstandard.ZstdError, ValueError):
                    yield of_row(f"{place} cannot be read", name, _REMEDIES.get(place))
            step(len(rows))


def chosen_ranges(database: Database, key: Any, extent: CheckScope) -> Iterator[tuple[Any, Any]]:
    """Yield those `ranges` that are in `extent`."""
    yield from (one for number, one in enumerate(ranges(database, key)) if extent.has(number))


def ranges(database: Database, key: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the first and last key of chunks of rows, in order. It reads the index of the keys only."""
    after = None
    while True:
        chosen = select(key).order_by(key).limit(_CHUNK)
        if after is not None:
            chosen = chosen.where(key > after)
        with database.read() as connection:
            keys = connection.execute(chosen).scalars().all()
        if not keys:
            return
        yield keys[0], keys[-1]
        after = keys[-1]
