"""Rows of articles: writing placed articles, and reading them for placing."""

import datetime as dt
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Row,
    bindparam,
    delete,
    exists,
    func,
    insert,
    select,
    tuple_,
    update,
)

from aggregator.extract.entry_identity import url_key
from aggregator.extract.learned_boilerplate import restore_lines
from aggregator.extract.urls import canonical_url
from aggregator.model.core import (
    Article,
    ArticleView,
    BoilerplateLine,
    CleanArticle,
    ComparedText,
    Enclosure,
    Evidence,
    FrozenStruct,
    Precision,
    PublishedOrigin,
    Role,
    TextReuse,
    Verdict,
    Wire,
)
from aggregator.store import codecs
from aggregator.store.tables import (
    TEXT_OR_EMPTY,
    article,
    change_with,
    entry,
    identity_key,
    in_parts,
    lsh_band,
    observation,
    outlet_line,
    rows_with,
    sketch,
)

ANY_NUMBER: Final = (1 << 63) - 1  # above all inbox numbers
_NEVER_REVERT = 1_000_000  # `observation.revert_count` of the text of another article


class ArticleDetails(FrozenStruct, frozen=True, kw_only=True):
    """The parts of an article that only story pages and explanations read."""

    wire: Wire | None = None
    modified: dt.datetime | None = None
    canonical_url: str | None = None
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    categories: tuple[str, ...] = ()
    repeated: tuple[BoilerplateLine, ...] = ()  # learned boilerplate, hidden from the text
    site_name: str | None = None  # the name of the outlet, if its own site gives it: its page or its feed


def details_of(clean: CleanArticle) -> ArticleDetails:
    """Return the details of an extracted article, which have the same names there."""
    return ArticleDetails(**{name: getattr(clean, name) for name in ArticleDetails.__struct_fields__})


class StoredArticle(Article, frozen=True, kw_only=True):
    """A whole article: one that was placed, as its row has it, or one that is placed now.

    `details` and `evidence` are read where they are needed, and are None elsewhere.
    """

    root_article: str
    generation: int
    url: str | None
    author: str | None
    outlet_name: str | None  # None: as `outlet_key`
    kind_evidence: str | None
    lead: str
    text: str  # "" where retention has deleted it
    language: str | None
    published_origin: PublishedOrigin | None
    published_precision: Precision | None
    timezone_assumed: bool
    seen_at: dt.datetime
    placed_at: dt.datetime
    verdict: Verdict
    signature: bytes
    text_hash: bytes  # of title and whole text
    details: bytes  # ArticleDetails, packed
    is_gone: bool = False  # its text was deleted by retention
    follows: str | None = None  # the earlier story that the one which it founded continues
    # Of an article that is placed now: why it is where it is, the keys by which later ones find it as their
    # original, and whether it bumps its story by the clock.
    evidence: Evidence | None = None
    bands: tuple[int, ...] = ()
    sketch: bytes = b""
    bump_by_clock: bool = False

    def read_details(self) -> ArticleDetails:
        """Return its details. Raises msgspec.MsgspecError if they are damaged."""
        return codecs.unpack(self.details, ArticleDetails)

    @property
    def whole_text(self) -> str:
        """The text with the lines that its outlet repeats, from which its fingerprint was computed."""
        return restore_lines(self.text, codecs.unpack(self.details, ArticleDetails).repeated)


class PublishedSpan(NamedTuple):
    """The first and last effective time of a story's articles: of those with a date, if it has any."""

    first: dt.datetime
    last: dt.datetime
    is_dated: bool

    def with_other(self, other: "PublishedSpan") -> "PublishedSpan":
        """Return the span of both."""
        if self.is_dated != other.is_dated:
            return self if self.is_dated else other
        return PublishedSpan(min(self.first, other.first), max(self.last, other.last), self.is_dated)


def published_span(members: Sequence[Article | ArticleView]) -> PublishedSpan:
    """Return the span of these articles."""
    dated = [one.effective_at for one in members if one.published is not None]
    times = dated or [one.effective_at for one in members]
    return PublishedSpan(min(times), max(times), bool(dated))


_PLAIN: Final = [name for name in StoredArticle.__struct_fields__ if name in article.c and name != "evidence"]
_OF_TEXT: Final = (  # columns that a revision replaces
    *("outlet", "outlet_name", "url", "author", "effective_at", "wire", "title", "kind", "kind_evidence"),
    *("lead", "text", "language", "verdict", "signature", "terms", "body_words", "text_hash", "details"),
    *("published", "published_origin", "published_precision", "timezone_assumed", "date_counts"),
)
_INSERT = insert(article)
_INSERT_SKETCH = insert(sketch)


