"""Article rows: writing what was placed, and reading it as the other rooms need it."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from aggregator.dedup.copies import Wording
from aggregator.model import (
    ArticleView,
    CleanArticle,
    Evidence,
    Fingerprint,
    Noun,
    Placement,
    Precision,
    PublishedOrigin,
    Role,
    TimedEntry,
    Wire,
)
from aggregator.store import blobs
from aggregator.store.tables import article, identity_key, lsh_band, revision, sighting

_REVISIONS_KEPT = 5  # the first five and the last five


class Details(Noun, frozen=True, kw_only=True):
    """The parts of an article that only a story's page or an explanation asks for."""

    wire: Wire | None = None
    timed: tuple[TimedEntry, ...] = ()
    modified: dt.datetime | None = None
    canonical_url: str | None = None
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    truncated: bool = False


class Twin(Noun, frozen=True, kw_only=True):
    """A stored article that shares LSH bands with a new one."""

    n: int
    id: str
    signature: bytes


class Stored(Noun, frozen=True, kw_only=True):
    """What a revision is compared with, and what taking an article out of its story needs."""

    n: int
    id: str
    root: str
    generation: int
    story: str
    role: Role
    weighs: bool
    copy_of: str | None
    outlet: str | None
    title: str
    text: str
    text_hash: bytes
    terms: bytes
    body_words: int
    published: dt.datetime | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    effective: dt.datetime


class NewArticle(Noun, frozen=True, kw_only=True):
    """An article with all that its row holds beside what the text room made of it."""

    n: int
    id: str
    root: str
    generation: int
    source: str
    outlet: str | None
    url: str | None
    author: str | None
    seen: dt.datetime
    effective: dt.datetime
    placed_at: dt.datetime
    clean: CleanArticle
    fingerprint: Fingerprint
    placement: Placement
    weighs: bool
    bumps_by_clock: bool
    wire: str | None  # the agency behind the text, where that is sure enough
    is_indexed: bool = True  # False for a copy of a text that has enough indexed copies


_INSERT = insert(article)
_INSERT_BANDS = insert(lsh_band)


def insert_article(connection: Connection, new: NewArticle) -> None:
    """Write the article's row, and its LSH bands where it is to be found by them."""
    row = {
        "n": new.n,
        "id": new.id,
        "root": new.root,
        "generation": new.generation,
        "story": new.placement.story,
        "role": new.placement.role,
        "weighs": new.weighs,
        "copy_of": new.placement.copy_of,
        "source": new.source,
        "seen": new.seen,
        "placed_at": new.placed_at,
        "evidence": blobs.pack(new.placement.evidence),
    }
    connection.execute(_INSERT, [row | _text_columns(new)])
    if new.is_indexed:
        _insert_bands(connection, new.n, new.fingerprint.bands)


def replace_text(connection: Connection, new: NewArticle) -> None:
    """Write a revision over the row of article `new.id`; its place, role and number stay."""
    connection.execute(update(article).where(article.c.id == new.id).values(**_text_columns(new)))
    was_indexed = connection.execute(delete(lsh_band).where(lsh_band.c.article == new.n)).rowcount
    if was_indexed:
        _insert_bands(connection, new.n, new.fingerprint.bands)


def _text_columns(new: NewArticle) -> dict[str, Any]:
    clean, mark = new.clean, new.fingerprint
    published = clean.published
    details = Details(
        wire=clean.wire,
        timed=clean.timed,
        modified=clean.modified,
        canonical_url=clean.canonical_url,
        noarchive=clean.noarchive,
        nosnippet=clean.nosnippet,
        tdm_reserved=clean.tdm_reserved,
        truncated=clean.truncated,
    )
    return {
        "outlet": new.outlet,
        "url": new.url,
        "title": clean.title,
        "lead": clean.lead,
        "text": clean.text,
        "language": clean.language,
        "author": new.author,
        "published": published.time if published else None,
        "published_origin": published.origin if published else None,
        "published_precision": published.precision if published else None,
        "zone_assumed": bool(published and published.zone_assumed),
        "effective": new.effective,
        "wire": new.wire,
        "details": blobs.pack(details),
        "verdict": clean.verdict,
        "signature": mark.signature,
        "terms": mark.terms,
        "body_words": mark.body_words,
        "text_hash": mark.text_hash,
    }


