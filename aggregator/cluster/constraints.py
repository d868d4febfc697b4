"""What corrections say about two articles: the latest word counts.

A correction names articles, never stories: "these belong together", "those on one side are never with those
on the other". So it holds wherever the same articles are placed again.
"""

from collections.abc import Iterable
from typing import Literal

from aggregator.model.core import FrozenStruct

Relation = Literal["together", "apart"]


class Constraint(FrozenStruct, frozen=True, kw_only=True):
    """One article in one correction. `side` tells the two sides of "apart" from each other."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


class ConstraintTable:
    """The bonds of the corrections in force, by article. A correction of 2,000 articles is as many."""

    def __init__(self, constraints: Iterable[Constraint]) -> None:
        self._of: dict[str, list[Constraint]] = {}
        self._articles: dict[tuple[int, Relation], dict[int, set[str]]] = {}
        for constraint in sorted(constraints, key=lambda one: (one.correction, one.article, one.relation)):
            self._of.setdefault(constraint.article, []).append(constraint)
            sides = self._articles.setdefault((constraint.correction, constraint.relation), {})
            sides.setdefault(constraint.side, set()).add(constraint.article)

    def __contains__(self, article: str) -> bool:
        return article in self._of

    @property
    def articles(self) -> frozenset[str]:
        """Those that any correction names."""
        return frozenset(self._of)

    def has_cannot_link(self, article: str) -> bool:
        """Whether any correction keeps the article apart from another one, overruled or not."""
        return any(constraint.relation == "apart" for constraint in self._of.get(article, ()))

    def linked_articles(self, article: str) -> tuple[frozenset[str], frozenset[str]]:
        """The articles that `article` has to be with, and those that it must never be with.

        Of two corrections on one pair the later decides.
        """
        must_link: set[str] = set()
        cannot_link: set[str] = set()
        for constraint in self._of.get(article, ()):
            for side, named in self._articles[constraint.correction, constraint.relation].items():
                if constraint.relation == "together":
                    must_link |= named
                    cannot_link -= named
                elif side != constraint.side:
                    cannot_link |= named
                    must_link -= named
        return frozenset(must_link - {article}), frozenset(cannot_link - {article})

    def latest_correction(self, article: str) -> int | None:
        """The latest correction that names the article; None where none does."""
        constraints = self._of.get(article)
        return constraints[-1].correction if constraints else None
