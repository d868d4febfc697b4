"""Constraints from corrections: stories that an article must belong to, and must not."""

from collections.abc import Iterable
from typing import NamedTuple

from aggregator.cluster.constraints import ConstraintTable
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, corrections


class StoryConstraints(NamedTuple):
    """The stories that corrections name for an article; live ids."""

    must_link: tuple[str, ...] = ()  # it belongs to all of these: they are one story
    barred: frozenset[str] = frozenset()


class Constraints:
    """The corrections in force, kept in memory because they are few."""

    def __init__(self) -> None:
        self._table: ConstraintTable | None = None

    def forget(self) -> None:
        """Read the corrections again after a change."""
        self._table = None

    def story_constraints(self, connection: Connection, article: str) -> StoryConstraints:
        """Return the constraints of an article. A must-link takes precedence over a cannot-link."""
        with_, never = self._of(connection).linked_articles(article)
        if not with_ and not never:
            return StoryConstraints()
        assigned_stories = articles.assigned_stories(connection, with_ | never)
        must_link = {assigned_stories[one] for one in with_ if one in assigned_stories}
        barred = {assigned_stories[one] for one in never if one in assigned_stories}
        return StoryConstraints(must_link=tuple(sorted(must_link)), barred=frozenset(barred - must_link))

    def may_leave(self, connection: Connection, articles_: Iterable[str]) -> bool:
        """Whether no correction links any of these articles to another one."""
        moving = set(articles_)
        table = self._of(connection)
        return not any(table.linked_articles(one)[0] - moving for one in moving)

    def may_join(self, connection: Connection, articles_: Iterable[str], story: str) -> bool:
        """Whether no correction keeps any of these articles out of the story."""
        return not any(story in self.story_constraints(connection, one).barred for one in articles_)

    def may_merge(self, connection: Connection, one: str, other: str) -> bool:
        """Whether no correction separates an article of one story from one of the other."""
        table = self._of(connection)
        kept_apart = [article for article in table.articles if table.has_cannot_link(article)]
        if not kept_apart:
            return True
        assigned_stories = articles.assigned_stories(connection, kept_apart)
        sides = [
            {article for article, story in assigned_stories.items() if story == id_} for id_ in (one, other)
        ]
        smaller, larger = sorted(sides, key=len)
        return not any(table.linked_articles(article)[1] & larger for article in smaller)

    def _of(self, connection: Connection) -> ConstraintTable:
        if self._table is None:
            self._table = ConstraintTable(corrections.all_constraints(connection))
        return self._table
