"""Rows of the live blogs whose entries are linked to stories, and the links."""

import datetime as dt
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Integer, bindparam, delete, func, insert, or_, select, update

from aggregator.model.core import FrozenStruct, LiveBlogLink, TimedEntry, TimedEntryFingerprint
from aggregator.store import codecs
from aggregator.store.stories.articles import ArticleDetails
from aggregator.store.tables import article, entry_link, live_blog, story

_MOST_SHOWN = 60  # links of one story or article


class TimedEntryFingerprints(FrozenStruct, frozen=True, kw_only=True):
    """The marks of one live blog."""

    entries: tuple[TimedEntryFingerprint, ...]


class LiveBlog(FrozenStruct, frozen=True, kw_only=True):
    """A live blog with all that linking its entries needs."""

    article: int
    round: int
    story: str
    outlet: str | None
    language: str | None
    published: dt.datetime | None
    timed: tuple[TimedEntry, ...]
    marks: tuple[TimedEntryFingerprint, ...]


class EntryLink(FrozenStruct, frozen=True, kw_only=True):
    """An entry tells of a story."""

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
        live_blog.c.round,
        live_blog.c.marks,
        article.c.story,
        article.c.outlet,
        article.c.language,
        article.c.published,
        article.c.details,
    )
    .join(article, article.c.n == live_blog.c.article)
    .where(live_blog.c.article == bindparam("number"))
)


def keep(connection: Connection, n: int, marks: Sequence[TimedEntryFingerprint], *, due_no: int) -> None:
    """Article number `n` has these entries now, to be linked again at `due_no`; what it had before goes."""
    forget(connection, n)
    packed = codecs.compress_struct(TimedEntryFingerprints(entries=tuple(marks)))
    connection.execute(insert(live_blog), [{"article": n, "marks": packed, "round": 0, "due_no": due_no}])


def forget(connection: Connection, n: int) -> None:
    """Article number `n` has no entries any more."""
    connection.execute(delete(entry_link).where(entry_link.c.article == n))
    connection.execute(delete(live_blog).where(live_blog.c.article == n))


def is_live(connection: Connection, n: int) -> bool:
    """Whether article number `n`, which must exist, has entries of a live blog."""
    details = connection.execute(select(article.c.details).where(article.c.n == n)).scalar_one()
    return bool(codecs.unpack(details, ArticleDetails).timed)


def due(connection: Connection, inbox_no: int, *, limit: int) -> list[int]:
    """The first live blogs whose entries are due to be linked again, in the order of their numbers."""
    return list(connection.execute(_DUE, {"inbox_no": inbox_no, "at_most": limit}).scalars())


def postpone(connection: Connection, inbox_no: int, *, due_no: int) -> None:
    """What is due at `inbox_no` still is due at `due_no` only."""
    connection.execute(update(live_blog).where(live_blog.c.due_no <= inbox_no).values(due_no=due_no))


def live_blog_of(connection: Connection, n: int) -> LiveBlog:
    """The live blog that is article number `n`; it must be one."""
    row = connection.execute(_LIVE_BLOG, {"number": n}).one()
    return LiveBlog(
        article=n,
        round=row.round,
        story=row.story,
        outlet=row.outlet,
        language=row.language,
        published=row.published,
        timed=codecs.unpack(row.details, ArticleDetails).timed,
        marks=codecs.decompress_struct(row.marks, TimedEntryFingerprints).entries,
    )


def link(
    connection: Connection, n: int, links: Iterable[EntryLink], *, times: int, due_no: int | None
) -> None:
    """Write the links of a live blog over those that it had."""
    connection.execute(delete(entry_link).where(entry_link.c.article == n))
    rows = [{"article": n, "position": one.position, "story": one.story, "score": one.score} for one in links]
    if rows:
        connection.execute(insert(entry_link), rows)
    connection.execute(update(live_blog).where(live_blog.c.article == n).values(round=times, due_no=due_no))


# --- reading -----------------------------------------------------------------------------------------------

_TODAY = func.coalesce(story.c.redirect_to, story.c.id)
_LINKS = (
    select(
        entry_link.c.position,
        entry_link.c.score,
        _TODAY.label("told"),
        article.c.id,
        article.c.title,
        article.c.outlet,
        article.c.url,
        article.c.story,
        article.c.details,
    )
    .join(article, article.c.n == entry_link.c.article)
    .join(story, story.c.id == entry_link.c.story)
    .where(article.c.story != _TODAY)
    .limit(_MOST_SHOWN)
)


def links_to_story(connection: Connection, story_id: str) -> tuple[LiveBlogLink, ...]:
    """What live blogs of other stories tell of this one, also of what it took in; by time as far as known."""
    statement = _LINKS.where(or_(story.c.id == story_id, story.c.redirect_to == story_id))
    found = _read(connection, statement.order_by(entry_link.c.article.desc(), entry_link.c.position))
    return tuple(sorted(found, key=lambda one: (str(one.day or "9999"), one.clock_minutes, one.article)))


def links_of(connection: Connection, n: int) -> tuple[LiveBlogLink, ...]:
    """The stories that the entries of article number `n` tell of, in the order of its entries."""
    statement = _LINKS.where(entry_link.c.article == n).order_by(entry_link.c.position)
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
                article=row.id,
                title=row.title,
                outlet=row.outlet,
                url=row.url,
                home=row.story,
                story=row.told,
                position=row.position,
                clock_minutes=entry.clock_minutes,
                text=entry.text,
                score=row.score,
                day=entry.day,
                time=entry.time,
                nosnippet=details.nosnippet,
            )
        )
    return found
