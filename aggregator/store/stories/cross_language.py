"""Features that articles of different languages are compared by. No rows unless it is enabled."""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Integer, bindparam, delete, insert, select

from aggregator.cluster.cross_language.features import CrossLanguageFeatures, unpack
from aggregator.model.core import FrozenStruct
from aggregator.store.stories.articles import MemberRow, dates_of
from aggregator.store.tables import article, cross_language


class ReportFeatures(FrozenStruct, frozen=True, kw_only=True):
    """The features of a report of a story."""

    features: bytes
    minutes: int | None  # time of publication, in minutes since 1970


_INSERT = insert(cross_language)
_NEWEST = (
    select(cross_language.c.article, cross_language.c.features)
    .where(cross_language.c.article > bindparam("after"))
    .order_by(cross_language.c.article)
    .execution_options(stream_results=True)
)
_REPORTS = (
    select(cross_language.c.features, article.c.published)
    .join(article, article.c.inbox_no == cross_language.c.article)
    .where(article.c.story == bindparam("story_id"), article.c.counts_in_centroid, article.c.role == "report")
    .order_by(article.c.inbox_no.desc())
    .limit(bindparam("at_most", type_=Integer))
)
_IS_FOREIGN_LANGUAGE = (
    article.c.counts_in_centroid.is_(False) & (article.c.role == "report") & article.c.copy_of.is_(None)
)
_STORIES = select(article.c.inbox_no, article.c.story).where(
    article.c.inbox_no.in_(bindparam("others", expanding=True))
    | (article.c.inbox_no.in_(bindparam("own", expanding=True)) & _IS_FOREIGN_LANGUAGE)
)
_MEMBER = [article.c[name] for name in MemberRow.__struct_fields__]
_FOREIGN_REPORTS = (
    select(*_MEMBER, cross_language.c.features)
    .join(cross_language, article.c.inbox_no == cross_language.c.article)
    .where(article.c.story == bindparam("story_id"), _IS_FOREIGN_LANGUAGE)
    .order_by(article.c.inbox_no.desc())
    .limit(bindparam("at_most", type_=Integer))
)


def put(connection: Connection, n: int, features: bytes) -> None:
    """Replace the features of article `n`; b"": delete them."""
    connection.execute(delete(cross_language).where(cross_language.c.article == n))
    if features:
        connection.execute(_INSERT, [{"article": n, "features": features}])


def newest(connection: Connection, *, after: int) -> Iterator[tuple[int, CrossLanguageFeatures]]:
    """Yield number and features of the articles above number `after`, in order."""
    rows = connection.execute(_NEWEST, {"after": after})
    for part in rows.partitions(5_000):
        yield from ((row.article, unpack(row.features)) for row in part)


def stories_of(connection: Connection, others: Sequence[int], own: Sequence[int]) -> list[str]:
    """Return the stories of these articles, each once, in order; of `own` only guest reports are used."""
    if not others and not own:
        return []
    rows = connection.execute(_STORIES, {"others": list(others), "own": list(own)})
    found = {row.inbox_no: row.story for row in rows}
    return list(dict.fromkeys(found[n] for n in (*others, *own) if n in found))


def reports(connection: Connection, story: str, newest: int) -> list[ReportFeatures]:
    """Return the newest reports that count in the centroid of a story, the newest first."""
    rows = connection.execute(_REPORTS, {"story_id": story, "at_most": newest})
    return [
        ReportFeatures(features=features, minutes=dates_of(at, date_counts=True)[0]) for features, at in rows
    ]


def foreign_reports(
    connection: Connection, story: str, newest: int
) -> list[tuple[MemberRow, CrossLanguageFeatures]]:
    """Return the newest guest reports of a story, which do not count in its centroid."""
    rows = connection.execute(_FOREIGN_REPORTS, {"story_id": story, "at_most": newest})
    names = MemberRow.__struct_fields__
    return [(MemberRow(**{name: row._mapping[name] for name in names}), unpack(row.features)) for row in rows]
