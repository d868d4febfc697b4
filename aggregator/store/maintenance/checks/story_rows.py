"""What rows of stories say, against their articles: sums to the last integer, counts, dates, texts."""

import datetime as dt
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import zstandard
from sqlalchemy import Connection, Row, and_, exists, or_, select

from aggregator.cluster.entry_identity import story_id
from aggregator.cluster.events import centroid
from aggregator.cluster.events.centroid import Centroid
from aggregator.cluster.events.weights import EventModel
from aggregator.model.core import Evidence
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.maintenance.checks.finding import (
    CheckScope,
    CheckStep,
    Fault,
    Remedy,
    merge_faults,
    pairs,
)
from aggregator.store.maintenance.checks.values import ranges
from aggregator.store.stories import article_text, article_views, merged_texts
from aggregator.store.stories.articles import MemberRow
from aggregator.store.tables import article, in_parts, story
from aggregator.stories.counts import Counts, count_state_of, counts, from_bytes
from aggregator.stories.tuning import StoryTuning


class StoryCheckTuning(NamedTuple):
    """By what stories are worked out today."""

    model: EventModel
    version: str  # of the rule book
    families: Mapping[str, str] | None
    stories: StoryTuning


_WORKED_OUT = "stories say other {} than their articles give"


def faults(
    database: Database, tuning: StoryCheckTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault]:
    """What does not fit, of the live stories that are looked at."""
    yield from merge_faults(_story_faults(database, tuning, extent, step))


def _story_faults(
    database: Database, tuning: StoryCheckTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault | None]:
    for chunk, (low, high) in enumerate(ranges(database, story.c.n)):
        if not extent.has(chunk):
            continue
        with database.read() as connection:
            live = story.c.redirect_to.is_(None)
            rows = connection.execute(select(story).where(story.c.n.between(low, high), live)).all()
            members = members_of(connection, [row.id for row in rows])
            for row in rows:
                if members[row.id]:  # one without any is another question's
                    yield from _of_one(connection, row, members[row.id], tuning)
        step(len(rows))


def members_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[MemberRow]]:
    """The articles of these stories, by story, in the order of their placing."""
    found: dict[str, list[MemberRow]] = defaultdict(list)
    columns = [article.c[name] for name in MemberRow.__struct_fields__]
    for part in in_parts(ids):
        chosen = select(*columns).where(article.c.story.in_(part))
        for row in connection.execute(chosen.order_by(article.c.n)):
            found[row.story].append(MemberRow(**row._mapping))
    return found


def summed(members: Sequence[MemberRow], model: EventModel) -> Centroid:
    """The sums of a story with these members, each as its row says that it weighs."""
    return centroid.from_members(
        [one.as_article().member(model) for one in members if one.weighs],
        [one.as_article().minutes for one in members if not one.weighs],
        model,
    )


def _of_one(
    connection: Connection, row: Row[Any], members: Sequence[MemberRow], tuning: StoryCheckTuning
) -> Iterator[Fault | None]:
    if row.id != story_id(row.founder, row.founding):
        yield _fault("stories have an id that is not made of their founder", row.id, None)
    try:
        expected = summed(members, tuning.model)
    except ValueError:
        return  # terms that cannot be read: another question names them
    yield _of_sums(connection, row, members, expected, tuning)
    tally = counts(count_state_of(members), tuning.families)
    yield _if(row.outlet_count != tally.outlet_count, _WORKED_OUT.format("numbers of outlets"), row.id)
    yield _if(
        row.report_count != tally.report_count,
        "stories count other reports than under today's families of publishers (config.yaml, or an upgrade)",
        row.id,
    )
    yield _if(
        row.standing is not None and not _counts_alike(row.standing, tally, tuning),
        _WORKED_OUT.format("standings"),
        row.id,
    )
    first = min(member.effective for member in members)
    last = max(member.effective for member in members)
    yield _if((row.first_published, row.last_published) != (first, last), _WORKED_OUT.format("dates"), row.id)
    newest = max(member.n for member in members)
    yield _if(row.last_inbox_no != newest, _WORKED_OUT.format("last articles"), row.id)
    yield _if(row.container_only != expected.is_container_only, _WORKED_OUT.format("kinds"), row.id)
    titled = row.title_article
    if titled is not None and titled not in {member.id for member in members}:
        yield _fault("stories have the headline of an article that is not theirs", row.id, None)


