"""The articles that a name of `forget` means, and what erasing them would affect."""

from collections import Counter
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection, or_, select

from aggregator.extract.entry_identity import url_key
from aggregator.extract.outlets import outlet_of
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.inbox import owner
from aggregator.store.stories.article_views import is_of_outlets
from aggregator.store.tables import (
    INDEXED_ADDRESS,
    VALUES_AT_ONCE,
    article,
    entry,
    has_row,
    is_indexed,
    pairs_with,
    rows_with,
    story,
    tombstone,
    values_with,
)

EraseKind = Literal["address", "article", "outlet", "source"]

_HAS_TEXT = or_(entry.c.verdict.is_(None), entry.c.verdict != tombstones.VERDICT)


class EraseTarget(FrozenStruct):
    """The articles that a name means, including articles that wait or were refused."""

    kind: EraseKind
    articles: tuple[str, ...]


class EraseSummary(FrozenStruct, omit_defaults=False):
    """Numbers of rows to erase. `emptied` stories lose all articles; `copies` of the articles stay."""

    articles: int = 0
    entries: int = 0
    stories: int = 0
    emptied: int = 0
    copies: int = 0


def resolve_target(
    connection: Connection, name: str, *, is_source: bool = False
) -> EraseTarget:
    """Return the articles of an address, an id or an outlet, ordered by id; none if the name is unknown.

    An address has a scheme. An outlet means all of its articles, placed and waiting. `is_source`: the name is
    `entry.source`; an article that another source had first stays.
    """
    kind: EraseKind
    if is_source:
        kind = "source"
        placed = select(article.c.id).where(article.c.source == name)
        unplaced = (
            select(entry.c.article)
            .outerjoin(article, article.c.id == entry.c.article)
            .where(entry.c.source == name, article.c.id.is_(None), _HAS_TEXT)
        )
        ids = set(connection.scalars(placed.union(unplaced)))
    elif "://" in name:
        kind = "address"
        ids = _of_address(connection, name)
    elif any(
        has_row(connection, select(column).where(column == name))
        for column in (article.c.id, entry.c.article, tombstone.c.article)
    ):
        kind = "article"
        ids = {name}
    else:
        kind = "outlet"
        ids = _of_outlet(connection, name)
    return EraseTarget(kind=kind, articles=tuple(sorted(ids)))


def _of_address(connection: Connection, address: str) -> set[str]:
    """Return the articles of an address, with all generations of the one that has its identity key."""
    addresses = {address}
    ids: set[str] = set()
    if (canonical := canonical_url(address)) is not None:
        addresses.add(canonical)
        # A void key has no owner.
        if article_id := owner(connection, url_key(canonical)):
            root = select(article.c.root_article).where(article.c.id == article_id)
            generations = select(article.c.id).where(
                article.c.root_article == root.scalar_subquery()
            )
            ids = {article_id, *connection.scalars(generations)}
    # An entry that only links to the address (of a search engine) does not have its identity key.
    for address_column, id_column in (
        (article.c.url, article.c.id),
        (entry.c.url, entry.c.article),
        (entry.c.page_url, entry.c.article),
    ):  # separate queries, each with its own index
        chosen = select(id_column).where(address_column.in_(addresses))
        if max(map(len, addresses)) <= INDEXED_ADDRESS:
            chosen = chosen.where(is_indexed(address_column.name))
        ids.update(connection.scalars(chosen))
    return ids


def _of_outlet(connection: Connection, name: str) -> set[str]:
    placed = select(article.c.id).where(is_of_outlets(connection, [name]))
    ids = set(connection.scalars(placed))
    unplaced = select(entry.c.article, entry.c.payload).where(
        entry.c.state != "done", _HAS_TEXT
    )
    for row in connection.execute(unplaced.execution_options(yield_per=VALUES_AT_ONCE)):
        outlet = outlet_of(codecs.decompress_struct(row.payload, Entry))
        if outlet is not None and name.casefold() in (
            outlet.key.casefold(),
            outlet.name.casefold(),
        ):
            ids.add(row.article)
    return ids


def summarise_erasure(connection: Connection, ids: Collection[str]) -> EraseSummary:
    """Count the rows that erasing these articles would affect."""
    of_articles = rows_with(connection, select(article.c.story), article.c.id, ids)
    lost = Counter(row.story for row in of_articles)
    counted = select(story.c.id, story.c.article_count)
    counts = pairs_with(connection, counted, story.c.id, lost)
    with_text = select(entry.c.entry_no).where(_HAS_TEXT)
    copies = select(article.c.id)
    return EraseSummary(
        articles=lost.total(),
        entries=len(values_with(connection, with_text, entry.c.article, ids)),
        copies=len(
            values_with(connection, copies, article.c.copy_of, ids).difference(ids)
        ),
        stories=len(lost),
        emptied=sum(count == lost[id_] for id_, count in counts.items()),
    )
