"""Article rows: writing what was placed, and reading it as the other rooms need it."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from aggregator.cluster.copies.copy_check import ComparedText
from aggregator.cluster.entry_identity import url_key
from aggregator.cluster.events.scorer import ScoringInput
from aggregator.cluster.vetoes.vetoes import VetoInput
from aggregator.extract.urls import canonical_url
from aggregator.model.core import (
    BoilerplateLine,
    CleanArticle,
    Enclosure,
    Evidence,
    Fingerprint,
    FrozenStruct,
    Placement,
    Precision,
    PublishedOrigin,
    Role,
    TimedEntry,
    Wire,
)
from aggregator.store import codecs
from aggregator.store.stories import article_text
from aggregator.store.tables import article, identity_key, in_parts, lsh_band, revision, sighting, sketch

_REVISIONS_KEPT = 5  # the first five and the last five
_OTHER_NEWS = 1_000_000  # as `sighting.reverts`: words of another article, nothing to go back to


class ArticleDetails(FrozenStruct, frozen=True, kw_only=True):
    """The parts of an article that only a story's page or an explanation asks for."""

    wire: Wire | None = None
    timed: tuple[TimedEntry, ...] = ()
    modified: dt.datetime | None = None
    canonical_url: str | None = None
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    repeated: tuple[BoilerplateLine, ...] = ()  # lines of its text that its outlet repeats: taken out of it


class StoredArticle(FrozenStruct, frozen=True, kw_only=True):
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
    signature: bytes
    terms: bytes
    body_words: int
    published: dt.datetime | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    effective: dt.datetime
    is_gone: bool  # its text is kept no more: nothing brings it back
    is_packed: bool


class MemberRow(FrozenStruct, frozen=True, kw_only=True):
    """A member of a story as its sums and counts need it."""

    n: int
    id: str
    story: str
    role: Role
    weighs: bool
    copy_of: str | None
    outlet: str | None
    wire: str | None
    published: dt.datetime | None
    effective: dt.datetime
    terms: bytes
    body_words: int
    language: str | None = None

    def as_article(self) -> ScoringInput:
        """As the event level sees it."""
        return ScoringInput(
            terms=self.terms,
            minutes=None if self.published is None else int(self.published.timestamp() // 60),
            body_words=self.body_words,
            is_container=self.role == "container",
            inbox=self.n,
        )


class NewArticle(FrozenStruct, frozen=True, kw_only=True):
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
    is_indexed: bool = True  # False where nothing finds it as a twin (pipeline/placement/copy_lookup.py)
    bands: tuple[int, ...] | None = None  # the LSH keys to store; None: all of the fingerprint
    sketch: bytes | None = None  # the sampled shingles to store; None: all of the fingerprint


_INSERT = insert(article)
_INSERT_SKETCH = insert(sketch)


def insert_article(connection: Connection, new: NewArticle) -> None:
    """Write the article's row, and the LSH bands and sampled shingles that it is to be found by."""
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
        "evidence": codecs.press(new.placement.evidence),
    }
    connection.execute(_INSERT, [row | _text_columns(new)])
    if new.is_indexed:
        _insert_copy_keys(connection, new)


def replace_text(
    connection: Connection, new: NewArticle, bands: Sequence[int], *, is_packed: bool = False
) -> None:
    """Write a revision over the row of article `new.id`; its place, role and number stay.

    `is_packed`: its former text was packed, so is this one (store/stories/article_text.py).
    `bands` are all LSH keys that it may be under: by its number alone the whole table would be read.
    """
    values = _text_columns(new)
    form = {"text": "", "packed": article_text.packed(new.clean.text)} if is_packed else {"packed": None}
    connection.execute(update(article).where(article.c.id == new.id).values(**(values | form)))
    connection.execute(delete(lsh_band).where(lsh_band.c.band.in_(bands), lsh_band.c.article == new.n))
    connection.execute(delete(sketch).where(sketch.c.article == new.n))
    if new.is_indexed:
        _insert_copy_keys(connection, new)


def _text_columns(new: NewArticle) -> dict[str, Any]:
    clean, fingerprint = new.clean, new.fingerprint
    published = clean.published
    details = ArticleDetails(
        wire=clean.wire,
        timed=clean.timed,
        modified=clean.modified,
        canonical_url=clean.canonical_url,
        noarchive=clean.noarchive,
        nosnippet=clean.nosnippet,
        tdm_reserved=clean.tdm_reserved,
        media=clean.media,
        truncated=clean.truncated,
        repeated=clean.repeated,
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
        "details": codecs.pack(details),
        "verdict": clean.verdict,
        "signature": fingerprint.signature,
        "terms": fingerprint.terms,
        "body_words": fingerprint.body_words,
        "text_hash": fingerprint.text_hash,
    }


