"""Writes names and topics of stories, and which stories are related.

A story is related if it is near in time, both have names in common that are rare there, and what both say
in headline and summary is similar. Chosen on the stream (benchmarks/results/story-links-2026-11-22.md).
"""

import datetime as dt
import functools
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    insert,
    or_,
    select,
    union_all,
)

from aggregator.model.story import StoryName
from aggregator.store.stories.story_links import LINKS
from aggregator.store.tables import (
    IS_LIVE,
    delete_rows,
    execute_each,
    insert_or,
    pairs_with,
    rows_with,
    story,
    story_link,
    story_subject,
    values_with,
)
from aggregator.stories.lexicon import subject_key

# A story is related if it is near in time, both have names in common that are rare there, and what both say
# in headline and summary is similar. Chosen on the stream (benchmarks/results/story-links-2026-11-22.md).
_RELATED_DAYS = 21  # between the first reports (the promise: within weeks)

_RELATED_MOST = 5  # written for one story; others may name it, too (the promise)
# With a name on either side of the story; a more frequent name connects nothing
_RARE_STORIES = 40

# stories, the number that the rarity of a name is relative to: ln(400 / stories)
_RARITY_OF = 400

_RESEMBLANCE = 0.2  # of headlines and summaries at least ...
_STRENGTH = 1.0  # ... and of it times the sum of the rarities

COMPARED = tuple(
    story.c[name]
    for name in ("story_no", "id", "title", "summary", "language", "first_published")
)

_COMPARED = 20  # stories whose headlines are compared, those with the rarest names
# Built once: SQLAlchemy needs as long to build a statement as to execute it.
_DELETE_LINKS = delete(story_link).where(story_link.c.story_no == bindparam("number"))

_OTHERS = select(*COMPARED)

_BEFORE_AND_AFTER = select(LINKS.c.other_id).where(
    LINKS.c.story_id == bindparam("story_id"), LINKS.c.relation != "related"
)


def write(
    connection: Connection,
    rendered: Sequence[tuple[Row[Any], Sequence[StoryName], Sequence[StoryName]]],
) -> None:
    """Replace names, topics and related stories of live stories; without new ones the related ones stay.

    Of each story its row, with the columns `COMPARED`, its names and its topics.
    """
    numbers = [row.story_no for row, _, _ in rendered]
    delete_rows(connection, story_subject, story_subject.c.story_no.in_(numbers))
    subjects: list[dict[str, Any]] = []
    for row, names, topics in rendered:
        subjects += _subject_rows(row.story_no, "name", names)
        subjects += _subject_rows(row.story_no, "topic", topics)
    execute_each(connection, insert(story_subject), subjects)
    for row, names, _ in rendered:
        keys = [subject_key(subject.name) for subject in names]
        related = _related(connection, row, keys)
        if related:
            connection.execute(_DELETE_LINKS, {"number": row.story_no})
            _link(connection, row.story_no, related)


def _subject_rows(
    number: int, kind: str, subjects: Iterable[StoryName]
) -> Iterator[dict[str, Any]]:
    for position, subject in enumerate(subjects):
        yield {
            "story_no": number,
            "kind": kind,
            "position": position,
            "key": subject_key(subject.name),
            "label": subject.name,
            "outlets": subject.outlets,
        }


def _link(connection: Connection, story_no: int, others: Iterable[int]) -> None:
    """Write the links between a story and others, in both directions."""
    rows = []
    for other in others:
        if other != story_no:
            rows.append({"story_no": story_no, "other_no": other})
            rows.append({"story_no": other, "other_no": story_no})
    execute_each(
        connection, insert_or(connection, story_link).on_conflict_do_nothing(), rows
    )


