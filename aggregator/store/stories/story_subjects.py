"""Names and topics of stories: written when a story is rendered, read as it is shown."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace
from sqlalchemy import Connection, insert

from aggregator.model.story import StoryName, StoryView
from aggregator.store.tables import (
    delete_rows,
    execute_each,
    read_rows,
    story_subject,
    write_sql,
)
from aggregator.stories.lexicon import subject_key


def write(
    connection: Connection,
    rendered: Sequence[tuple[int, Sequence[StoryName], Sequence[StoryName]]],
) -> None:
    """Replace names and topics of stories; each item has a story's number, names and topics."""
    numbers = [number for number, _, _ in rendered]
    delete_rows(connection, story_subject, story_subject.c.story_no.in_(numbers))
    rows = []
    for number, names, topics in rendered:
        for kind, subjects in (("name", names), ("topic", topics)):
            for position, subject in enumerate(subjects):
                row = {"story_no": number, "kind": kind, "position": position}
                row["key"] = subject_key(subject.name)
                row |= {"label": subject.name, "outlets": subject.outlets}
                rows.append(row)
    execute_each(connection, insert(story_subject), rows)


def erase(connection: Connection, ids: Collection[str]) -> None:
    """Delete names and topics of these stories, until they are rendered again."""
    erased = """
        DELETE FROM story_subject WHERE story_no IN (SELECT story_no FROM story WHERE id IN :ids)
        """
    write_sql(connection, erased, ids=ids)


def with_subjects(
    connection: Connection, views: Iterable[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their names and topics."""
    listed = tuple(views)
    names = defaultdict(list)
    topics = defaultdict(list)
    ids = {view.id for view in listed}
    subjects = """
        SELECT story.id, subject.kind, subject.label, subject.outlets
        FROM story_subject AS subject JOIN story ON story.story_no = subject.story_no
        WHERE story.id IN :ids ORDER BY subject.position
        """
    for row in read_rows(connection, subjects, ids=ids):
        if row.kind == "name":
            names[row.id].append(StoryName(name=row.label, outlets=row.outlets))
        else:
            topics[row.id].append(row.label)
    return tuple(
        replace(view, names=tuple(names[view.id]), topics=tuple(topics[view.id]))
        for view in listed
    )