def _insert_copy_keys(connection: Connection, new: NewArticle) -> None:
    bands = new.fingerprint.bands if new.bands is None else new.bands
    rows = [(band, new.n) for band in sorted(set(bands))]
    if rows:
        value = _placeholder(connection)
        connection.exec_driver_sql(f"INSERT INTO lsh_band (band, article) VALUES ({value}, {value})", rows)  # noqa: S608
    sampled = new.fingerprint.sketch if new.sketch is None else new.sketch
    if sampled:
        connection.execute(_INSERT_SKETCH, [{"article": new.n, "hashes": sampled}])


def keep_revision(connection: Connection, old: StoredArticle, at: dt.datetime) -> None:
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
                "text": codecs.compress_bytes(old.text.encode()),
            }
        ],
    )
    middle = revision.c.number.between(_REVISIONS_KEPT + 1, number - _REVISIONS_KEPT)
    connection.execute(delete(revision).where(revision.c.article == old.id, middle))


def rekey(connection: Connection, old: str, new: str, *, gives: bool) -> None:
    """From now on the keys of `old`, and what was seen under them, mean the article `new`.

    `gives` says whether the sources that gave `old` its words give `new` its words too.
    """
    connection.execute(update(identity_key).where(identity_key.c.article == old).values(article=new))
    held = select(sighting.c.source, sighting.c.content_hash).where(sighting.c.article == new)
    both = tuple_(sighting.c.source, sighting.c.content_hash).in_(held)
    connection.execute(delete(sighting).where(sighting.c.article == old, both))
    former = (sighting.c.article == old) & sighting.c.is_current.is_(False)
    connection.execute(update(sighting).where(former).values(reverts=_OTHER_NEWS))
    values = {"article": new} if gives else {"article": new, "gives": False}
    connection.execute(update(sighting).where(sighting.c.article == old).values(**values))


def move_all(connection: Connection, loser: str, winner: str) -> None:
    """Give all articles of one story another home."""
    connection.execute(update(article).where(article.c.story == loser).values(story=winner))


def move(connection: Connection, ids: Iterable[str], story: str) -> None:
    """Give these articles another home."""
    for part in in_parts(sorted(ids)):
        connection.execute(update(article).where(article.c.id.in_(part)).values(story=story))


_EVIDENCE = select(article.c.evidence).where(article.c.id == bindparam("article_id"))


def stage_of(connection: Connection, id: str) -> str:  # noqa: A002 - the word that people type
    """What gave article `id` its place."""
    return codecs.unpack(connection.execute(_EVIDENCE, {"article_id": id}).scalar_one(), Evidence).stage


def set_evidence(connection: Connection, id: str, evidence: Evidence) -> None:  # noqa: A002
    """From now on this is why the article is where it is."""
    pressed = codecs.press(evidence)
    connection.execute(update(article).where(article.c.id == id).values(evidence=pressed))


def set_counts_in_centroid(connection: Connection, ids: Iterable[str], *, weighs: bool) -> None:
    """Whether the terms of these articles are in the sums of their story."""
    for part in in_parts(sorted(ids)):
        connection.execute(update(article).where(article.c.id.in_(part)).values(weighs=weighs))


_MEMBER = [article.c[name] for name in MemberRow.__struct_fields__]
_MEMBERS = select(*_MEMBER).where(article.c.story == bindparam("story_id")).order_by(article.c.n)


def members(connection: Connection, story: str) -> list[MemberRow]:
    """All articles of one story, in the order of their placing."""
    rows = connection.execute(_MEMBERS, {"story_id": story})
    return [MemberRow(**row._mapping) for row in rows]


_COUNTED_MEMBERS = (
    select(*_MEMBER)
    .where(article.c.story == bindparam("story_id"), article.c.weighs, article.c.role != "container")
    .order_by(article.c.n.desc())
    .limit(bindparam("at_most", type_=Integer))
)
_VETO_COLUMNS = [
    article.c[name] for name in ("title", "lead", "language", "outlet", "published", "body_words")
]
_VETO_INPUTS = (
    select(*_VETO_COLUMNS)
    .where(article.c.story == bindparam("story_id"), article.c.weighs)
    .order_by(article.c.n.desc())
    .limit(bindparam("at_most", type_=Integer))
)
_ONE_VETO_INPUT = select(*_VETO_COLUMNS).where(article.c.id == bindparam("article_id"))


def counted_members(connection: Connection, story: str, newest: int) -> list[MemberRow]:
    """The newest reports of a story whose terms are in its sums, the newest first."""
    rows = connection.execute(_COUNTED_MEMBERS, {"story_id": story, "at_most": newest})
    return [MemberRow(**row._mapping) for row in rows]


