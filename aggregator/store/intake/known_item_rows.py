"""The items that a feed had at its last poll, by hashes of their bytes. They are not read again.

An item is known only as long as reading it again would change nothing: its entry must be stored as an observation,
and no other item of the feed may belong to its article.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import msgspec
from sqlalchemy import Connection

from aggregator.model.entry import ParsedFeed
from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.tables import read_value, write_sql


class KnownItems(FrozenStruct):
    """The known items of a feed.

    `frame`: the hash of the bytes around the items; `language`: the language that the feed declares, or that its
    entries together show; `states_days`: its entries state days without times; `articles`: article ids by hash of the
    item.
    """

    frame: bytes = b""
    language: str | None = None
    states_days: bool = False
    articles: Mapping[bytes, str] = {}


def known_items_of(connection: Connection, source_id: str) -> KnownItems:
    """Return the known items of a source; an empty KnownItems if none are stored."""
    packed = read_value(
        connection,
        "SELECT packed FROM known_items WHERE source = :source",
        source=source_id,
    )
    if packed is None:
        return KnownItems()
    return msgspec.msgpack.decode(packed, type=KnownItems)


def save_known_items(
    connection: Connection,
    source_id: str,
    before: KnownItems,
    feed: ParsedFeed,
    accepted: list[AcceptResult],
) -> None:
    """Store the items of a feed. `accepted` has the results of its first entries, in the order of the feed.

    Nothing is stored while the language of the feed is unknown, because a single new entry may be in another language.
    """
    articles = {item_hash: before.articles[item_hash] for item_hash in feed.left_out}
    for item_hash, result in zip(feed.items, accepted, strict=False):
        if item_hash and result.is_observed and result.outcome != "forgotten":
            articles[item_hash] = result.article
    # Items that share an article are left out, because only all of them together show which words are current.
    items_of = Counter(articles.values())
    articles = {
        item_hash: article
        for item_hash, article in articles.items()
        if items_of[article] == 1
    }
    if articles and feed.language is not None:
        items = KnownItems(
            frame=feed.frame,
            language=feed.language,
            states_days=feed.states_days and (before.states_days or not feed.left_out),
            articles=articles,
        )
        write_sql(
            connection,
            """
            INSERT INTO known_items (source, packed) VALUES (:source, :packed)
            ON CONFLICT (source) DO UPDATE SET packed = excluded.packed
            """,
            source=source_id,
            packed=msgspec.msgpack.encode(items),
        )
    else:
        write_sql(
            connection,
            "DELETE FROM known_items WHERE source = :source",
            source=source_id,
        )


def forget_items_of(connection: Connection, articles: Collection[str]) -> None:
    """Let the feeds that had one of these articles read all of their items again."""
    write_sql(
        connection,
        """
        DELETE FROM known_items WHERE source IN (SELECT source FROM observation WHERE article IN :articles)
        """,
        articles=articles,
    )
