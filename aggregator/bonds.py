"""Bonds: what persons' corrections ask of a decision (which stories it must be, and which it may not be)."""

from collections.abc import Iterable
from typing import NamedTuple

from aggregator.dedup.bonds import Bond, partners
from aggregator.store import articles, corrections
from aggregator.store.database import Connection


class Ties(NamedTuple):
    """The stories that corrections name for an article; live ids."""

    must: tuple[str, ...] = ()  # it belongs to all of these: they are one story
    barred: frozenset[str] = frozenset()


class Bonds:
    """Asks the corrections in force. Keeps which articles have any: nearly none has."""

    def __init__(self) -> None:
        self._bound: frozenset[str] | None = None

    def forget(self) -> None:
        """Ask the rows again: a correction came or went."""
        self._bound = None

    def ties(self, connection: Connection, article: str) -> Ties:
        """Where the article has to be, and where it must not be. A tie outranks a bar on the same story."""
        with_, never = self._partners(connection, article)
        if not with_ and not never:
            return Ties()
        homes = articles.homes(connection, with_ | never)
        must = {homes[one] for one in with_ if one in homes}
        barred = {homes[one] for one in never if one in homes}
        return Ties(must=tuple(sorted(must)), barred=frozenset(barred - must))

    def may_leave(self, connection: Connection, articles_: Iterable[str]) -> bool:
        """Whether no correction holds any of these articles with another one."""
        moving = set(articles_)
        return not any(self._partners(connection, one)[0] - moving for one in moving)

    def may_join(self, connection: Connection, articles_: Iterable[str], story: str) -> bool:
        """Whether no correction keeps any of these articles out of the story."""
        return not any(story in self.ties(connection, one).barred for one in articles_)

    def may_merge(self, connection: Connection, one: str, other: str) -> bool:
        """Whether no correction keeps an article of one story away from one of the other."""
        bound = self._bound_articles(connection)
        if not bound:
            return True
        homes = articles.homes(connection, bound)
        smaller = [article for article, story in homes.items() if story == one]
        return self.may_join(connection, smaller, other)

    def _partners(self, connection: Connection, article: str) -> tuple[frozenset[str], frozenset[str]]:
        if article not in self._bound_articles(connection):
            return frozenset(), frozenset()
        found: list[Bond] = corrections.bonds_of(connection, article)
        return partners(article, found)

    def _bound_articles(self, connection: Connection) -> frozenset[str]:
        if self._bound is None:
            self._bound = corrections.bound_articles(connection)
        return self._bound