def veto_inputs(connection: Connection, story: str, newest: int, *, bodyless_words: int) -> list[VetoInput]:
    """What vetoes compare a newcomer with: the newest members of a story that weigh, the newest first.

    A text of fewer than `bodyless_words` words counts as having no body.
    """
    rows = connection.execute(_VETO_INPUTS, {"story_id": story, "at_most": newest})
    return [_veto_input(row, bodyless_words) for row in rows]


def veto_input(connection: Connection, id: str, *, bodyless_words: int) -> VetoInput:  # noqa: A002
    """The article `id` as vetoes see it; it must exist."""
    return _veto_input(connection.execute(_ONE_VETO_INPUT, {"article_id": id}).one(), bodyless_words)


def _veto_input(row: Row[Any], bodyless_words: int) -> VetoInput:
    return VetoInput(
        title=row.title,
        lead=row.lead,
        language=row.language,
        outlet=row.outlet,
        minutes=None if row.published is None else int(row.published.timestamp() // 60),
        bodyless=row.body_words < bodyless_words,
    )


_ORIGIN = select(article.c.outlet, article.c.wire).where(article.c.id == bindparam("article_id"))


def origin_of(connection: Connection, id: str) -> tuple[str | None, str | None]:  # noqa: A002
    """Outlet of article `id`, and the agency behind it; it must exist."""
    row = connection.execute(_ORIGIN, {"article_id": id}).one()
    return row.outlet, row.wire


_ROLE = select(article.c.role).where(article.c.id == bindparam("article_id"))


def role_of(connection: Connection, id: str) -> Role:  # noqa: A002 - the word that people type
    """The role of article `id`, which must exist."""
    role: Role = connection.execute(_ROLE, {"article_id": id}).scalar_one()
    return role


_LINK_IN_STORY = select(article.c.copy_of).where(
    article.c.id == bindparam("article_id"),
    article.c.story == bindparam("story_id"),
    article.c.role != "excerpt",
)


def copy_link_of(connection: Connection, id: str, story: str) -> str | None:  # noqa: A002 - the word that people type
    """The text that article `id` of this story was found to be a copy of; None for one elsewhere."""
    link: str | None = connection.execute(_LINK_IN_STORY, {"article_id": id, "story_id": story}).scalar()
    return link


def assigned_stories(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Article id to story id, of those that are placed."""
    found: dict[str, str] = {}
    for part in in_parts(sorted(ids)):
        rows = connection.execute(select(article.c.id, article.c.story).where(article.c.id.in_(part)))
        found |= {row.id: row.story for row in rows}
    return found


_COPY_CANDIDATES = select(article.c.n, article.c.id, article.c.signature, article.c.copy_of).where(
    article.c.n.in_(bindparam("numbers", expanding=True))
)
_LINK = select(article.c.n, article.c.copy_of).where(article.c.id == bindparam("article_id"))
_SKETCHES = (
    select(sketch.c.article, sketch.c.hashes)
    .where(sketch.c.article > bindparam("after"))
    .order_by(sketch.c.article)
    .execution_options(stream_results=True)
)
_SKETCH = select(sketch.c.hashes).where(sketch.c.article == bindparam("number"))
_HAS_BANDS = (
    select(lsh_band.c.band)
    .where(lsh_band.c.band.in_(bindparam("bands", expanding=True)), lsh_band.c.article == bindparam("number"))
    .limit(1)
)
_COPIES = (
    select(article.c.n)
    .where(article.c.copy_of == bindparam("article_id"), article.c.role == "copy")
    .limit(bindparam("at_most", type_=Integer))
)
_COMPARED_TEXT = select(
    article.c.n, article_text.TEXT, article.c.title, article.c.outlet, article.c.signature
).where(article.c.id == bindparam("article_id"))
_SOURCE = select(article.c.source).where(article.c.id == bindparam("article_id"))
_OWN_FORM = {
    "text": article_text.TEXT,
    "is_gone": article_text.IS_GONE.label("is_gone"),
    "is_packed": article.c.packed.is_not(None).label("is_packed"),
}
_STORED = [
    _OWN_FORM[name] if name in _OWN_FORM else article.c[name] for name in StoredArticle.__struct_fields__
]
_ROOT = select(article.c.root).where(article.c.id == bindparam("article_id")).scalar_subquery()
_LATEST = select(*_STORED).where(article.c.root == _ROOT).order_by(article.c.generation.desc()).limit(1)


class CopyCandidate(NamedTuple):
    """A stored article that may be a twin, or an excerpt of one."""

    n: int
    id: str
    signature: bytes
    copy_of: str | None


def band_rows(
    connection: Connection, bands: Sequence[int], *, before: int, limit: int
) -> list[tuple[int, int]]:
    """(band, article) of the articles before number `before` that share bands; at most `limit`, in order."""
    if not bands:
        return []
    # By hand, as is the writing below: SQLAlchemy takes .3 ms for 42 parameters, the database .05.
    wanted = sorted(set(bands))
    fingerprint = _placeholder(connection)
    statement = (
        f"SELECT band, article FROM lsh_band WHERE band IN ({', '.join([fingerprint] * len(wanted))})"  # noqa: S608
        f" AND article < {fingerprint} ORDER BY band, article LIMIT {fingerprint}"
    )
    rows = connection.exec_driver_sql(statement, (*wanted, before, limit))
    return [(row[0], row[1]) for row in rows]


def _placeholder(connection: Connection) -> str:
    """How the driver writes a parameter."""
    return "?" if connection.dialect.name == "sqlite" else "%s"


def copy_candidates(connection: Connection, numbers: Iterable[int]) -> dict[int, CopyCandidate]:
    """What ranks these articles as candidates, by their numbers."""
    found: dict[int, CopyCandidate] = {}
    ordered = sorted(numbers)
    for part in in_parts(ordered):
        rows = connection.execute(_COPY_CANDIDATES, {"numbers": part})
        found |= {row.n: CopyCandidate(row.n, row.id, row.signature, row.copy_of) for row in rows}
    return found


def copy_ancestors(connection: Connection, id: str, most: int) -> list[int]:  # noqa: A002
    """The numbers of article `id`, of what it is a copy or excerpt of, and so on; at most `most`."""
    numbers: list[int] = []
    at: str | None = id
    while at is not None and len(numbers) < most:
        row = connection.execute(_LINK, {"article_id": at}).first()
        if row is None or row.n in numbers:
            break
        numbers.append(row.n)
        at = row.copy_of
    return numbers


def sketches(connection: Connection, *, after: int) -> Iterator[tuple[int, bytes]]:
    """The stored sampled shingles of the articles with numbers above `after`, in their order."""
    rows = connection.execute(_SKETCHES, {"after": after})
    for part in rows.partitions(5_000):
        yield from ((row[0], row[1]) for row in part)


def sketch_of(connection: Connection, n: int) -> bytes:
    """The stored sampled shingles of article number `n`; b"" where it has none."""
    return connection.execute(_SKETCH, {"number": n}).scalar() or b""


def has_bands(connection: Connection, n: int, bands: Sequence[int]) -> bool:
    """Whether any of its LSH keys `bands` is stored for article number `n`."""
    return connection.execute(_HAS_BANDS, {"number": n, "bands": bands}).first() is not None


def has_copies(connection: Connection, id: str, count: int) -> bool:  # noqa: A002
    """Whether at least `count` articles were placed as copies of article `id`."""
    rows = connection.execute(_COPIES, {"article_id": id, "at_most": count}).all()
    return len(rows) >= count


def copies_before(connection: Connection, id: str, n: int) -> int:  # noqa: A002
    """How many articles of lower numbers than `n` were placed as copies of article `id`."""
    placed = article.c.copy_of == id, article.c.role == "copy", article.c.n < n
    return connection.execute(select(func.count()).select_from(article).where(*placed)).scalar_one()


def compared_text(connection: Connection, id: str) -> ComparedText:  # noqa: A002 - the word that people type
    """The article `id` as the copy level reads it; it must exist."""
    row = connection.execute(_COMPARED_TEXT, {"article_id": id}).one()
    return ComparedText(
        id=id, text=row.text, title=row.title, outlet=row.outlet, signature=row.signature, order=row.n
    )


def source_of(connection: Connection, id: str) -> str:  # noqa: A002 - the word that people type
    """Where article `id` came from first; it must exist."""
    source: str = connection.execute(_SOURCE, {"article_id": id}).scalar_one()
    return source


def latest(connection: Connection, id: str) -> StoredArticle | None:  # noqa: A002 - the word that people type
    """The article that the keys of article `id` mean today, as a revision needs it."""
    row = connection.execute(_LATEST, {"article_id": id}).first()
    return None if row is None else StoredArticle(**row._mapping)


def by_number(connection: Connection, n: int) -> StoredArticle | None:
    """The article of this number, as a revision needs it."""
    row = connection.execute(select(*_STORED).where(article.c.n == n)).first()
    return None if row is None else StoredArticle(**row._mapping)


def evidence_of(connection: Connection, id: str) -> Evidence:  # noqa: A002 - the word that people type
    """Why article `id` is where it is; it must exist."""
    return codecs.unpack(connection.execute(_EVIDENCE, {"article_id": id}).scalar_one(), Evidence)


def ids_of(connection: Connection, name: str) -> list[str]:
    """The articles that an id or an address names, by their keys: addresses themselves have no index."""
    address = canonical_url(name)
    if address is None:
        return [name]
    key = select(identity_key.c.article).where(identity_key.c.key == url_key(address))
    named = select(article.c.id).where(article.c.root.in_(key))
    return [name, *connection.execute(named).scalars()]
