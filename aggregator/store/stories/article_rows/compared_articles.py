"""What the check of copies reads of articles: their texts, and who copies whom."""

from collections.abc import Collection, Iterable, Iterator

from sqlalchemy import BigInteger, Connection, Integer, bindparam, func, select

from aggregator.model.core import ComparedText
from aggregator.store.stories.article_rows.copy_keys import ANY_NUMBER
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.tables import TEXT_OR_EMPTY, article, rows_with

_COMPARED_COLUMNS = ("id", "title", "outlet", "signature", "language", "copy_of", "url", "source")
_COPY_CANDIDATES = select(*(article.c[name] for name in _COMPARED_COLUMNS), article.c.inbox_no.label("order"))
_COMPARED_TEXTS = _COPY_CANDIDATES.add_columns(TEXT_OR_EMPTY)


def copy_candidates(
    connection: Connection, numbers: Collection[int], waiting: Iterable[StoredArticle] = ()
) -> dict[int, ComparedText]:
    """Return these articles by number, without their texts; `waiting` are placed and have no row yet."""
    candidates = {new.inbox_no: compared_text(new) for new in waiting if new.inbox_no in numbers}
    rows = rows_with(connection, _COPY_CANDIDATES, article.c.inbox_no, {*numbers} - candidates.keys())
    return candidates | {row.order: ComparedText(**row._mapping) for row in rows}


def compared_texts(
    connection: Connection, ids: Collection[str], waiting: Iterable[StoredArticle] = ()
) -> dict[str, ComparedText]:
    """Return these articles, which must exist, by id, as the copy check reads them; `waiting` have no row."""
    texts = {new.id: compared_text(new) for new in waiting if new.id in ids}
    rows = rows_with(connection, _COMPARED_TEXTS, article.c.id, {*ids} - texts.keys())
    return texts | {row.id: ComparedText(**row._mapping) for row in rows}


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
    )


_LINK = select(article.c.inbox_no, article.c.copy_of).where(article.c.id == bindparam("article_id"))


def copy_ancestors(
    connection: Connection,
    id: str,  # noqa: A002
    waiting: Iterable[StoredArticle] = (),
) -> Iterator[tuple[int, str]]:
    """Yield number and id of article `id` and, along `copy_of`, of its ancestors, each once.

    `waiting`: articles that have no row yet.
    """
    without_row = {new.id: new for new in waiting}
    visited: set[str] = set()
    at: str | None = id
    while at is not None and at not in visited:
        visited.add(at)
        if at in without_row:
            yield without_row[at].inbox_no, at
            at = without_row[at].copy_of
            continue
        row = connection.execute(_LINK, {"article_id": at}).first()
        if row is None:
            return
        yield row.inbox_no, at
        at = row.copy_of


_COPIES = (
    select(article.c.inbox_no)
    .where(article.c.copy_of == bindparam("article_id"), article.c.role == "copy")
    .where(article.c.inbox_no < bindparam("before", type_=BigInteger))
    .limit(bindparam("at_most", type_=Integer))
)


def has_copies(
    connection: Connection,
    id: str,  # noqa: A002
    count: int,
    *,
    before: int = ANY_NUMBER,
    waiting: Iterable[StoredArticle] = (),
) -> bool:
    """Return whether article `id` has at least `count` copies with lower numbers than `before`.

    `waiting`: articles that have no row yet.
    """
    values = {"article_id": id, "before": before, "at_most": count}
    copies = len(connection.execute(_COPIES, values).all())
    copies += sum(new.copy_of == id and new.role == "copy" for new in waiting)
    return copies >= count


_LINK_IN_STORY = select(func.coalesce(article.c.copy_of, article.c.reuses)).where(
    article.c.id == bindparam("article_id"),
    article.c.story == bindparam("story_id"),
    article.c.role != "excerpt",
)


def copy_link_of(connection: Connection, id: str, story: str) -> str | None:  # noqa: A002 - the word that people type
    """Return the text that article `id` copies or reuses; None if it is in another story or an excerpt."""
    return connection.execute(_LINK_IN_STORY, {"article_id": id, "story_id": story}).scalar()
