"""Names and topics of stories as they are shown, and links between stories: what a story follows, and related ones."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec.structs import replace
from sqlalchemy import Connection, column, select, table

from aggregator.model.story import LinkedStory, StoryName, StoryView
from aggregator.store.tables import fields_of, rows_with, story, story_subject

# Of each relation (the promise of docs/querying.md for related stories)
_SHOWN_LINKS = 5

LINKS = table(
    "v_story_links", column("story_id"), column("other_id"), column("relation")
)

_LINKED = select(
    LINKS.c.story_id, LINKS.c.relation, *fields_of(story, LinkedStory)
).join(story, story.c.id == LINKS.c.other_id)


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


def with_links(
    connection: Connection, views: Iterable[StoryView]
) -> tuple[StoryView, ...]:
    """Return these stories with their links, of each relation the nearest stories in time.

    What comes before or after a story is not related besides: it was linked before that was known.
    """
    by_id = {view.id: view for view in views}
    links: dict[str, dict[str, dict[str, LinkedStory]]] = {
        id_: {"earlier": {}, "later": {}, "related": {}} for id_ in by_id
    }
    for row in rows_with(connection, _LINKED, LINKS.c.story_id, by_id):
        values = dict(row._mapping)
        of_relation = links[values.pop("story_id")][values.pop("relation")]
        of_relation[row.id] = LinkedStory(**values)
    linked = []
    for id_, of_story in links.items():
        for other in of_story["earlier"] | of_story["later"]:
            of_story["related"].pop(other, None)
        nearest = {
            relation: _nearest(by_id[id_], others)
            for relation, others in of_story.items()
        }
        linked.append(replace(by_id[id_], **nearest))
    return tuple(linked)


def _nearest(
    view: StoryView, others: Mapping[str, LinkedStory]
) -> tuple[LinkedStory, ...]:
    def distance(other: LinkedStory) -> tuple[float, str]:
        return abs(
            (other.first_published - view.first_published).total_seconds()
        ), other.id

    return tuple(sorted(others.values(), key=distance)[:_SHOWN_LINKS])
