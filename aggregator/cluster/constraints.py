"""Must-link and cannot-link constraints between articles, from corrections. A later correction overrules.

A correction names articles and not stories: "these belong together", or "the articles of one side belong
apart from those of the other". So it still applies when the same articles are placed again.
"""

from collections.abc import Iterable
from typing import Literal

from aggregator.model.core import FrozenStruct

Relation = Literal["together", "apart"]


class Constraint(FrozenStruct, frozen=True, kw_only=True):
    """One article in one correction. `side` is its side of a correction of relation "apart"."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


class ConstraintTable:
    """The constraints of the corrections in force, by article.

    Memory is linear in the named articles: pairs are formed when they are looked up.
    """

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
        """All articles that a correction names."""
        return frozenset(self._of)

    def has_cannot_link(self, article: str) -> bool:
        """Return whether a correction keeps the article apart from another one, even if a later one overrules
        it.
        """
        return any(constraint.relation == "apart" for constraint in self._of.get(article, ()))

    def linked_articles(self, article: str) -> tuple[frozenset[str], frozenset[str]]:
        """Return the articles that must be in the story of `article`, and those that must not.

        Of two corrections about one pair the later one decides.
        """
        must_link: set[str] = set()
        cannot_link: set[str] = set()
        for constraint in self._of.get(article, ()):
            for side, side_articles in self._articles[constraint.correction, constraint.relation].items():
                if constraint.relation == "together":
                    must_link |= side_articles
                    cannot_link -= side_articles
                elif side != constraint.side:
                    cannot_link |= side_articles
                    must_link -= side_articles
        return frozenset(must_link - {article}), frozenset(cannot_link - {article})

    def latest_correction(self, article: str) -> int | None:
        """Return the number of the latest correction that names the article, or None."""
        constraints = self._of.get(article)
        return constraints[-1].correction if constraints else None
