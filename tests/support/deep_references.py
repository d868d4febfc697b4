"""Checks of one query each: references to missing rows, columns that contradict each other, and values.

Values: allowed words, plausible times, bytes that can be decoded.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, get_args

import msgspec
import zstandard
from sqlalchemy import ColumnElement, Table, and_, func, or_, select, text

from aggregator.config.source_settings import SOURCE_KINDS
from aggregator.extract.language.declared_dates import EARLIEST
from aggregator.grouping.copies.minhash import estimate
from aggregator.grouping.pairs import snapshot as stream
from aggregator.grouping.pairs import term_codec
from aggregator.model.article import Role
from aggregator.model.entry import Entry, Precision, PublishedOrigin
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import Kind, Verdict
from aggregator.model.read_model import ChangeKind
from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.commands import CommandKind
from aggregator.store.engine.database import Database
from aggregator.store.intake.inbox import Outcome
from aggregator.store.intake.known_entries import AcceptOutcome
from aggregator.store.stories.corrections import (
    CorrectionDetail,
    CorrectionKind,
    Relation,
)
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.store.stories.unit_of_work import LogKind
from aggregator.store.tables import UtcTime, metadata, story

# What is wrong, and the key of the row
Finding = tuple[str, object]


def faults(database: Database) -> Iterator[Finding]:
    """Run all checks, each in its own transaction, so that none holds SQLite's log for long."""
    counters = {
        f"the counter of {name} numbers is too low: the next number would be given twice": (
            f"SELECT name FROM counter WHERE name = '{name}' AND value < ({highest})"
        )
        for name, highest in _HIGHEST_NUMBERS.items()
    }
    for what, query in (counters | _CHECKS | _ORPHANS).items():
        with database.read() as connection:
            found = connection.execute(
                text(query), execution_options={"yield_per": 1000}
            )
            for key in found.scalars():
                yield what, key


def _lacks(rows: str, condition: str) -> str:
    return f"NOT EXISTS (SELECT 1 FROM {rows} WHERE {condition})"


def _corrections(condition: str) -> str:
    """Return the query of corrections with such a pair of articles, which no later correction overrides."""
    later = "link_constraint AS later"
    one_is_last = _lacks(
        later, "later.article = one.article AND later.correction > one.correction"
    )
    other_is_last = _lacks(
        later, "later.article = other.article AND later.correction > other.correction"
    )
    return f"""
        SELECT DISTINCT one.correction FROM link_constraint AS one
        JOIN link_constraint AS other ON other.correction = one.correction AND other.relation = one.relation
        JOIN article AS here ON here.id = one.article JOIN article AS there ON there.id = other.article
        WHERE {condition} AND {one_is_last} AND {other_is_last}"""


def _lacks_source_of_identity(table: str) -> str:
    """Whether the article of an identity key or an observation is neither placed, erased nor expected."""
    places = ("article", "id"), ("tombstone", "article"), ("entry", "article")
    lost = (
        _lacks(f"{name} AS known", f"known.{column} = {table}.article")
        for name, column in places
    )
    return " AND ".join((f"{table}.article <> ''", *lost))