def _related(connection: Connection, row: Row[Any], names: Sequence[str]) -> list[int]:
    """Return the numbers of the stories that are related to a live story, the most similar first."""
    from aggregator.text.resemblance import resemblance  # loads numpy

    weights: dict[int, float] = defaultdict(float)
    for near in _near(connection, row, names):
        for number in near:
            weights[number] += math.log(_RARITY_OF / (len(near) + 1))
    compared = _strongest(weights)[:_COMPARED]
    strengths = {}
    ids = {}
    for other in rows_with(connection, _OTHERS, story.c.story_no, compared):
        alike = resemblance(
            f"{row.title}\n{row.summary}",
            f"{other.title}\n{other.summary}",
            row.language,
        )
        weight = weights[other.story_no]
        if alike >= _RESEMBLANCE and weight * alike >= _STRENGTH:
            strengths[other.story_no] = weight * alike
            ids[other.story_no] = other.id
    if not strengths:
        return []
    before_and_after = set(connection.scalars(_BEFORE_AND_AFTER, {"story_id": row.id}))
    for number, id_ in ids.items():
        if id_ in before_and_after:
            del strengths[number]
    return _strongest(strengths)[:_RELATED_MOST]


def _strongest(values: Mapping[int, float]) -> list[int]:
    """Return stories by their values, the highest first; of equal ones the older first."""
    return sorted(values, key=lambda number: (-values[number], number))


def _near(
    connection: Connection, row: Row[Any], names: Sequence[str]
) -> list[list[int]]:
    """Return, for each name that is rare about that time, the other live stories with it.

    Of each name those are asked that were founded next before and after the story.
    """
    if not names:
        return []
    numbers_by_name: dict[str, list[int]] = {name: [] for name in names}
    given = {f"name_{place}": name for place, name in enumerate(names)}
    for side, days in (("since", -_RELATED_DAYS), ("until", _RELATED_DAYS)):
        given[side] = row.first_published + dt.timedelta(days=days)
    for name, number in connection.execute(
        _next_named(len(names)), {"story_no": row.story_no, **given}
    ).all():
        numbers_by_name[name].append(number)
    return [near for near in numbers_by_name.values() if len(near) < _RARE_STORIES]


@functools.cache
def _next_named(count: int) -> Select[Any]:
    """Return the statement for the stories next to one that have any of `count` names."""
    number = story_subject.c.story_no
    sides = (
        (bindparam("story_no") > number, number.desc()),
        (bindparam("story_no") < number, number),
    )
    parts = []
    for place in range(count):
        is_named = story_subject.c.key == bindparam(f"name_{place}")
        for is_on_side, order in sides:
            named = select(story_subject.c.key, number).where(
                story_subject.c.kind == "name", is_named, is_on_side
            )
            side = named.order_by(order).limit(_RARE_STORIES).subquery()
            parts.append(select(side.c.key, side.c.story_no))
    near = union_all(*parts).subquery()
    is_then = story.c.first_published.between(bindparam("since"), bindparam("until"))
    return (
        select(near.c.key, near.c.story_no)
        .join(story, story.c.story_no == near.c.story_no)
        .where(IS_LIVE, is_then)
    )


def unite(connection: Connection, loser: str, winner: str) -> None:
    """Move the related stories of `loser` to `winner`, and delete its names and topics."""
    numbers = pairs_with(
        connection, select(story.c.id, story.c.story_no), story.c.id, [loser, winner]
    )
    others = select(story_link.c.other_no).where(
        story_link.c.story_no == numbers[loser]
    )
    reverse = select(story_link.c.story_no).where(
        story_link.c.other_no == numbers[loser]
    )
    related = connection.scalars(others.union(reverse)).all()
    erase(connection, [loser])
    _link(connection, numbers[winner], related)


def erase(connection: Connection, ids: Collection[str]) -> None:
    """Delete names, topics and related stories of these stories, until they are rendered again."""
    numbers = values_with(connection, select(story.c.story_no), story.c.id, ids)
    delete_rows(connection, story_subject, story_subject.c.story_no.in_(numbers))
    both = or_(story_link.c.story_no.in_(numbers), story_link.c.other_no.in_(numbers))
    delete_rows(connection, story_link, both)
