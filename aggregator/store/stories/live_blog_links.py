"""Live blogs whose timed entries are linked to stories, and these links."""

import datetime as dt
from collections.abc import Iterable, Sequence

import msgspec
from sqlalchemy import Connection, Integer, bindparam, delete, func, insert, or_, select, update

from aggregator.model.core import FrozenStruct, LiveBlogLink, TimedEntry, TimedEntryFingerprint
from aggregator.store import codecs
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.tables import article, live_blog, live_blog_link, story

_MOST_SHOWN = 60  # links of one story or article


class TimedEntryFingerprints(FrozenStruct, frozen=True, kw_only=True):
    """The fingerprints of the timed entries of one live blog."""

    entries: tuple[TimedEntryFingerprint, ...]


class LiveBlog(FrozenStruct, frozen=True, kw_only=True):
    """A live blog with the columns that linking its entries needs."""

    article: int
    link_round: int
    story: str
    outlet: str | None
    language: str | None
    published: dt.datetime | None
    timed: tuple[TimedEntry, ...]
    entry_fingerprints: tuple[TimedEntryFingerprint, ...]


class EntryLink(FrozenStruct, frozen=True, kw_only=True):
    """A link of a timed entry to a story."""

    position: int
    story: str
    score: float


_DUE = (
    select(live_blog.c.article)
    .where(live_blog.c.due_no <= bindparam("inbox_no"))
    .order_by(live_blog.c.article)
    .limit(bindparam("at_most", type_=Integer))
)
_LIVE_BLOG = (
    select(
        live_blog.c.article,
        live_blog.c.link_round,
        live_blog.c.entry_fingerprints,
        article.c.story,
        article.c.outlet,
        article.c.language,
        article.c.published,
        article.c.details,
    )
    .join(article, article.c.inbox_no == live_blog.c.article)
    .where(live_blog.c.article == bindparam("number"))
)


def keep(connection: Connection, n: int, entries: Sequence[TimedEntryFingerprint], *, due_no: int) -> None:
    """Replace the timed entries of article `n`; they are linked again at inbox number `due_no`."""
    forget(connection, n)
    packed = codecs.compress_struct(TimedEntryFingerprints(entries=tuple(entries)))
    connection.execute(
        insert(live_blog), [{"article": n, "entry_fingerprints": packed, "link_round": 0, "due_no": due_no}]
    )


def forget(connection: Connection, n: int) -> None:
    """Delete the timed entries of article `n` and their links."""
    connection.execute(delete(live_blog_link).where(live_blog_link.c.article == n))
    connection.execute(delete(live_blog).where(live_blog.c.article == n))


def is_live(connection: Connection, n: int) -> bool:
    """Whether article `n`, which must exist, has timed entries."""
    details = connection.execute(select(article.c.details).where(article.c.inbox_no == n)).scalar_one()
    return bool(codecs.unpack(details, ArticleDetails).timed)


def due(connection: Connection, inbox_no: int, *, limit: int) -> list[int]:
    """Return the first `limit` live blogs that are due at `inbox_no`, in order."""
    return list(connection.execute(_DUE, {"inbox_no": inbox_no, "at_most": limit}).scalars())


def postpone(connection: Connection, inbox_no: int, *, due_no: int) -> None:
    """Postpone the live blogs that are due at `inbox_no` to `due_no`."""
    connection.execute(update(live_blog).where(live_blog.c.due_no <= inbox_no).values(due_no=due_no))


def live_blog_of(connection: Connection, n: int) -> LiveBlog:
    """Return live blog `n`, which must exist."""
    columns = dict(connection.execute(_LIVE_BLOG, {"number": n}).one()._mapping)
    packed = columns.pop("entry_fingerprints")
    return LiveBlog(
        timed=codecs.unpack(columns.pop("details"), ArticleDetails).timed,
        entry_fingerprints=codecs.decompress_struct(packed, TimedEntryFingerprints).entries,
        **columns,
    )


def link(
    connection: Connection, n: int, links: Iterable[EntryLink], *, times: int, due_no: int | None
) -> None:
    """Replace the links of a live blog; `times`: its rounds so far; `due_no`: of the next round."""
    connection.execute(delete(live_blog_link).where(live_blog_link.c.article == n))
    rows = [{"article": n, **msgspec.structs.asdict(one)} for one in links]
    if rows:
        connection.execute(insert(live_blog_link), rows)
    connection.execute(
        update(live_blog).where(live_blog.c.article == n).values(link_round=times, due_no=due_no)
    )


# --- reading -----------------------------------------------------------------------------------------------

_TODAY = func.coalesce(story.c.redirect_to, story.c.id)
_LINKS = (
    select(
        live_blog_link.c.position,
        live_blog_link.c.score,
        _TODAY.label("story"),
        article.c.id.label("article"),
        article.c.title,
        func.coalesce(article.c.outlet_name, article.c.outlet).label("outlet"),
        article.c.url,
        article.c.story.label("live_blog_story"),
        article.c.details,
    )
    .join(article, article.c.inbox_no == live_blog_link.c.article)
    .join(story, story.c.id == live_blog_link.c.story)
    .where(article.c.story != _TODAY)
    .limit(_MOST_SHOWN)
)


def links_to_story(connection: Connection, story_id: str) -> tuple[LiveBlogLink, ...]:
    """Return the entries of other stories' live blogs that link to a story or its merged ones, by time."""
    statement = _LINKS.where(or_(story.c.id == story_id, story.c.redirect_to == story_id))
    found = _read(connection, statement.order_by(live_blog_link.c.article.desc(), live_blog_link.c.position))
    return tuple(sorted(found, key=lambda one: (str(one.day or "9999"), one.clock_minutes, one.article)))


def links_of(connection: Connection, n: int) -> tuple[LiveBlogLink, ...]:
    """Return the links of the timed entries of article `n`, in their order."""
    statement = _LINKS.where(live_blog_link.c.article == n).order_by(live_blog_link.c.position)
    return tuple(_read(connection, statement))


def _read(connection: Connection, statement: object) -> list[LiveBlogLink]:
    found = []
    for row in connection.execute(statement):  # type: ignore[call-overload]
        details = codecs.unpack(row.details, ArticleDetails)
        if row.position >= len(details.timed):
            continue
        entry = details.timed[row.position]
        found.append(
            LiveBlogLink(
                **{name: value for name, value in row._mapping.items() if name != "details"},
                clock_minutes=entry.clock_minutes,
                text=entry.text,
                day=entry.day,
                time=entry.time,
                nosnippet=details.nosnippet,
            )
        )
    return found