# Queries of the highest number in use, by the name of its counter.
_HIGHEST_NUMBERS: Final[Mapping[str, str]] = {
    "entry": "SELECT MAX(entry_no) FROM entry",
    "inbox": """SELECT MAX(used.number) FROM (SELECT MAX(inbox_no) AS number FROM entry
                UNION ALL SELECT MAX(inbox_no) FROM article) AS used""",
    "story": "SELECT MAX(story_no) FROM story",
    "change": "SELECT MAX(change_no) FROM change",
}
# Queries of the keys of wrong rows, by what is wrong with them.
_CHECKS: Final[dict[str, str]] = {
    "articles are stored twice": """SELECT MIN(id) FROM article
       GROUP BY root_article, generation HAVING COUNT(*) > 1""",
    # retention deletes the log lines and changes of old stories
    "articles have no log line": """SELECT id FROM article LEFT JOIN
       (SELECT DISTINCT article FROM story_log WHERE kind IN ('created', 'joined')) AS logged
       ON logged.article = article.id
       WHERE logged.article IS NULL AND placed_at >= (SELECT MIN(at) FROM story_log)
       AND NOT EXISTS (SELECT 1 FROM tombstone WHERE kind = 'retention')""",
    "stories have no article": """SELECT id FROM story
       WHERE redirect_to IS NULL AND NOT EXISTS (SELECT 1 FROM article WHERE article.story = story.id)""",
    "stories have no article that is compared": """SELECT id FROM story
       WHERE redirect_to IS NULL
       AND NOT EXISTS (SELECT 1 FROM article WHERE article.story = story.id AND is_compared)""",
    "stories redirect to a story that does not exist": """SELECT id FROM story
       WHERE redirect_to <> ''
       AND NOT EXISTS (SELECT 1 FROM story AS target WHERE target.id = story.redirect_to)""",
    "log lines belong to a story that does not exist": """SELECT log_no FROM story_log
       WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.id = story_log.story)""",
    "changes belong to a story that does not exist": """SELECT change_no FROM change
       WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.id = change.story)""",
    "changes are missing after these numbers": """SELECT change_no FROM change
       WHERE change_no < (SELECT value FROM counter WHERE name = 'change')
       AND NOT EXISTS (SELECT 1 FROM tombstone WHERE kind = 'retention')
       AND NOT EXISTS (SELECT 1 FROM change AS other WHERE other.change_no = change.change_no + 1)""",
    "webhooks have a last change number that does not exist yet": """SELECT name FROM webhook
       WHERE last_change_no > (SELECT value FROM counter WHERE name = 'change')""",
    "entries have a state that contradicts their other columns": """SELECT entry_no FROM entry
       WHERE state NOT IN ('page', 'ready', 'done', 'refused')
       OR (state = 'done' AND inbox_no IS NULL)
       OR (state IN ('page', 'ready') AND (outcome IS NOT NULL OR length(payload) = 0))
       OR (state = 'page' AND (inbox_no IS NOT NULL OR url IS NULL OR page_due_at IS NULL))
       OR (state = 'done' AND COALESCE(outcome, 'refused') = 'refused')
       OR (state = 'refused' AND (COALESCE(outcome, '') <> 'refused' OR verdict IS NULL))""",
    "articles are in a story that was merged or does not exist": """SELECT id FROM article
       WHERE NOT EXISTS (SELECT 1 FROM story WHERE story.id = article.story AND redirect_to IS NULL)""",
    # the copies of an erased original belong to the earliest of them, whenever it was placed
    "articles are copies of an article that was placed later": """SELECT article.id FROM article
       JOIN article AS match ON match.id = article.copy_of
       WHERE match.inbox_no >= article.inbox_no AND (match.copy_of = article.id OR NOT EXISTS
           (SELECT 1 FROM entry WHERE entry.article = article.id AND entry.inbox_no > match.inbox_no
            AND outcome = 'revised' AND page_attempts > 0 AND NOT is_revision)
           AND NOT EXISTS (SELECT 1 FROM tombstone WHERE kind = 'forgotten'))""",
    "articles exist although they were erased": """SELECT article FROM tombstone
       WHERE EXISTS (SELECT 1 FROM article WHERE article.id = tombstone.article)""",
    "corrections keep articles together that are in different stories": _corrections(
        """one.relation = 'together' AND here.story <> there.story
       AND other.article = (SELECT MIN(article) FROM link_constraint AS all_of
       WHERE all_of.correction = one.correction AND relation = 'together')"""
    ),
    "corrections keep articles apart that are in one story": _corrections(
        "one.relation = 'apart' AND one.side = 0 AND other.side = 1 AND here.story = there.story"
    ),
    "deliveries have a state that contradicts their other columns": """SELECT id FROM outbox
       WHERE (body IS NOT NULL AND state <> 'waiting' AND webhook <> 'digest:')
       OR (state = 'waiting') <> (done_at IS NULL) OR attempts < 0""",
    "commands have a state that contradicts their other columns": """SELECT command_no FROM command
       WHERE (state = 'waiting') <> (done_at IS NULL)""",
    "sources have a state that contradicts their other columns": """SELECT id FROM source
       WHERE interval_seconds < 0 OR failures < 0
       OR (kind = 'feed' AND folder_state IS NOT NULL)
       OR (health = 'merged'
           AND NOT EXISTS (SELECT 1 FROM source AS target WHERE target.id = source.merged_into))""",
    "stories have copies of an article that does not exist": """SELECT story FROM article
       WHERE copy_of IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM article AS match WHERE match.id = article.copy_of)""",
    "stories have an article count that does not match their articles": """SELECT id FROM story
       JOIN (SELECT story, COUNT(*) AS size FROM article GROUP BY story) AS members
       ON members.story = story.id
       WHERE redirect_to IS NULL AND size <> article_count""",
    "stories redirect to a story that redirects itself": """SELECT story.id FROM story
       JOIN story AS target ON target.id = story.redirect_to
       WHERE target.redirect_to IS NOT NULL""",
    "stories have only one of the two forms of what they show": """SELECT id FROM story
       WHERE redirect_to IS NULL AND text IS NULL AND rendered IS NOT NULL""",
}
# Of rows that are derived from missing rows. Foreign keys forbid most, but not in a damaged file.
_ORPHANS: Final[dict[str, str]] = {
    f"{what} belong to an article that does not exist": f"SELECT '{table}' FROM {table} WHERE {condition}"
    for what, table, condition in (
        ("identity keys", "identity_key", _lacks_source_of_identity("identity_key")),
        ("observations", "observation", _lacks_source_of_identity("observation")),
        ("sketches", "sketch", _lacks("article", "article.inbox_no = sketch.article")),
        (
            "outlet lines",
            "outlet_line",
            _lacks("article", "article.inbox_no = outlet_line.article"),
        ),
    )
}