def insert_articles(connection: Connection, new: Sequence[StoredArticle]) -> None:
    """Insert the rows of articles with details and evidence, their bands and their sampled shingles."""
    if not new:
        return
    rows = []
    for placed in new:
        assert placed.evidence is not None, "it was just decided"
        rows.append(_columns_of(placed) | {"evidence": codecs.pack_compressed(placed.evidence)})
    connection.execute(_INSERT, rows)
    _insert_copy_keys(connection, new)


def _columns_of(whole: StoredArticle) -> dict[str, Any]:
    columns = {name: getattr(whole, name) for name in _PLAIN}
    return columns | {"outlet": whole.outlet_key}


def replace_text(connection: Connection, revised: StoredArticle, bands: Sequence[int]) -> None:
    """Write a revision into the row of its article; story, role and number stay.

    `bands`: all that it may be stored with.
    """
    columns = _columns_of(revised)
    values = {name: columns[name] for name in _OF_TEXT}
    connection.execute(update(article).where(article.c.id == revised.id).values(**values))
    remove_bands(connection, {revised.inbox_no: bands})
    connection.execute(delete(sketch).where(sketch.c.article == revised.inbox_no))
    _insert_copy_keys(connection, [revised])


def _insert_copy_keys(connection: Connection, new: Sequence[StoredArticle]) -> None:
    bands = [(band, placed.inbox_no) for placed in new for band in sorted(set(placed.bands))]
    sketches = [{"article": placed.inbox_no, "hashes": placed.sketch} for placed in new if placed.sketch]
    add_bands(connection, bands)
    if sketches:
        connection.execute(_INSERT_SKETCH, sketches)


def rekey(connection: Connection, old: str, new: str, *, is_authoritative: bool) -> None:
    """Give the identity keys and the observations of article `old` to article `new`.

    `is_authoritative`: whether the authoritative sources of `old` are authoritative for `new`.
    """
    connection.execute(update(identity_key).where(identity_key.c.article == old).values(article=new))
    of_new = select(observation.c.source, observation.c.content_hash).where(observation.c.article == new)
    both = tuple_(observation.c.source, observation.c.content_hash).in_(of_new)
    connection.execute(delete(observation).where(observation.c.article == old, both))
    former = (observation.c.article == old) & observation.c.is_current.is_(False)
    connection.execute(update(observation).where(former).values(revert_count=_NEVER_REVERT))
    values = {"article": new} if is_authoritative else {"article": new, "is_authoritative": False}
    connection.execute(update(observation).where(observation.c.article == old).values(**values))


def set_source(connection: Connection, id: str, source: str, *, is_little_known: bool) -> None:  # noqa: A002
    """Let article `id` be one of `source`, that of its own site, which others had listed before."""
    values = {"source": source, "is_little_known": is_little_known}
    connection.execute(update(article).where(article.c.id == id).values(**values))


_NAMED = select(article.c.details).where(
    article.c.outlet == bindparam("outlet_key"), article.c.outlet_name.is_not(None)
)
_UNNAMED = select(article.c.inbox_no, article.c.story).where(
    article.c.outlet == bindparam("outlet_key"), article.c.outlet_name.is_(None)
)


def own_name_of(connection: Connection, outlet: str) -> str | None:
    """Return the name that an outlet's own site gives it, which one of its articles has; None without any."""
    for row in connection.execute(_NAMED, {"outlet_key": outlet}):
        site_name = codecs.unpack(row.details, ArticleDetails).site_name
        if site_name is not None:
            return site_name
    return None


def unnamed_articles(connection: Connection, outlet: str) -> list[tuple[int, str]]:
    """Return number and story of the articles of an outlet of which only the key is known."""
    return [(row.inbox_no, row.story) for row in connection.execute(_UNNAMED, {"outlet_key": outlet})]


def set_outlet_name(connection: Connection, n: int, name: str) -> None:
    """Let article `n` show this name of its outlet."""
    connection.execute(update(article).where(article.c.inbox_no == n).values(outlet_name=name))


def withdraw_authority(connection: Connection, id: str) -> None:  # noqa: A002 - the word that people type
    """Let no source that had article `id` so far change its text."""
    given_up = update(observation).where(observation.c.article == id)
    connection.execute(given_up.values(is_authoritative=False))


