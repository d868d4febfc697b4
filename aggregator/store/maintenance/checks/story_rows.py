"""Rows of stories compared with their articles: centroids, counts, times, merged texts."""

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
from aggregator.store.stories.articles import MemberRow, published_span
from aggregator.store.tables import article, in_parts, story
from aggregator.stories.counts import Counts, count_state_of, counts, from_bytes
from aggregator.stories.tuning import StoryTuning


class StoryCheckTuning(NamedTuple):
    """The tuning from which rows of stories are computed."""

    model: EventModel
    version: str  # of the tuning
    families: Mapping[str, str] | None
    stories: StoryTuning


_MISMATCH = "stories have {} that do not match their articles"


def faults(
    database: Database, tuning: StoryCheckTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault]:
    """Check the live stories in the chunks of `extent`."""
    yield from merge_faults(_story_faults(database, tuning, extent, step))


def _story_faults(
    database: Database, tuning: StoryCheckTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault | None]:
    for chunk, (low, high) in enumerate(ranges(database, story.c.story_no)):
        if not extent.has(chunk):
            continue
        with database.read() as connection:
            live = story.c.redirect_to.is_(None)
            rows = connection.execute(select(story).where(story.c.story_no.between(low, high), live)).all()
            members = members_of(connection, [row.id for row in rows])
            for row in rows:
                if members[row.id]:  # references.py reports stories without articles
                    yield from _of_one(connection, row, members[row.id], tuning)
        step(len(rows))


def members_of(connection: Connection, ids: Sequence[str]) -> dict[str, list[MemberRow]]:
    """Return the articles of these stories, by story, in the order of placing."""
    found: dict[str, list[MemberRow]] = defaultdict(list)
    columns = [article.c[name] for name in MemberRow.__struct_fields__]
    for part in in_parts(ids):
        chosen = select(*columns).where(article.c.story.in_(part))
        for row in connection.execute(chosen.order_by(article.c.inbox_no)):
            found[row.story].append(MemberRow(**row._mapping))
    return found


def centroid_of(members: Sequence[MemberRow], model: EventModel) -> Centroid:
    """Compute the centroid of a story from the articles with `counts_in_centroid`, and the others' times."""
    return centroid.from_members(
        [one.as_article().member(model) for one in members if one.counts_in_centroid],
        [one.as_article().minutes for one in members if not one.counts_in_centroid],
        model,
    )


def _of_one(
    connection: Connection, row: Row[Any], members: Sequence[MemberRow], tuning: StoryCheckTuning
) -> Iterator[Fault | None]:
    if row.id != story_id(row.founding_article, row.founding_no):
        yield _fault("stories have an id that does not match their founding article", row.id, None)
    try:
        expected = centroid_of(members, tuning.model)
    except ValueError:
        return  # terms that cannot be read: values.py reports them
    yield _of_centroid(connection, row, members, expected, tuning)
    story_counts = counts(count_state_of(members), tuning.families)
    yield _if(
        (row.outlet_count, row.unknown_outlet_count)
        != (story_counts.outlet_count, story_counts.unknown_outlet_count),
        _MISMATCH.format("outlet counts"),
        row.id,
    )
    yield _if(
        row.report_count != story_counts.report_count,
        "stories have report counts of other publisher families (config.yaml changed, or an upgrade)",
        row.id,
    )
    yield _if(
        row.count_state is not None and not _counts_alike(row.count_state, story_counts, tuning),
        _MISMATCH.format("count states"),
        row.id,
    )
    first, last, _ = published_span(members)
    yield _if((row.first_published, row.last_published) != (first, last), _MISMATCH.format("times"), row.id)
    newest = max(member.inbox_no for member in members)
    yield _if(row.last_inbox_no != newest, _MISMATCH.format("last inbox numbers"), row.id)
    yield _if(row.container_only != expected.is_container_only, _MISMATCH.format("kinds"), row.id)
    titled = row.title_article
    if titled is not None and titled not in {member.id for member in members}:
        yield _fault("stories have the headline of an article of another story", row.id, None)


