"""What the check of copies reads of articles: their texts, and who copies whom."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, bindparam, select

from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.model.article import ComparedText
from aggregator.model.evidence import Evidence
from aggregator.store import codecs
from aggregator.store.stories.articles import ArticleDetails, StoredArticle
from aggregator.store.tables import TEXT_OR_EMPTY, article, is_indexed, rows_with

_TEXTS_AT_ONCE = 500  # that are in memory: 5 MB
_COMPARED_COLUMNS = (
    "id", "title", "outlet", "signature", "language", "copy_of", "url", "source", "published",
)  # fmt: skip
_COPY_CANDIDATES = select(
    *(article.c[name] for name in _COMPARED_COLUMNS), article.c.inbox_no.label("order")
)
_COMPARED_TEXTS = _COPY_CANDIDATES.add_columns(TEXT_OR_EMPTY)


def copy_candidates(
    connection: Connection, numbers: Iterable[int]
) -> dict[int, ComparedText]:
    """Return these articles by number, without their texts."""
    rows = rows_with(connection, _COPY_CANDIDATES, article.c.inbox_no, numbers)
    return {row.order: ComparedText(**row._mapping) for row in rows}


_AT_ADDRESS = (
    _COPY_CANDIDATES.where(
        article.c.url.in_((bindparam("given"), bindparam("canonical"))),
        is_indexed("url"),
    )
    .where(article.c.inbox_no < bindparam("before", type_=BigInteger))
    .order_by(article.c.inbox_no.desc())
    .limit(bindparam("most", type_=Integer))
)


def at_address(
    connection: Connection,
    given: str,
    canonical: str,
    *,
    before: int,
    most: int,
) -> dict[int, ComparedText]:
    """Return the newest `most` articles below number `before` with an address, in either form, as above.

    Those with addresses that are too long for an index are not found.
    """
    addresses = {"given": given, "canonical": canonical}
    rows = connection.execute(
        _AT_ADDRESS, {**addresses, "before": before, "most": most}
    )
    return {row.order: ComparedText(**row._mapping) for row in rows}


def compared_texts(
    connection: Connection, ids: Iterable[str]
) -> dict[str, ComparedText]:
    """Return these articles, which must exist, by id, as the copy check reads them."""
    rows = rows_with(connection, _COMPARED_TEXTS, article.c.id, ids)
    return {row.id: ComparedText(**row._mapping) for row in rows}


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


_WHOLE = "inbox_no", "role", "copy_of", "version_of", "text", "details", "evidence"
_WHOLE_TEXTS = (
    select(*(article.c[name] for name in _WHOLE))
    .where(
        article.c.text.is_not(None),
        article.c.inbox_no > bindparam("after", type_=BigInteger),
    )
    .order_by(article.c.inbox_no)
    .limit(_TEXTS_AT_ONCE)
)


class PlacedText(NamedTuple):
    """The whole text of an article, and what it copies."""

    inbox_no: int
    role: str
    copied: str | None
    version_of: str | None
    text: str


def placed_texts(connection: Connection) -> Iterator[Sequence[PlacedText]]:
    """Yield all articles that have their text, in order, in batches."""
    after = 0
    while rows := connection.execute(_WHOLE_TEXTS, {"after": after}).all():
        batch = []
        for row in rows:
            copied: str | None = row.copy_of
            text: str = row.text
            with suppress(*codecs.UNREADABLE):
                # It may only repeat what reports of its story say.
                if row.role == "excerpt":
                    copy = codecs.unpack(row.evidence, Evidence).copy
                    copied = copied if copy else None
            with suppress(*codecs.UNREADABLE):  # else what its outlet repeats is lost
                details = codecs.unpack(row.details, ArticleDetails)
                text = restore_lines(text, details.repeated)
            batch.append(
                PlacedText(row.inbox_no, row.role, copied, row.version_of, text)
            )
        yield batch
        after = batch[-1].inbox_no


_LINK = select(article.c.copy_of).where(article.c.id == bindparam("article_id"))


def copy_ancestors(connection: Connection, id: str) -> Iterator[str]:
    """Yield the id of article `id` and, along `copy_of`, of its ancestors, each once."""
    visited = set()
    at: str | None = id
    while at is not None and at not in visited:
        visited.add(at)
        yield at
        at = connection.scalar(_LINK, {"article_id": at})


_COPIES = (
    select(article.c.inbox_no)
    .where(article.c.copy_of == bindparam("article_id"), article.c.role == "copy")
    .where(article.c.inbox_no < bindparam("before", type_=BigInteger))
    .limit(bindparam("at_most", type_=Integer))
)


def has_copies(connection: Connection, id: str, count: int, *, before: int) -> bool:
    """Return whether article `id` has at least `count` copies with lower numbers than `before`."""
    values = {"article_id": id, "before": before, "at_most": count}
    return len(connection.execute(_COPIES, values).all()) >= count