def is_observed(connection: Connection, id: str, source: str) -> bool:  # noqa: A002
    """Return whether `source` had article `id` before."""
    seen = select(observation.c.article).where(observation.c.article == id, observation.c.source == source)
    return connection.execute(seen.limit(1)).first() is not None


def move_all(connection: Connection, loser: str, winner: str) -> None:
    """Assign all articles of a story to another one."""
    connection.execute(update(article).where(article.c.story == loser).values(story=winner))


def move(connection: Connection, ids: Iterable[str], story: str) -> None:
    """Assign these articles to a story."""
    change_with(connection, update(article).values(story=story), article.c.id, ids)


_EVIDENCE = select(article.c.evidence).where(article.c.id == bindparam("article_id"))


def set_evidence(connection: Connection, id: str, evidence: Evidence) -> None:  # noqa: A002
    """Replace the evidence of article `id`; whether it counts as a report follows from it."""
    packed, counts = codecs.pack_compressed(evidence), evidence.counts_as_report
    values = {"evidence": packed, "counts_as_report": counts}
    connection.execute(update(article).where(article.c.id == id).values(**values))


def set_role(
    connection: Connection,
    id: str,  # noqa: A002 - the word that people type
    role: Role,
    copy_of: str | None,
    reuse: TextReuse | None,
) -> None:
    """Set what article `id` is in its story, and whose words it has."""
    evidence = msgspec.structs.replace(evidence_of(connection, id), reuse=reuse)
    values = {"role": role, "copy_of": copy_of, "reuses": reuse.other if reuse else None}
    connection.execute(update(article).where(article.c.id == id).values(**values))
    set_evidence(connection, id, evidence)


def set_compared(connection: Connection, ids: Iterable[str], *, is_compared: bool) -> None:
    """Set whether later articles are compared with these."""
    counted = update(article).values(is_compared=is_compared)
    change_with(connection, counted, article.c.id, ids)


_OWN_FORM = {
    "outlet_key": article.c.outlet.label("outlet_key"),
    "text": TEXT_OR_EMPTY,
    "is_gone": article.c.text.is_(None).label("is_gone"),
}


def _columns_for(shape: type[Article]) -> list[ColumnElement[Any]]:
    """Return the columns of the fields of an article; evidence is read where it is needed."""
    columns: list[ColumnElement[Any]] = []
    for name in shape.__struct_fields__:
        if name in _OWN_FORM:
            columns.append(_OWN_FORM[name])
        elif name in article.c and name != "evidence":
            columns.append(article.c[name])
    return columns


COLUMNS: Final = _columns_for(Article)  # of an Article
_SHARED: Final = ("source", "outlet_key", "role", "kind", "wire")
_MEMBERS = select(*COLUMNS).where(article.c.story == bindparam("story_id")).order_by(article.c.inbox_no)


def members(connection: Connection, story: str) -> list[Article]:
    """Return all articles of a story, in the order of placing."""
    return list(map(of_row, connection.execute(_MEMBERS, {"story_id": story})))


def of_row(row: Row[Any]) -> Article:
    """Return the article of a row of COLUMNS; by position, which is faster than by name."""
    return _article(dict(zip(Article.__struct_fields__, row, strict=True)))


def _article(values: dict[str, Any]) -> Article:
    """Return an article that shares what thousands of articles have in memory: 300 bytes less for each."""
    for name in _SHARED:
        if values[name] is not None:
            values[name] = sys.intern(values[name])
    if values["effective_at"] == values["published"]:
        values["effective_at"] = values["published"]
    return Article(**values)


_ONE_MEMBER = select(*COLUMNS).where(article.c.id == bindparam("article_id"))


def without_text(whole: StoredArticle) -> Article:
    """Return an article as the window has it."""
    return _article({name: getattr(whole, name) for name in Article.__struct_fields__})


def member(connection: Connection, id: str) -> Article:  # noqa: A002
    """Return article `id`, which must exist."""
    return of_row(connection.execute(_ONE_MEMBER, {"article_id": id}).one())


_other = article.alias()
_LAST_STORIES = (
    select(
        article.c.story,
        exists().where(
            _other.c.story == article.c.story,
            _other.c.role != "copy",
            _other.c.inbox_no != article.c.inbox_no,
        ),
    )
    .where(article.c.role != "copy")
    .order_by(article.c.inbox_no.desc())
    .limit(bindparam("at_most"))
)


def last_stories(connection: Connection, count: int) -> list[tuple[str, bool]]:
    """Return the stories of the last articles that are no copies, and whether there are others in them.

    The oldest first.
    """
    rows = connection.execute(_LAST_STORIES, {"at_most": count})
    return [(story, bool(is_shared)) for story, is_shared in rows][::-1]


