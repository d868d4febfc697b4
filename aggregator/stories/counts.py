"""Three numbers for a story, never one: articles, outlets, independent reports (product.md, promise 2).

A *copy group* is a connected component of the "is a copy of" links that placing found. Its *original* is the
agency's own text where the group holds it, else the text with the earliest effective time. The *origin* of a
text is the agency behind its group where that is known, else the outlet of the group's original.

Links of excerpts join nothing: an excerpt of two texts would otherwise make one text of them.
"""

from collections.abc import Mapping, Sequence

import msgspec

from aggregator.model import ArticleView
from aggregator.stories.lexicon import agency_of

COUNTED_ROLES = ("report", "copy")


class Counts(msgspec.Struct, frozen=True):
    """How much stands behind a story; each at least 1 where there is an article."""

    article_count: int
    outlet_count: int  # each article of unknown outlet is an outlet of its own
    report_count: int  # different origins


def count(articles: Sequence[ArticleView], families: Mapping[str, str] | None = None) -> Counts:
    """The three numbers of a story.

    `families` maps an outlet's name to its publisher's where several outlets are one publisher; such a family
    is one origin. Zeros only for a story without articles.
    """
    counted = {a.id for a in articles if a.role in COUNTED_ROLES} or {a.id for a in articles}
    groups = [group for group in copy_groups(articles) if any(a.id in counted for a in group)]
    origins = {_origin(group, families or {}) for group in groups}
    outlets = {_outlet_key(article) for article in articles}
    return Counts(article_count=len(articles), outlet_count=len(outlets), report_count=len(origins))


def copy_groups(articles: Sequence[ArticleView]) -> list[list[ArticleView]]:
    """Articles that are one text, group by group; groups and members in the order given.

    Two articles that point to one text outside the story are one group too.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for article in articles:
        if article.copy_of is not None and article.role != "excerpt":
            parent[root(article.id)] = root(article.copy_of)
    groups: dict[str, list[ArticleView]] = {}
    for article in articles:
        groups.setdefault(root(article.id), []).append(article)
    return list(groups.values())


def original_of(group: Sequence[ArticleView]) -> ArticleView:
    """The text the others of the group are copies of: an agency's own first, then the earliest effective.

    Ties go to the lower id. The group must not be empty.
    """
    return min(group, key=lambda a: (agency_of(a.outlet) is None, a.effective, a.id))


def with_originals(articles: Sequence[ArticleView]) -> list[ArticleView]:
    """The same articles, each `copy_of` naming the original of its group instead of the twin that was found.

    The original itself has none, unless its group's link leads out of the story: then that link stays. An
    excerpt points at the original of the text it was taken from.
    """
    original: dict[str, str] = {}
    links_out: dict[str, str] = {}
    present = {article.id for article in articles}
    for group in copy_groups(articles):
        first = original_of(group).id
        original.update((member.id, first) for member in group)
        outside = sorted(a.copy_of for a in group if a.copy_of is not None and a.copy_of not in present)
        if outside:
            links_out[first] = outside[0]

    def settled(article: ArticleView) -> str | None:
        if article.role == "excerpt":
            return original.get(article.copy_of, article.copy_of) if article.copy_of else None
        first = original[article.id]
        return links_out.get(first) if first == article.id else first

    return [msgspec.structs.replace(article, copy_of=settled(article)) for article in articles]


def _origin(group: Sequence[ArticleView], families: Mapping[str, str]) -> tuple[str, str]:
    original = original_of(group)
    agency = agency_of(original.outlet) or original.wire or _agency_named_by(group)
    if agency is not None:
        return "agency", (agency_of(agency) or agency).casefold()
    if original.outlet is None:
        return "unknown", original.id
    outlet = families.get(original.outlet, original.outlet)
    return "outlet", outlet.casefold()


def _agency_named_by(group: Sequence[ArticleView]) -> str | None:
    """The agency that any copy credits: the text is one, so is who wrote it."""
    naming = [a for a in group if a.wire is not None]
    return min(naming, key=lambda a: (a.effective, a.id)).wire if naming else None


def _outlet_key(article: ArticleView) -> tuple[str, str]:
    if article.outlet is None:
        return "unknown", article.id
    return "outlet", article.outlet.casefold()
