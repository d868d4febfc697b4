"""What corrections say about two articles: the latest word counts.

A correction names articles, never stories: "these belong together", "those on one side are never with those
on the other". So it holds wherever the same articles are placed again.
"""

from collections.abc import Iterable
from typing import Literal

from aggregator.model.core import Noun

Relation = Literal["together", "apart"]


class Bond(Noun, frozen=True, kw_only=True):
    """One article in one correction. `side` tells the two sides of "apart" from each other."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


class BondTable:
    """The bonds of the corrections in force, by article. A correction of 2,000 articles is as many."""

    def __init__(self, bonds: Iterable[Bond]) -> None:
        self._of: dict[str, list[Bond]] = {}
        self._named: dict[tuple[int, Relation], dict[int, set[str]]] = {}
        for bond in sorted(bonds, key=lambda one: (one.correction, one.article, one.relation)):
            self._of.setdefault(bond.article, []).append(bond)
            sides = self._named.setdefault((bond.correction, bond.relation), {})
            sides.setdefault(bond.side, set()).add(bond.article)

    def __contains__(self, article: str) -> bool:
        return article in self._of

    @property
    def articles(self) -> frozenset[str]:
        """Those that any correction names."""
        return frozenset(self._of)

    def bars(self, article: str) -> bool:
        """Whether any correction keeps the article apart from another one, overruled or not."""
        return any(bond.relation == "apart" for bond in self._of.get(article, ()))

    def partners(self, article: str) -> tuple[frozenset[str], frozenset[str]]:
        """The articles that `article` has to be with, and those that it must never be with.

        Of two corrections on one pair the later decides.
        """
        together: set[str] = set()
        apart: set[str] = set()
        for bond in self._of.get(article, ()):
            for side, named in self._named[bond.correction, bond.relation].items():
                if bond.relation == "together":
                    together |= named
                    apart -= named
                elif side != bond.side:
                    apart |= named
                    together -= named
        return frozenset(together - {article}), frozenset(apart - {article})

    def named_with(self, article: str) -> int | None:
        """The latest correction that names the article; None where none does."""
        bonds = self._of.get(article)
        return bonds[-1].correction if bonds else None
