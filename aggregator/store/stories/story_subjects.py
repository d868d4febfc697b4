"""Names and topics of stories: written when a story is rendered, read as it is shown."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, insert, select

from aggregator.model.story import StoryName, StoryView
from aggregator.store.tables import (
    delete_rows,
    execute_each,
    rows_with,
    story,
    story_subject,
    values_with,
)
from aggregator.stories.lexicon import subject_key


def write(
    connection: Connection,
    rendered: Sequence[tuple[int, Sequence[StoryName], Sequence[StoryName]]],
) -> None:
    """Replace names and topics of stories; each item has a story's number, names and topics."""
    numbers = [number for number, _, _ in rendered]
    delete_rows(connection, story_subject, story_subject.c.story_no.in_(numbers))
    subjects: list[dict[str, Any]] = []
    for number, names, topics in rendered:
        subjects += _subject_rows(number, "name", names)
        subjects += _subject_rows(number, "topic", topics)
    execute_each(connection, insert(story_subject), subjects)


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


def erase(connection: Connection, ids: Collection[str]) -> None:
    """Delete names and topics of these stories, until they are rendered again."""
    numbers = values_with(connection, select(story.c.story_no), story.c.id, ids)
    delete_rows(connection, story_subject, story_subject.c.story_no.in_(numbers))


def with_subjects(
    connection: Connection, views: Iterable[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their names and topics."""
    listed = tuple(views)
    names = defaultdict(list)
    topics = defaultdict(list)
    ids = {view.id for view in listed}
    for row in rows_with(connection, _SUBJECTS, story.c.id, ids):
        if row.kind == "name":
            names[row.id].append(StoryName(name=row.label, outlets=row.outlets))
        else:
            topics[row.id].append(row.label)
    return tuple(
        replace(view, names=tuple(names[view.id]), topics=tuple(topics[view.id]))
        for view in listed
    )


_SUBJECTS = (
    select(story.c.id, *story_subject.c)
    .join(story, story.c.story_no == story_subject.c.story_no)
    .order_by(story_subject.c.position)
)