def _counts_alike(blob: bytes, story_counts: Counts, tuning: StoryCheckTuning) -> bool:
    try:
        count_state = from_bytes(blob)
    except msgspec.MsgspecError:
        return False
    return count_state is None or counts(count_state, tuning.families) == story_counts


def _of_centroid(
    connection: Connection,
    row: Row[Any],
    members: Sequence[MemberRow],
    expected: Centroid,
    tuning: StoryCheckTuning,
) -> Fault | None:
    """Compare terms, counts and times, which are exact integers; other bytes depend on the tuning."""
    if row.centroid == centroid.to_bytes(expected, tuning.model):
        return None
    try:
        stored = centroid.from_bytes(row.centroid)
    except (ValueError, IndexError, struct.error):
        stored = None
    if stored is not None and _is_equal(stored, expected) and _had_other_tuning(connection, members, tuning):
        what = "stories have centroids of another tuning; this is no damage"
        return Fault(what=what, rows=1, remedy="stories", keys=(row.id,), is_note=True)
    return _fault(_MISMATCH.format("centroids"), row.id, "stories")


def _is_equal(one: Centroid, other: Centroid) -> bool:
    plain = ("squares", "reports", "containers", "silent")
    arrays = ("ids", "weights", "times", "silent_times")
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays
    )


def _had_other_tuning(connection: Connection, members: Sequence[MemberRow], tuning: StoryCheckTuning) -> bool:
    ids = [member.id for member in members[:500]]
    rows = connection.execute(select(article.c.evidence).where(article.c.id.in_(ids))).scalars()
    try:
        return any(codecs.unpack(held, Evidence).rules_version != tuning.version for held in rows)
    except msgspec.MsgspecError:
        return False  # unreadable: values.py reports it


def _if(condition: bool, what: str, id_: str) -> Fault | None:
    return _fault(what, id_, "stories") if condition else None


def _fault(what: str, id_: str, remedy: Remedy | None) -> Fault:
    return Fault(what=what, rows=1, keys=(id_,), remedy=remedy)


# --- merged texts ------------------------------------------------------------------------------------------


def merged_text_faults(
    database: Database, tuning: StoryTuning, extent: CheckScope, step: CheckStep
) -> Iterator[Fault]:
    """Compare merged texts with a rendering of their articles.

    Only stories that were rendered with this code and tuning: older ones keep their text.
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
    for chunk, (low, high) in enumerate(ranges(database, story.c.story_no)):
        if not extent.has(chunk):
            continue
        # Retention empties the text of a story that is rendered on demand, or cannot be rendered any more.
        is_gone = exists().where(article.c.story == story.c.id, article_text.IS_GONE)
        is_kept = or_(story.c.text != "", and_(story.c.article_count == 1, ~is_gone))
        kept = story.c.redirect_to.is_(None), story.c.merged_story.is_not(None), is_kept
        columns = story.c.id, story.c.title, story.c.text, story.c.merged_story, story.c.disagreement_count
        chosen = select(*columns).where(
            story.c.story_no.between(max(low, number), high), *kept, story.c.bumped_at >= moment
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
                continue  # values.py reports it
            expected = merged_texts.rendering(views[row.id], row.title, tuning)
            is_same = (
                row.text == expected.text
                and row.disagreement_count == len(expected.merged.disagreements)
                and _holds(row.merged_story, codecs.pack(expected.merged))
            )
            if not is_same:
                yield _fault("merged texts do not match their articles", row.id, "merged texts")
            elif any(originals[one.id] != one.copy_of for one in expected.articles):
                yield _fault("articles have an original that does not match", row.id, "merged texts")
        step(len(rows))


def _holds(blob: bytes, expected: bytes) -> bool:
    try:
        return codecs.decompress_bytes(blob) == expected
    except zstandard.ZstdError:
        return False