_DATED = select(article.c.id).where(
    article.c.story == bindparam("story_id"), article.c.published.is_not(None)
)
_BUMPED_BY_CLOCK = (
    select(article.c.id)
    .join(entry, entry.c.inbox_no == article.c.inbox_no)
    .where(article.c.story == bindparam("story_id"), entry.c.bump_by_clock)
)


def has_date(connection: Connection, story: str) -> bool:
    """Return whether an article of the story has a date."""
    return connection.execute(_DATED.limit(1), {"story_id": story}).first() is not None


def was_bumped_by_clock(connection: Connection, story: str) -> bool:
    """Return whether an article of the story was polled or pushed as news, and not read from a file."""
    return connection.execute(_BUMPED_BY_CLOCK.limit(1), {"story_id": story}).first() is not None


_LINK_IN_STORY = select(func.coalesce(article.c.copy_of, article.c.reuses)).where(
    article.c.id == bindparam("article_id"),
    article.c.story == bindparam("story_id"),
    article.c.role != "excerpt",
)


def copy_link_of(connection: Connection, id: str, story: str) -> str | None:  # noqa: A002 - the word that people type
    """Return the text that article `id` copies or reuses; None if it is in another story or an excerpt."""
    return connection.execute(_LINK_IN_STORY, {"article_id": id, "story_id": story}).scalar()