# Tolerance for clocks of senders, as in extract/language/declared_dates.py
_AHEAD = timedelta(days=1)
# Columns with times that may be in the future.
_PLANNED = frozenset(
    {
        "next_due_at",
        "backoff_until",
        "page_due_at",
        "resumes_at",
        "next_attempt_at",
        "expires_at",
    }
)
IS_AHEAD = "is in the future: the clock was wrong then, or is wrong now"
_SQLITE_TIME = "2026-11-20 08:00:00.000000"
_CHUNK = 500

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    "entry.state": ("page", "ready", "done", "refused"),
    "entry.outcome": get_args(Outcome),
    "entry.verdict": (*get_args(Verdict), "forgotten", "muted"),
    "entry.page_verdict": get_args(Verdict),
    "intake_count.outcome": get_args(AcceptOutcome),
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
    "source.kind": SOURCE_KINDS,
    "source.pages": ("auto", "always", "never"),
    "source.origin": ("config", "user", "import"),
    "source.health": ("new", "ok", "failing", "gone", "merged"),
}


def value_faults(database: Database, now: datetime) -> Iterator[Finding]:
    """Check words and times of all rows, one column at a time."""
    for table in metadata.sorted_tables:
        key = next(iter(table.primary_key.columns))
        for what, wrong in _conditions(table, now, is_sqlite=database.is_sqlite):
            with database.read() as connection:
                for name in connection.execute(select(key).where(wrong)).scalars():
                    yield what, name


def _conditions(
    table: Table, now: datetime, *, is_sqlite: bool
) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Yield a message and the condition of the rows that it is about."""
    for column in table.columns:
        words = _WORDS.get(f"{table.name}.{column.name}")
        if words is not None:
            yield (
                f"{table.name}.{column.name} has a value that is not allowed",
                column.not_in(words),
            )
        if isinstance(column.type, UtcTime):
            if column.name not in _PLANNED:
                yield f"{table.name}.{column.name} {IS_AHEAD}", column > now + _AHEAD
            wrong = [column < EARLIEST]
            # Which accepts any type in any column: a value without the form of a stored time
            if is_sqlite:
                wrong += [
                    func.typeof(column) != "text",
                    func.length(column) != len(_SQLITE_TIME),
                ]
            held = and_(column.is_not(None), or_(*wrong))
            yield f"{table.name}.{column.name} has an impossible time", held


# --- bytes -------------------------------------------------------------------------------------------------

_Reader = Callable[[Any], object]


def _signature(held: bytes) -> None:
    """Raise ValueError if a signature is damaged: it is not like itself."""
    if held and not estimate(held, held):
        raise ValueError("not a signature")


_READ: Final[dict[str, _Reader]] = {
    "entry.payload": lambda held: held and codecs.decompress_struct(held, Entry),
    "entry.page": codecs.decompress_bytes,
    "article.evidence": lambda held: codecs.unpack(held, Evidence),
    "article.signature": _signature,
    "article.details": lambda held: codecs.unpack(held, ArticleDetails),
    "article.terms": term_codec.read,
    "story.rendered": lambda held: codecs.decompress_struct(held, StoryText),
    "stream_period.terms": stream.unpack_frequencies,
    "correction.detail": lambda held: msgspec.json.decode(held, type=CorrectionDetail),
    "outbox.body": codecs.decompress_bytes,
}


def unreadable(database: Database) -> Iterator[Finding]:
    """Yield columns with bytes that cannot be decoded."""
    for place, read in _READ.items():
        table = metadata.tables[place.split(".")[0]]
        column = table.c[place.split(".")[1]]
        key = next(iter(table.primary_key.columns))
        shown = story.c.id if table is story else key
        for low, high in ranges(database, key):
            with database.read() as connection:
                held = select(shown, column).where(
                    column.is_not(None), key.between(low, high)
                )
                rows = connection.execute(held).all()
            for name, blob in rows:
                try:
                    read(blob)
                except (msgspec.MsgspecError, zstandard.ZstdError, ValueError):
                    yield f"{place} cannot be read", name


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
