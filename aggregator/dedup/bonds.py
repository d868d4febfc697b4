"""What corrections say about two articles: the latest word counts.

A correction names articles, never stories: "these belong together", "those on one side are never with those
on the other". So it holds wherever the same articles are placed again.
"""

from collections.abc import Iterable
from typing import Literal

from aggregator.model import Noun

Relation = Literal["together", "apart"]


class Bond(Noun, frozen=True, kw_only=True):
    """One article in one correction. `side` tells the two sides of "apart" from each other."""

    correction: int
    article: str
    relation: Relation
    side: int = 0


def partners(article: str, bonds: Iterable[Bond]) -> tuple[frozenset[str], frozenset[str]]:
    """The articles that `article` has to be with, and those that it must never be with.

    `bonds` are all bonds of the corrections in force that name the article. Of two corrections on one pair
    the later decides.
    """
    listed = list(bonds)
    own = {(bond.correction, bond.relation): bond.side for bond in listed if bond.article == article}
    said: dict[str, tuple[int, Relation]] = {}
    for bond in sorted(listed, key=lambda one: (one.correction, one.article)):
        side = own.get((bond.correction, bond.relation))
        if bond.article == article or side is None:
            continue
        if bond.relation == "together" or bond.side != side:
            said[bond.article] = (bond.correction, bond.relation)
    together = frozenset(other for other, (_, relation) in said.items() if relation == "together")
    return together, frozenset(said) - together