def _insert_bands(connection: Connection, n: int, bands: Sequence[int]) -> None:
    rows = [{"band": band, "article": n} for band in sorted(set(bands))]
    if rows:
        connection.execute(_INSERT_BANDS, rows)


def keep_revision(connection: Connection, old: Stored, at: dt.datetime) -> None:
    """Keep the text that is about to be replaced: the first five and the last five of an article."""
    last = connection.execute(
        select(func.max(revision.c.number)).where(revision.c.article == old.id)
    ).scalar_one()
    number = (last or 0) + 1
    connection.execute(
        insert(revision),
        [
            {
                "article": old.id,
                "number": number,
                "replaced_at": at,
                "title": old.title,
                "text": blobs.squeeze(old.text.encode()),
            }
        ],
    )
    middle = revision.c.number.between(_REVISIONS_KEPT + 1, number - _REVISIONS_KEPT)
    connection.execute(delete(revision).where(revision.c.article == old.id, middle))


def hand_over(connection: Connection, old: str, new: str, *, gives: bool) -> None:
    """From now on the keys of `old`, and what was seen under them, mean the article `new`.

    `gives` says whether the sources that gave `old` its words give `new` its words too.
    """
    connection.execute(update(identity_key).where(identity_key.c.article == old).values(article=new))
    held = select(sighting.c.source, sighting.c.content_hash).where(sighting.c.article == new)
    both = tuple_(sighting.c.source, sighting.c.content_hash).in_(held)
    connection.execute(delete(sighting).where(sighting.c.article == old, both))
    values = {"article": new} if gives else {"article": new, "gives": False}
    connection.execute(update(sighting).where(sighting.c.article == old).values(**values))


def move_all(connection: Connection, loser: str, winner: str, *, weighs: bool) -> None:
    """Give all articles of one story another home."""
    connection.execute(update(article).where(article.c.story == loser).values(story=winner, weighs=weighs))


_SHARED = func.count().label("shared")
_SHARING = (
    select(lsh_band.c.article, _SHARED)
    .where(lsh_band.c.band.in_(bindparam("bands", expanding=True)))
    .group_by(lsh_band.c.article)
    .order_by(_SHARED.desc(), lsh_band.c.article)
    .limit(bindparam("at_most", type_=Integer))
    .subquery()
)
_TWINS = (
    select(article.c.n, article.c.id, article.c.signature)
    .join(_SHARING, _SHARING.c.article == article.c.n)
    .order_by(_SHARING.c.shared.desc(), article.c.n)
)
_COPIES = select(func.count()).select_from(article).where(article.c.copy_of == bindparam("article_id"))
_WORDING = select(article.c.n, article.c.text, article.c.title, article.c.outlet, article.c.signature).where(
    article.c.id == bindparam("article_id")
)
_STORED = [article.c[name] for name in Stored.__struct_fields__]
_ROOT = select(article.c.root).where(article.c.id == bindparam("article_id")).scalar_subquery()
_LATEST = select(*_STORED).where(article.c.root == _ROOT).order_by(article.c.generation.desc()).limit(1)


def twins(connection: Connection, bands: Sequence[int], limit: int) -> list[Twin]:
    """Stored articles that share bands, most shared first (a tie: the older), at most `limit`."""
    if not bands:
        return []
    rows = connection.execute(_TWINS, {"bands": sorted(set(bands)), "at_most": limit})
    return [Twin(n=row.n, id=row.id, signature=row.signature) for row in rows]


