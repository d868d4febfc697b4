"""Rows of `across`: by what articles of different languages are compared. None where that is off."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Integer, bindparam, delete, insert, select

from aggregator.cluster.cross_language.features import CrossLanguageFeatures, unpack
from aggregator.model.core import FrozenStruct
from aggregator.store.stories.articles import MemberRow
from aggregator.store.tables import across, article


class ReportFeatures(FrozenStruct, frozen=True, kw_only=True):
    """A report of a story as articles of other languages see it."""

    features: bytes
    minutes: int | None  # published, since 1970


_INSERT = insert(across)
_NEWEST = (
    select(across.c.article, across.c.features)
    .where(across.c.article > bindparam("after"))
    .order_by(across.c.article)
    .execution_options(stream_results=True)
)
_REPORTS = (
    select(across.c.features, article.c.published)
    .join(article, article.c.n == across.c.article)
    .where(article.c.story == bindparam("story_id"), article.c.weighs, article.c.role == "report")
    .order_by(article.c.n.desc())
    .limit(bindparam("at_most", type_=Integer))
)
_IS_FOREIGN_LANGUAGE = (
    article.c.weighs.is_(False) & (article.c.role == "report") & article.c.copy_of.is_(None)
)
_STORIES = select(article.c.n, article.c.story).where(
    article.c.n.in_(bindparam("others", expanding=True))
    | (article.c.n.in_(bindparam("own", expanding=True)) & _IS_FOREIGN_LANGUAGE)
)
_MEMBER = [article.c[name] for name in MemberRow.__struct_fields__]
_FOREIGN_REPORTS = (
    select(*_MEMBER, across.c.features)
    .join(across, article.c.n == across.c.article)
    .where(article.c.story == bindparam("story_id"), _IS_FOREIGN_LANGUAGE)
    .order_by(article.c.n.desc())
    .limit(bindparam("at_most", type_=Integer))
)


def put(connection: Connection, n: int, features: bytes) -> None:
    """Write the features of article number `n` in the place of those that it had; b"" for none."""
    connection.execute(delete(across).where(across.c.article == n))
    if features:
        connection.execute(_INSERT, [{"article": n, "features": features}])


def newest(connection: Connection, *, after: int) -> Iterator[tuple[int, CrossLanguageFeatures]]:
    """The articles with numbers above `after`, in their order."""
    rows = connection.execute(_NEWEST, {"after": after})
    for part in rows.partitions(5_000):
        yield from ((row.article, unpack(row.features)) for row in part)


def stories_of(connection: Connection, others: Sequence[int], own: Sequence[int]) -> list[str]:
    """The stories of these articles, each once, in the order given; of `own` those of guests only."""
    if not others and not own:
        return []
    rows = connection.execute(_STORIES, {"others": list(others), "own": list(own)})
    found = {row.n: row.story for row in rows}
    return list(dict.fromkeys(found[n] for n in (*others, *own) if n in found))


def reports(connection: Connection, story: str, newest: int) -> list[ReportFeatures]:
    """The newest reports that a story is made of, the newest first."""
    rows = connection.execute(_REPORTS, {"story_id": story, "at_most": newest})
    return [ReportFeatures(features=row.features, minutes=_minutes(row)) for row in rows]


def foreign_reports(
    connection: Connection, story: str, newest: int
) -> list[tuple[MemberRow, CrossLanguageFeatures]]:
    """The newest reports of a story that weigh nothing in it, being of another language than its own."""
    rows = connection.execute(_FOREIGN_REPORTS, {"story_id": story, "at_most": newest})
    names = MemberRow.__struct_fields__
    return [(MemberRow(**{name: row._mapping[name] for name in names}), unpack(row.features)) for row in rows]


def _minutes(row: object) -> int | None:
    published = getattr(row, "published", None)
    return None if published is None else int(published.timestamp() // 60)
