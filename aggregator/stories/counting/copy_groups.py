"""Copy groups: the articles of a story that print one text, and which of them is the original.

A *copy group* is a connected component of the links "is a copy of". Its *original* is the text that an agency
published itself, if the group has one, else the text with the earliest effective time; at equal times, the text
that came first.
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
    """Return the sender of an article: its feed, else its outlet at its source.

    Unconfirmed mails of a source are one sender.
    """
    outlet = "@" if is_mail_address(article.outlet_key) else article.outlet_key or ""
    return article.source if article.is_polled else f"{article.source} {outlet}"


def speaker_of(article: CountedArticle) -> str:
    """Return who speaks: the sender, or the article if its outlet is unknown, since a file may have many."""
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
    """Return the groups of articles with the same links; groups and members keep the order of `articles`.

    Two articles that copy one text outside the story are one group, too.
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
    """Return whether only a little-known sender names the outlet of an article.

    It was handed in beside feeds, as by file, push or mail, or its feed links to another site.
    """
    return article.is_little_known and article.claimed_outlet is not None


def is_agency_text(article: CountedArticle) -> bool:
    """Return whether an agency published it; a little-known source may merely link to an agency."""
    return agency_of(article.outlet_key) is not None and not article.is_little_known


def precedence(article: CountedArticle) -> int:
    """Return the effective time in microseconds since 1970, UTC; copies by little-known sources are last.

    Their dates are not believed if they copy, reuse or change the text of another article. A source with
    standing precedes the original of its text only by its date.
    """
    has_come = origin_link(article) or article.version_of
    place = article.is_little_known and has_come is not None
    return (article.effective_at - _EPOCH) // _MICROSECOND + place * _AFTER_ALL
