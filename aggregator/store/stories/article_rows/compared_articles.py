"""The texts of articles, the articles that they copy, and their sketches, for the copy check.

The sketch of an article is its sampled shingles, by which later articles find it as their original.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import Connection

from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.model.article import ComparedText
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.stories.stored_articles import ArticleDetails, StoredArticle
from aggregator.store.tables import (
    insert_rows,
    is_indexed,
    read_rows,
    read_structs,
    read_value,
    sketch,
    stream_rows,
    write_sql,
)

# Texts in memory at once: about 5 MB
_TEXTS_AT_ONCE = 500
_CANDIDATES = """
    SELECT id, title, outlet, signature, language, copy_of, url, source, published, inbox_no AS "order"
    FROM article
    """
_WITH_TEXT = _CANDIDATES.replace("FROM", ", coalesce(text, '') AS text FROM")


def copy_candidates(
    connection: Connection, numbers: Iterable[int]
) -> dict[int, ComparedText]:
    """Return these articles by number, without their texts."""
    candidates = read_structs(
        connection,
        ComparedText,
        f"{_CANDIDATES} WHERE inbox_no IN :numbers",
        numbers=numbers,
    )
    return {candidate.order: candidate for candidate in candidates}


def at_address(
    connection: Connection, given: str, canonical: str, *, before: int, most: int
) -> dict[int, ComparedText]:
    """Return the newest `most` articles below number `before` with an address in either form, without their texts.

    Addresses that are too long for the index are not found.
    """
    candidates = read_structs(
        connection,
        ComparedText,
        f"""
        {_CANDIDATES} WHERE url IN (:given, :canonical) AND {is_indexed("url")} AND inbox_no < :before
        ORDER BY inbox_no DESC LIMIT :most
        """,
        given=given,
        canonical=canonical,
        before=before,
        most=most,
    )
    return {candidate.order: candidate for candidate in candidates}


def compared_texts(
    connection: Connection, ids: Iterable[str]
) -> dict[str, ComparedText]:
    """Return these articles by id, with their texts, as the copy check reads them."""
    texts = read_structs(
        connection, ComparedText, f"{_WITH_TEXT} WHERE id IN :ids", ids=ids
    )
    return {text.id: text for text in texts}


def compared_text(whole: StoredArticle) -> ComparedText:
    """Return an article as the copy check reads it."""
    return ComparedText(
        id=whole.id,
        text=whole.text,
        title=whole.title,
        outlet=whole.outlet_key,
        signature=whole.signature,
        order=whole.inbox_no,
        language=whole.language,
        copy_of=whole.copy_of,
        url=whole.url,
        source=whole.source,
        published=whole.published,
    )


class PlacedText(NamedTuple):
    """The whole text of an article, and the article that it copies."""

    inbox_no: int
    role: str
    copied: str | None
    version_of: str | None
    text: str


def placed_texts(connection: Connection) -> Iterator[Sequence[PlacedText]]:
    """Yield all articles whose text is not deleted, in the order of placing, in batches."""
    placed = """
        SELECT inbox_no, role, copy_of, version_of, text, details, evidence FROM article
        WHERE text IS NOT NULL AND inbox_no > :after ORDER BY inbox_no LIMIT :most
        """
    after = 0
    while rows := read_rows(connection, placed, after=after, most=_TEXTS_AT_ONCE):
        batch = []
        for row in rows:
            copied: str | None = row.copy_of
            text = row.text
            with suppress(*codecs.UNREADABLE):
                # Without a copied text in its evidence, an excerpt only repeats what reports of its story say.
                if (
                    row.role == "excerpt"
                    and not codecs.unpack(row.evidence, Evidence).copy
                ):
                    copied = None
            # If the details are damaged, the lines that the outlet repeats stay hidden.
            with suppress(*codecs.UNREADABLE):
                details = codecs.unpack(row.details, ArticleDetails)
                text = restore_lines(text, details.repeated)
            batch.append(
                PlacedText(row.inbox_no, row.role, copied, row.version_of, text)
            )
        yield batch
        after = batch[-1].inbox_no


def copy_ancestors(connection: Connection, id: str) -> Iterator[str]:
    """Yield `id`, and the ids of the ancestors of this article along `copy_of`, each once."""
    visited = set()
    at: str | None = id
    while at is not None and at not in visited:
        visited.add(at)
        yield at
        at = read_value(connection, "SELECT copy_of FROM article WHERE id = :id", id=at)


def has_copies(connection: Connection, id: str, count: int, *, before: int) -> bool:
    """Return whether article `id` has at least `count` copies with lower numbers than `before`."""
    rows = read_rows(
        connection,
        "SELECT 1 FROM article WHERE copy_of = :id AND role = 'copy' AND inbox_no < :before LIMIT :count",
        id=id,
        before=before,
        count=count,
    )
    return len(rows) >= count


def insert_sketches(connection: Connection, sketches: Mapping[int, bytes]) -> None:
    """Insert the sketches of articles that have none yet, by inbox number. An empty sketch is not stored."""
    rows = [
        {"article": number, "hashes": hashes}
        for number, hashes in sketches.items()
        if hashes
    ]
    insert_rows(connection, sketch, rows)


def replace_sketch(connection: Connection, number: int, hashes: bytes) -> None:
    """Replace the sketch of article `number`."""
    write_sql(connection, "DELETE FROM sketch WHERE article = :number", number=number)
    insert_sketches(connection, {number: hashes})


def delete_sketches(connection: Connection) -> None:
    """Delete the sketches of all articles."""
    write_sql(connection, "DELETE FROM sketch")


def sketches_after(connection: Connection, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and sketches of the articles above `number`, in order."""
    yield from stream_rows(
        connection,
        "SELECT article, hashes FROM sketch WHERE article > :number ORDER BY article",
        number=number,
    )


def sketch_of(connection: Connection, number: int) -> bytes:
    """Return the sketch of article `number`; b"" if it has none."""
    stored = "SELECT hashes FROM sketch WHERE article = :number"
    return read_value(connection, stored, number=number) or b""
