"""Copies that go along with the texts that they copy, and the members that are compared."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles
from aggregator.stories.counting.copy_groups import copy_groups, copy_link


def with_copies(connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
    """Return these articles of a story with the copies of their texts, ordered by id.

    A copy that is not compared takes only its own copies along, so an editor can move a wrong copy.
    """
    leaving = set(wanted)
    for group in copy_groups(articles.members(connection, story), copy_link):
        asked = [member for member in group if member.id in leaving]
        if any(member.is_compared for member in asked):
            leaving.update(member.id for member in group if not member.is_compared)
        elif asked:
            links = {member.id: member.copy_of for member in group}
            leaving.update(
                member.id for member in group if _leads_to(member.id, leaving, links)
            )
    return sorted(leaving)


def _leads_to(
    article: str, wanted: Collection[str], links: Mapping[str, str | None]
) -> bool:
    """Return whether the article is one of `wanted`, or a copy of a copy of one."""
    asked = set()
    at: str | None = article
    while at is not None and at not in asked:
        if at in wanted:
            return True
        asked.add(at)
        at = links.get(at)
    return False


def compared_members(members: Sequence[Article]) -> set[str]:
    """Return the members to compare: the first article of each text, else excerpts, else live blogs."""
    for roles in (("report", "copy"), ("excerpt",), ("container",)):
        groups = copy_groups(
            [member for member in members if member.role in roles], copy_link
        )
        if groups:
            return {
                min(group, key=lambda member: member.inbox_no).id for group in groups
            }
    return set()
