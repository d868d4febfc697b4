"""Must-link and cannot-link constraints between articles, from corrections. A later correction overrules.

A correction names articles and not stories: "these belong together", or "the articles of one side belong
apart from those of the other". So it still applies when the same articles are placed again.
"""

from collections import defaultdict
from collections.abc import Iterable
from operator import attrgetter
from typing import Literal, NamedTuple

from aggregator.model.structs import FrozenStruct

Relation = Literal["together", "apart"]


class Constraint(FrozenStruct):
    """One article in one correction. `side` is its side of a correction of relation "apart", 0 or 1."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


class LinkedArticles(NamedTuple):
    """The articles that must be in the story of an article, and those that must not."""

    together: frozenset[str]
    apart: frozenset[str]


class ConstraintTable:
    """The constraints of the corrections in force, by article.

    Memory is linear in the named articles: pairs are formed when they are looked up.
    """

    def __init__(self, constraints: Iterable[Constraint]) -> None:
        # Articles of "apart", even if a later correction overrules it
        self.separated: set[str] = set()
        # Constraints by article, the latest last
        self._constraints = defaultdict(list)
        self._sides: defaultdict[tuple[int, Relation, int], set[str]] = defaultdict(set)
        for constraint in sorted(constraints, key=attrgetter("correction")):
            article = constraint.article
            relation = constraint.relation
            self._constraints[article].append(constraint)
            self._sides[constraint.correction, relation, constraint.side].add(article)
            if relation == "apart":
                self.separated.add(article)

    def __contains__(self, article: str) -> bool:
        return article in self._constraints

    def linked_articles(self, article: str) -> LinkedArticles:
        """Return the articles that corrections link to `article`.

        The later of two corrections about a pair decides.
        """
        together = set()
        apart: set[str] = set()
        for constraint in self._constraints.get(article, ()):
            number = constraint.correction
            side = constraint.side
            if constraint.relation == "together":
                same_side = self._sides[number, "together", side]
                together |= same_side
                apart -= same_side
            else:
                other_side = self._sides[number, "apart", 1 - side]
                apart |= other_side
                together -= other_side
        return LinkedArticles(frozenset(together - {article}), frozenset(apart))

    def latest_correction(self, article: str) -> int:
        """Return the number of the latest correction that names the article."""
        return self._constraints[article][-1].correction
