"""Names and topics of stories as they are shown, and links between stories: what a story follows, and related ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, column, select, table

from aggregator.model.story import LinkedStory, StoryName, StoryView
from aggregator.store.tables import fields_of, rows_with, story, story_subject

# Of each relation (the promise of docs/querying.md for related stories)
_SHOWN_LINKS = 5

LINKS = table(
    "v_story_links", column("story_id"), column("other_id"), column("relation")
)

_LINKED = fields_of(story, LinkedStory)


def with_subjects(
    connection: Connection, views: Iterable[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their names and topics."""
    listed = tuple(views)
    labels: dict[str, dict[str, list[Any]]] = {
        view.id: {"name": [], "topic": []} for view in listed
    }
    statement = (
        select(story.c.id, *story_subject.c)
        .join(story, story.c.story_no == story_subject.c.story_no)
        .order_by(story_subject.c.position)
    )
    for row in rows_with(connection, statement, story.c.id, labels):
        label = (
            StoryName(name=row.label, outlets=row.outlets)
            if row.kind == "name"
            else row.label
        )
        labels[row.id][row.kind].append(label)
    return tuple(
        replace(
            view,
            names=tuple(labels[view.id]["name"]),
            topics=tuple(labels[view.id]["topic"]),
        )
        for view in listed
    )


def with_links(
    connection: Connection, views: Iterable[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their links, of each relation the nearest stories in time.

    What comes before or after a story is not related besides: it was linked before that was known.
    """
    by_id = {view.id: view for view in views}
    links: dict[tuple[str, str], dict[str, LinkedStory]] = {}
    statement = select(LINKS.c.story_id, LINKS.c.relation, *_LINKED).join(
        story, story.c.id == LINKS.c.other_id
    )
    for row in rows_with(connection, statement, LINKS.c.story_id, by_id):
        other = LinkedStory(
            **{name: row._mapping[name] for name in LinkedStory.__struct_fields__}
        )
        links.setdefault((row.story_id, row.relation), {})[other.id] = other
    for (id_, relation), others in links.items():
        if relation != "related":
            for linked in others:
                links.get((id_, "related"), {}).pop(linked, None)
    return tuple(
        replace(
            view,
            **{
                relation: _nearest(view, links.get((view.id, relation), {}))
                for relation in _RELATIONS
            },
        )
        for view in by_id.values()
    )


_RELATIONS = ("earlier", "later", "related")


def _nearest(
    view: StoryView, others: Mapping[str, LinkedStory]
) -> tuple[LinkedStory, ...]:
    def distance(other: LinkedStory) -> tuple[float, str]:
        return abs(
            (other.first_published - view.first_published).total_seconds()
        ), other.id

    return tuple(sorted(others.values(), key=distance)[:_SHOWN_LINKS])
