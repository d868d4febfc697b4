"""Copy groups: the articles of a story that print one text, and which of them is the original.

A *copy group* is a connected component of the links "is a copy of". Its *original* is the text that an agency
published itself, if the group has one, else the text with the earliest effective time; at equal times, the text
that came first. Copies by little-known sources come last, whatever dates they state (`precedence`).
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from aggregator.extract.wire.agencies import agency_of, is_mail_address, outlet_key
from aggregator.model.article import CountedArticle

COUNTED_ROLES = ("report", "copy")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_AFTER_ALL = 1 << 60  # microseconds: 36,000 years


AnyCountable = TypeVar("AnyCountable", bound=CountedArticle)


def printer_of(article: CountedArticle) -> str:
    """Return the common form of the outlet of an article; the id of the article if the outlet is unknown."""
    return article.id if article.outlet_key is None else outlet_key(article.outlet_key)


def sender_of(article: CountedArticle) -> str:
    """Return the sender of an article: its feed, or for an article that was not polled, its source and outlet.

    All unconfirmed mails of a source have one sender.
    """
    outlet = "@" if is_mail_address(article.outlet_key) else article.outlet_key or ""
    return article.source if article.is_polled else f"{article.source} {outlet}"


def speaker_of(article: CountedArticle) -> str:
    """Return the sender of an article; the article itself if its outlet is unknown, since a file may have many."""
    return article.id if article.outlet_key is None else sender_of(article)


def copy_link(article: CountedArticle) -> str | None:
    """Return the article that this article copies; None for an excerpt, since it is not a copy."""
    return None if article.role == "excerpt" else article.copy_of


def origin_link(article: CountedArticle) -> str | None:
    """Return the article that this article copies or reuses many words of; None for an excerpt."""
    return None if article.role == "excerpt" else article.copy_of or article.reuses


def copy_groups(
    articles: Sequence[AnyCountable],
    *links_of: Callable[[CountedArticle], str | None],
) -> list[list[AnyCountable]]:
    """Return the groups of articles that links connect; groups and members keep the order of `articles`.

    Two articles that copy one text outside the story are in one group, too.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for article in articles:
        for link_of in links_of:
            link = link_of(article)
            if link is not None:
                parent[root(article.id)] = root(link)
    groups: dict[str, list[AnyCountable]] = {}
    for article in articles:
        groups.setdefault(root(article.id), []).append(article)
    return list(groups.values())


def original_of(group: Sequence[AnyCountable]) -> AnyCountable:
    """Return the original: a text that an agency published itself, else the first by `precedence`.

    If several are equal, the article that came first is the original. The group must not be empty.
    """
    return min(group, key=lambda a: (not is_agency_text(a), precedence(a), a.inbox_no))


def is_unconfirmed(article: CountedArticle) -> bool:
    """Return whether only a little-known sender says that the article is from its outlet.

    The article was handed in by file, push or mail, or its feed links to another site.
    """
    return article.is_little_known and article.claimed_outlet is not None


def is_agency_text(article: CountedArticle) -> bool:
    """Return whether an agency published the article itself; a little-known source may merely link to an agency."""
    return agency_of(article.outlet_key) is not None and not article.is_little_known


def precedence(article: CountedArticle) -> int:
    """Return the effective time in microseconds since 1970, UTC; copies by little-known sources are last.

    The date that a little-known source states is not believed if its article copies, reuses or changes the text of
    another article. A copy by a source with standing comes before its original if its date is earlier.
    """
    has_come = origin_link(article) or article.version_of
    place = article.is_little_known and has_come is not None
    return (article.effective_at - _EPOCH) // _MICROSECOND + place * _AFTER_ALL
