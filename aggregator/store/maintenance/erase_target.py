"""The articles that a name given to `forget` means, and the rows that erasing them would affect."""

from collections import Counter
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection

from aggregator.extract.entry_identity import url_key
from aggregator.extract.outlets import outlet_of
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.inbox import owner
from aggregator.store.stories.article_views import of_outlets
from aggregator.store.tables import (
    INDEXED_ADDRESS,
    is_indexed,
    read_rows,
    read_set,
    read_values,
    stream_rows,
)

EraseKind = Literal["address", "article", "outlet", "source"]

_HAS_TEXT = f"(entry.verdict IS NULL OR entry.verdict <> '{tombstones.VERDICT}')"


class EraseTarget(FrozenStruct):
    """The articles that a name means, including those that wait or were refused."""

    kind: EraseKind
    articles: tuple[str, ...]


class EraseSummary(FrozenStruct, omit_defaults=False):
    """Numbers of rows to erase. `emptied`: stories that lose all articles; `copies`: copies that stay."""

    articles: int = 0
    entries: int = 0
    stories: int = 0
    emptied: int = 0
    copies: int = 0


def resolve_target(
    connection: Connection, name: str, *, is_source: bool = False
) -> EraseTarget:
    """Return the articles of an address, an id or an outlet, ordered by id; none if the name is unknown.

    An address has a scheme. An outlet means all of its articles, placed and waiting. `is_source`: the name is an
    `entry.source`, and an article that another source delivered first is not included.
    """
    kind: EraseKind
    if is_source:
        kind = "source"
        ids = read_set(
            connection,
            f"""
            SELECT id FROM article WHERE source = :name
            UNION SELECT entry.article FROM entry LEFT JOIN article ON article.id = entry.article
            WHERE entry.source = :name AND article.id IS NULL AND {_HAS_TEXT}
            """,  # noqa: S608
            name=name,
        )
    elif "://" in name:
        kind = "address"
        ids = _of_address(connection, name)
    elif read_rows(
        connection,
        """
        SELECT id FROM article WHERE id = :name
        UNION SELECT article FROM entry WHERE article = :name
        UNION SELECT article FROM tombstone WHERE article = :name
        """,
        name=name,
    ):
        kind = "article"
        ids = {name}
    else:
        kind = "outlet"
        named = of_outlets(connection, [name])
        placed = f"SELECT id FROM article WHERE {named}"  # noqa: S608
        ids = set(named.read_values(connection, placed))
        for row in stream_rows(
            connection,
            f"SELECT article, payload FROM entry WHERE state <> 'done' AND {_HAS_TEXT}",  # noqa: S608
        ):
            outlet = outlet_of(codecs.decompress_struct(row.payload, Entry))
            if outlet is not None and name.casefold() in (
                outlet.key.casefold(),
                outlet.name.casefold(),
            ):
                ids.add(row.article)
    return EraseTarget(kind=kind, articles=tuple(sorted(ids)))


def _of_address(connection: Connection, address: str) -> set[str]:
    """Return the articles with an address, and all generations of the article that owns its identity key."""
    addresses = {address}
    ids: set[str] = set()
    if (canonical := canonical_url(address)) is not None:
        addresses.add(canonical)
        # A void key has no owner.
        if article_id := owner(connection, url_key(canonical)):
            generations = """
                SELECT id FROM article
                WHERE root_article = (SELECT root_article FROM article WHERE id = :id)
                """
            ids = {article_id, *read_values(connection, generations, id=article_id)}
    # An entry that only links to the address, such as an entry of a search engine, does not have its identity key.
    is_short = max(map(len, addresses)) <= INDEXED_ADDRESS
    for table, key, column in (
        ("article", "id", "url"),
        ("entry", "article", "url"),
        ("entry", "article", "page_url"),
    ):  # separate queries, each with its own index
        chosen = f"SELECT {key} FROM {table} WHERE {column} IN :addresses"  # noqa: S608
        if is_short:
            chosen += f" AND {is_indexed(column)}"
        ids.update(read_values(connection, chosen, addresses=addresses))
    return ids


def summarise_erasure(connection: Connection, ids: Collection[str]) -> EraseSummary:
    """Count the rows that erasing these articles would affect."""
    lost = Counter(
        read_values(connection, "SELECT story FROM article WHERE id IN :ids", ids=ids)
    )
    counted = "SELECT id, article_count FROM story WHERE id IN :ids"
    with_text = f"SELECT entry_no FROM entry WHERE article IN :ids AND {_HAS_TEXT}"  # noqa: S608
    copies = "SELECT id FROM article WHERE copy_of IN :ids"
    return EraseSummary(
        articles=lost.total(),
        entries=len(read_values(connection, with_text, ids=ids)),
        copies=len(read_set(connection, copies, ids=ids).difference(ids)),
        stories=len(lost),
        emptied=sum(
            count == lost[id_]
            for id_, count in read_rows(connection, counted, ids=lost)
        ),
    )