def _counts_alike(blob: bytes, tally: Counts, tuning: StoryCheckTuning) -> bool:
    try:
        standing = from_bytes(blob)
    except msgspec.MsgspecError:
        return False
    return standing is None or counts(standing, tuning.families) == tally


def _of_sums(
    connection: Connection,
    row: Row[Any],
    members: Sequence[MemberRow],
    expected: Centroid,
    tuning: StoryCheckTuning,
) -> Fault | None:
    """Terms, counts and dates are integers and must be equal; the rest follows from them and the rules."""
    if row.sums == centroid.to_bytes(expected, tuning.model):
        return None
    try:
        held = centroid.from_bytes(row.sums)
    except (ValueError, IndexError, struct.error):
        held = None
    if held is not None and _is_equal(held, expected) and _was_by_other_rules(connection, members, tuning):
        words = "stories were summed up under other rules: said, no damage"
        return Fault(what=words, rows=1, remedy="stories", keys=(row.id,), is_note=True)
    return _fault(_WORKED_OUT.format("sums"), row.id, "stories")


def _is_equal(one: Centroid, other: Centroid) -> bool:
    plain = ("squares", "reports", "containers", "silent")
    arrays = ("ids", "weights", "times", "silent_times")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def _was_by_other_rules(
    connection: Connection, members: Sequence[MemberRow], tuning: StoryCheckTuning
) -> bool:
    ids = [member.id for member in members[:500]]
    rows = connection.execute(select(article.c.evidence).where(article.c.id.in_(ids))).scalars()
    try:
        return any(codecs.unpack(held, Evidence).rules_version != tuning.version for held in rows)
    except msgspec.MsgspecError:
        return False  # unreadable: another question names it


def _if(condition: bool, what: str, id_: str) -> Fault | None:
    return _fault(what, id_, "stories") if condition else None


def _fault(what: str, id_: str, remedy: Remedy | None) -> Fault:
    return Fault(what=what, rows=1, keys=(id_,), remedy=remedy)


# --- what is told ------------------------------------------------------------------------------------------


def merged_text_faults(
    database: Database, tuning: StoryTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault]:
    """Merged texts that are not what is told of their articles under today's rules.

    Only of stories that are told by these rules: older ones keep the text they have.
    """
    with database.read() as connection:
        since = merged_texts.rendered_since(connection, tuning)
    if since is not None:
        yield from merge_faults(_merged_text_faults(database, tuning, since, extent, step))


def _merged_text_faults(
    database: Database,
    tuning: StoryTuning,
    since: tuple[int, dt.datetime],
    extent: CheckScope,
    step: CheckStep,
) -> Iterator[Fault | None]:
    number, moment = since
    for chunk, (low, high) in enumerate(ranges(database, story.c.n)):
        if not extent.has(chunk):
            continue
        # Retention leaves an empty text where it is told on demand, or cannot be told any more.
        is_gone = exists().where(article.c.story == story.c.id, article_text.IS_GONE)
        is_kept = or_(story.c.text != "", and_(story.c.article_count == 1, ~is_gone))
        kept = story.c.redirect_to.is_(None), story.c.merged.is_not(None), is_kept
        columns = story.c.id, story.c.title, story.c.text, story.c.merged, story.c.disagreement_count
        chosen = select(*columns).where(
            story.c.n.between(max(low, number), high), *kept, story.c.updated >= moment
        )
        with database.read() as connection:
            rows = connection.execute(chosen).all()
            views = article_views.views_of_stories(connection, [row.id for row in rows], "text")
            noted = select(article.c.id, article.c.original).where(
                article.c.story.in_([row.id for row in rows])
            )
            originals = pairs(connection, noted)
        for row in rows:
            if any(isinstance(one.text, article_text.DamagedText) for one in views[row.id]):
                continue  # another question names it
            expected = merged_texts.tell(views[row.id], row.title, tuning)
            is_same = (
                row.text == expected.text
                and row.disagreement_count == len(expected.merged.disagreements)
                and _is_what(row.merged, codecs.pack(expected.merged))
            )
            if not is_same:
                yield _fault("merged texts are not what their articles tell", row.id, "told")
            elif any(originals[one.id] != one.copy_of for one in expected.articles):
                yield _fault("articles name another original than their story tells", row.id, "told")
        step(len(rows))


def _is_what(blob: bytes, expected: bytes) -> bool:
    try:
        return codecs.decompress_bytes(blob) == expected
    except zstandard.ZstdError:
        return False
