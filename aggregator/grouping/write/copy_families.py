"""Copies that move together with the texts that they copy, and the members of a story that are compared."""

from collections.abc import Iterable, Sequence

from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.stories import stored_articles
from aggregator.stories.counting.copy_groups import copy_groups, copy_link


def with_copies(connection: Connection, wanted: Iterable[str], story: str) -> list[str]:
    """Return these articles of a story with the copies of their texts, ordered by id.

    A copy that is not compared takes only its own copies along, so that a correction can move a wrong copy.
    Other compared articles of its group stay.
    """
    leaving = set(wanted)
    for group in copy_groups(
        stored_articles.read_articles_of(connection, story), copy_link
    ):
        asked = [member for member in group if member.id in leaving]
        if any(member.is_compared for member in asked):
            leaving.update(member.id for member in group if not member.is_compared)
        elif asked:
            # Copies of leaving copies leave, too. Repeat, because they may be in any order.
            has_more = True
            while has_more:
                copies = {member.id for member in group if member.copy_of in leaving}
                has_more = not copies <= leaving
                leaving |= copies
    return sorted(leaving)


def compared_members(members: Sequence[Article]) -> set[str]:
    """Return the members to compare: the first article of each text, or if there are only excerpts, of each of these.

    If all are live blogs and roundups, the first of each text of these.
    """
    for roles in (("report", "copy"), ("excerpt",), ("container",)):
        groups = copy_groups(
            [member for member in members if member.role in roles], copy_link
        )
        if groups:
            return {
                min(group, key=lambda member: member.inbox_no).id for group in groups
            }
    return set()
