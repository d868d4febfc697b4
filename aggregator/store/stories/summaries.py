"""Machine-written texts of stories: which story is next, and what was written.

A text belongs to the facts that it was made of: it is shown while the story has these. Each attempt is stored
before it begins, so a daemon that was killed keeps to the rate and to the back-off.
"""

import datetime as dt
import hashlib
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, ScalarSelect, Select, func, select

from aggregator.model.read_model import MachineSummary
from aggregator.model.story import StoryText
from aggregator.store import codecs
from aggregator.store.tables import IS_LIVE, story, story_summary, update_rows, upsert

# Of several outlets, the last bumped; at the default rate these are five hours
_STORIES_LOOKED_AT = 100
# After the first failure with the same facts ...
_RETRY_FIRST = dt.timedelta(minutes=5)
_RETRY_FACTOR = 4  # ... times this after each further one: 5 min, 20 min, 80 min, 5 h
_MOST_FAILURES = 5  # then the story waits until its facts change


class SummaryTask(NamedTuple):
    """A story that needs a text, with its facts."""

    story_no: int
    id: str
    shown: StoryText
    facts_hash: bytes
    failures: int  # before, with the same facts


def facts_hash(shown: StoryText) -> bytes:
    """Return a hash of what a story shows below its title."""
    facts = (shown.lead, shown.openings, shown.quotations)
    return hashlib.sha256(msgspec.msgpack.encode(facts)).digest()[:16]


def summary_of(
    facts: bytes | None, stored: bytes | None, shown: StoryText
) -> MachineSummary | None:
    """Return a stored text, written from facts with the hash `facts`, if `shown` has these facts."""
    if stored is None or facts != facts_hash(shown):
        return None
    try:
        return codecs.decompress_struct(stored, MachineSummary)
    except codecs.UNREADABLE:
        return None  # it is written again when the facts change


def version_of(story_id: str) -> ScalarSelect[bytes]:
    """Return, as a part of a statement, the version of the text of a story; null without one."""
    chosen = select(story_summary.c.facts_hash).join(
        story, story.c.story_no == story_summary.c.story
    )
    return chosen.where(
        story.c.id == story_id, story_summary.c.summary.is_not(None)
    ).scalar_subquery()


def last_attempt(connection: Connection, now: dt.datetime) -> dt.datetime | None:
    """Return the time of the last attempt; attempts after `now`, of a clock that was ahead, do not count."""
    last = select(func.max(story_summary.c.attempted_at)).where(
        story_summary.c.attempted_at <= now
    )
    return connection.execute(last).scalar()


_CANDIDATES: Select[Any] = (
    select(
        story.c.story_no,
        story.c.id,
        story.c.rendered,
        story_summary.c.facts_hash,
        story_summary.c.attempted_at,
        story_summary.c.failures,
        story_summary.c.summary.is_not(None).label("is_written"),
    )
    .outerjoin(story_summary, story_summary.c.story == story.c.story_no)
    .where(
        IS_LIVE,
        story.c.rendered.is_not(None),
        story.c.outlet_count > 1,
    )
    .order_by(story.c.bumped_at.desc())
    .limit(_STORIES_LOOKED_AT)
)


def next_task(connection: Connection, now: dt.datetime) -> SummaryTask | None:
    """Return a story without a text for its facts: those never tried first, then the longest ago."""
    tasks = []
    for row in connection.execute(_CANDIDATES):
        try:
            shown, facts = _with_facts(row.rendered)
        except codecs.UNREADABLE:
            continue
        failures = 0
        if row.facts_hash == facts:
            failures = row.failures
            wait = _RETRY_FIRST * _RETRY_FACTOR ** max(0, failures - 1)
            if (
                row.is_written
                or failures >= _MOST_FAILURES
                or now - wait < row.attempted_at <= now
            ):
                continue
        tried = 0.0
        if row.attempted_at is not None:
            tried = row.attempted_at.timestamp()
        task = SummaryTask(row.story_no, row.id, shown, facts, failures)
        tasks.append((tried, task))
    return min(tasks, key=itemgetter(0))[1] if tasks else None


# Of most stories it is as it was when they were looked at last
@lru_cache(maxsize=_STORIES_LOOKED_AT)
def _with_facts(blob: bytes) -> tuple[StoryText, bytes]:
    shown = codecs.decompress_struct(blob, StoryText)
    return shown, facts_hash(shown)


def begin(connection: Connection, task: SummaryTask, now: dt.datetime) -> None:
    """Store that an attempt begins; it counts as failed until `store` is called. Drops an earlier text."""
    values = {
        "story": task.story_no,
        "facts_hash": task.facts_hash,
        "attempted_at": now,
        "failures": task.failures + 1,
        "summary": None,
    }
    upsert(connection, story_summary, values)


def store(connection: Connection, task: SummaryTask, summary: MachineSummary) -> None:
    """Store what was written, unless an article of the story was erased meanwhile."""
    same = (
        story_summary.c.story == task.story_no,
        story_summary.c.facts_hash == task.facts_hash,
    )
    values = {"failures": 0, "summary": codecs.compress_struct(summary)}
    update_rows(connection, story_summary, *same, **values)