def copy_count(connection: Connection, id: str) -> int:  # noqa: A002 - the word that people type
    """How many articles were found to be copies of article `id`."""
    count: int = connection.execute(_COPIES, {"article_id": id}).scalar_one()
    return count


def wording(connection: Connection, id: str) -> Wording:  # noqa: A002 - the word that people type
    """The article `id` as the copy level reads it; it must exist."""
    row = connection.execute(_WORDING, {"article_id": id}).one()
    return Wording(
        id=id, text=row.text, title=row.title, outlet=row.outlet, signature=row.signature, order=row.n
    )


def latest(connection: Connection, id: str) -> Stored | None:  # noqa: A002 - the word that people type
    """The article that the keys of article `id` mean today, as a revision needs it."""
    row = connection.execute(_LATEST, {"article_id": id}).first()
    return None if row is None else Stored(**row._mapping)


_VIEW = (
    "id",
    "story",
    "outlet",
    "url",
    "title",
    "published",
    "seen",
    "effective",
    "language",
    "copy_of",
    "wire",
    "role",
    "lead",
    "author",
    "published_origin",
    "published_precision",
    "details",
)


def view_columns(*more: str) -> Select[Any]:
    """SELECT of what an ArticleView holds; `more` may add "text" and "evidence"."""
    return select(*(article.c[name] for name in (*_VIEW, *more)))


def view_of(new: NewArticle) -> ArticleView:
    """The view of an article whose row is about to be written."""
    clean, published = new.clean, new.clean.published
    return ArticleView(
        id=new.id,
        outlet=new.outlet,
        url=new.url,
        title=clean.title,
        published=published.time if published else None,
        seen=new.seen,
        effective=new.effective,
        language=clean.language,
        copy_of=new.placement.copy_of,
        wire=new.wire,
        role=new.placement.role,
        lead=clean.lead,
        author=new.author,
        published_origin=published.origin if published else None,
        published_precision=published.precision if published else None,
        timed=clean.timed,
        nosnippet=clean.nosnippet,
        noarchive=clean.noarchive,
    )


def view(row: Row[Any], *, copy_of: str | None) -> ArticleView:
    """The ArticleView of a row that `view_columns` selected."""
    details = blobs.unpack(row.details, Details)
    held = row._mapping
    return ArticleView(
        id=row.id,
        outlet=row.outlet,
        url=row.url,
        title=row.title,
        published=row.published,
        seen=row.seen,
        effective=row.effective,
        language=row.language,
        copy_of=copy_of,
        wire=row.wire,
        role=row.role,
        lead=row.lead,
        author=row.author,
        published_origin=row.published_origin,
        published_precision=row.published_precision,
        text=held.get("text", ""),
        timed=details.timed,
        evidence=blobs.unpack(row.evidence, Evidence) if "evidence" in held else None,
        nosnippet=details.nosnippet,
        noarchive=details.noarchive,
    )


_VIEWS_OF_STORY = (
    view_columns().where(article.c.story == bindparam("story_id")).order_by(article.c.effective, article.c.n)
)


def views_of_story(connection: Connection, story: str) -> list[ArticleView]:
    """The articles of one story, oldest first, without their texts."""
    rows = connection.execute(_VIEWS_OF_STORY, {"story_id": story})
    return [view(row, copy_of=row.copy_of) for row in rows]


def views_of_stories(
    connection: Connection, stories: Iterable[str], *more: str
) -> dict[str, list[ArticleView]]:
    """The articles of `stories`, oldest first; `copy_of` is the twin that was found when they were placed."""
    ids = sorted(stories)
    found: dict[str, list[ArticleView]] = {one: [] for one in ids}
    for start in range(0, len(ids), 500):
        statement = view_columns(*more).where(article.c.story.in_(ids[start : start + 500]))
        for row in connection.execute(statement.order_by(article.c.effective, article.c.n)):
            found[row.story].append(view(row, copy_of=row.copy_of))
    return found