def assigned_stories(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the assigned stories of those of the articles that are placed."""
    chosen = select(article.c.id, article.c.story)
    return {row.id: row.story for row in rows_with(connection, chosen, article.c.id, ids)}


_LINK = select(article.c.inbox_no, article.c.copy_of).where(article.c.id == bindparam("article_id"))
_SKETCHES = (
    select(sketch.c.article, sketch.c.hashes)
    .where(sketch.c.article > bindparam("after"))
    .order_by(sketch.c.article)
    .execution_options(stream_results=True)
)
_SKETCH = select(sketch.c.hashes).where(sketch.c.article == bindparam("number"))
_COPIES = (
    select(article.c.inbox_no)
    .where(article.c.copy_of == bindparam("article_id"), article.c.role == "copy")
    .where(article.c.inbox_no < bindparam("before", type_=BigInteger))
    .limit(bindparam("at_most", type_=Integer))
)
_COMPARED_COLUMNS = ("id", "title", "outlet", "signature", "language", "copy_of", "url", "source")
_COPY_CANDIDATES = select(*(article.c[name] for name in _COMPARED_COLUMNS), article.c.inbox_no.label("order"))
_COMPARED_TEXTS = _COPY_CANDIDATES.add_columns(TEXT_OR_EMPTY)
_STORED = _columns_for(StoredArticle)
_ROOT = select(article.c.root_article).where(article.c.id == bindparam("article_id")).scalar_subquery()
_LATEST = (
    select(*_STORED).where(article.c.root_article == _ROOT).order_by(article.c.generation.desc()).limit(1)
)


def copy_candidates(
    connection: Connection, numbers: Collection[int], waiting: Iterable[StoredArticle] = ()
) -> dict[int, ComparedText]:
    """Return these articles by number, without their texts; `waiting` are placed and have no row yet."""

    candidates = {new.inbox_no: compared_text(new) for new in waiting if new.inbox_no in numbers}
    rows = rows_with(connection, _COPY_CANDIDATES, article.c.inbox_no, {*numbers} - candidates.keys())
    return candidates | {row.order: ComparedText(**row._mapping) for row in rows}


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


def sketches(connection: Connection, *, after: int) -> Iterator[tuple[int, bytes]]:
    """Yield number and sampled shingles of the articles above number `after`, in order."""
    rows = connection.execute(_SKETCHES, {"after": after})
    for part in rows.partitions(5_000):
        yield from ((row[0], row[1]) for row in part)


def sketch_of(connection: Connection, n: int) -> bytes:
    """Return the sampled shingles of article `n`; b"" if it has none."""
    return connection.execute(_SKETCH, {"number": n}).scalar() or b""


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


def latest(connection: Connection, id: str) -> StoredArticle | None:  # noqa: A002 - the word that people type
    """Return the newest generation of article `id`, to which its keys belong; None if it does not exist."""
    row = connection.execute(_LATEST, {"article_id": id}).first()
    return None if row is None else StoredArticle(**row._mapping)


def stored_with(
    connection: Connection, column: ColumnElement[Any], values: Iterable[Any]
) -> list[StoredArticle]:
    """Return the articles whose `column` has one of the values, in the order of placing."""
    rows = rows_with(connection, select(*_STORED), column, values)
    return sorted((StoredArticle(**row._mapping) for row in rows), key=attrgetter("inbox_no"))


def by_number(connection: Connection, n: int) -> StoredArticle | None:
    """Return the article with this inbox number; None if it does not exist."""
    return next(iter(stored_with(connection, article.c.inbox_no, [n])), None)


def evidence_of(connection: Connection, id: str) -> Evidence:  # noqa: A002 - the word that people type
    """Return the evidence of article `id`, which must exist."""
    return codecs.unpack(connection.execute(_EVIDENCE, {"article_id": id}).scalar_one(), Evidence)


def ids_of(connection: Connection, name: str) -> list[str]:
    """Return the ids of articles with this id or address. Addresses are found by their identity keys."""
    address = canonical_url(name)
    if address is None:
        return [name]
    key = select(identity_key.c.article).where(identity_key.c.key == url_key(address))
    named = select(article.c.id).where(article.c.root_article.in_(key))
    return [name, *connection.execute(named).scalars()]


# --- hashes of the lines of each outlet's newest articles (extract/learned_boilerplate.py) -----------------

_OUTLET_LINES = (
    select(outlet_line.c.article, outlet_line.c.lines)
    .where(outlet_line.c.outlet == bindparam("outlet_key"))
    .order_by(outlet_line.c.article)
)
_ADD_LINES = insert(outlet_line)
_DROP_LINES = delete(outlet_line).where(
    outlet_line.c.outlet == bindparam("outlet_key"), outlet_line.c.article == bindparam("number")
)


def outlet_lines(connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
    """Return inbox number and line hashes of the outlet's newest articles, oldest first."""
    return [
        (row.article, bytes(row.lines)) for row in connection.execute(_OUTLET_LINES, {"outlet_key": outlet})
    ]


def change_outlet_lines(
    connection: Connection, dropped: Iterable[tuple[str, int]], new: Mapping[tuple[str, int], bytes]
) -> None:
    """Delete the line hashes of articles, then add others, each by outlet and inbox number."""
    if rows := [{"outlet_key": outlet, "number": number} for outlet, number in dropped]:
        connection.execute(_DROP_LINES, rows)
    if rows := [
        {"outlet": outlet, "article": number, "lines": lines} for (outlet, number), lines in new.items()
    ]:
        connection.execute(_ADD_LINES, rows)


# --- LSH keys of articles: the rows of `lsh_band` -----------------------------------------------------------

KeyPair = tuple[int, int]  # a band and the inbox number of an article under it


def with_bands(connection: Connection, bands: Collection[int], *, before: int = ANY_NUMBER) -> list[KeyPair]:
    """Return these bands with their articles before inbox number `before`, in order."""
    # Plain SQL: SQLAlchemy needs 0.3 ms for 42 parameters, the database 0.05 ms.
    value = "?" if connection.dialect.name == "sqlite" else "%s"
    pairs: list[KeyPair] = []
    for part in in_parts(sorted(set(bands))):
        statement = (
            f"SELECT band, article FROM lsh_band WHERE band IN ({', '.join([value] * len(part))})"  # noqa: S608
            f" AND article < {value}"
        )
        rows = connection.exec_driver_sql(statement, (*part, before)).fetchall()
        pairs += [(row[0], row[1]) for row in rows]
    return sorted(pairs)


def stored_bands(connection: Connection, n: int, bands: Collection[int]) -> set[int]:
    """Return those of these bands that article `n` is stored with."""
    return {band for band, number in with_bands(connection, bands, before=n + 1) if number == n}


def add_bands(connection: Connection, pairs: Sequence[KeyPair]) -> None:
    """Add pairs."""
    if pairs:
        values = "?, ?" if connection.dialect.name == "sqlite" else "%s, %s"
        connection.exec_driver_sql(f"INSERT INTO lsh_band (band, article) VALUES ({values})", [*pairs])  # noqa: S608


def remove_bands(connection: Connection, keys: Mapping[int, Collection[int]]) -> int:
    """Remove those of these bands that articles are stored with, by inbox number. Return their number.

    There is no index of articles.
    """
    removed = 0
    for n, bands in keys.items():
        for part in in_parts(sorted(set(bands))):
            held = lsh_band.c.article == n, lsh_band.c.band.in_(part)
            removed += connection.execute(delete(lsh_band).where(*held)).rowcount
    return removed
