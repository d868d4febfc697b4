"""Reads rows of articles for placing; article_rows/article_writes.py writes them."""

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple
from zlib import crc32

from sqlalchemy import Connection

from aggregator.model.article import Article
from aggregator.model.entry import Enclosure
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import BoilerplateLine, Verdict, Wire
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import (
    Row,
    Values,
    article,
    has_rows,
    read_map,
    read_rows,
    read_struct,
    read_structs,
    read_value,
    read_values,
)
from aggregator.text.lines import word_list


class ArticleDetails(FrozenStruct):
    """The parts of an article that are stored as one packed value, because no query filters or sorts by them."""

    wire: Wire | None = None
    modified: datetime | None = None
    canonical_url: str | None = None
    noarchive: bool = False
    nosnippet: bool = False
    tdm_reserved: bool = False
    media: tuple[Enclosure, ...] = ()
    truncated: bool = False
    categories: tuple[str, ...] = ()
    # Learned boilerplate, which was taken out of the text
    repeated: tuple[BoilerplateLine, ...] = ()
    # The name of the outlet, if its own site gives it: its page or its feed
    site_name: str | None = None
    style: float | None = None
    # None: placed by a version without checksums
    fingerprint_checksum: int | None = None


def fingerprint_checksum(signature: bytes, terms: bytes) -> int:
    """Return the CRC-32 of both. Nothing else in the row of an article would show that a bit of them is damaged."""
    return crc32(terms, crc32(signature))


class StoredArticle(Article, frozen=True, kw_only=True):
    """A whole article, either read from its row or being placed now.

    `html` and `evidence` are not read from the row, because few callers need them.
    """

    root_article: str
    generation: int
    url: str | None
    author: str | None
    record_id: str | None
    outlet_name: str | None  # None: as `outlet_key`
    kind_evidence: str | None
    lead: str
    text: str  # "" where retention has deleted it
    language: str | None
    seen_at: datetime
    placed_at: datetime
    verdict: Verdict
    signature: bytes
    # Hash of the title and the whole text
    text_hash: bytes
    details: bytes  # ArticleDetails, packed
    is_gone: bool = False  # its text was deleted by retention
    # Set only while an article is being placed: its HTML (ArticleHtml, compressed), the evidence for its place, the
    # sampled shingles by which later articles find it as their original, its affinities, and whether it bumps its
    # story by the clock
    html: bytes | None = None
    evidence: Evidence | None = None
    sketch: bytes = b""
    affinities: tuple[tuple[int, int], ...] = ()  # see `affinity` of the tables
    bump_by_clock: bool = False

    def read_details(self) -> ArticleDetails:
        """Return the unpacked details. Raises msgspec.MsgspecError if they are damaged."""
        return codecs.unpack(self.details, ArticleDetails)

    @property
    def whole_text(self) -> str:
        """The text with the lines that its outlet repeats, from which the fingerprint was computed."""
        # This module has patterns to compile, which a list of stories does not need.
        from aggregator.extract.learned_boilerplate import restore_lines

        return restore_lines(self.text, self.read_details().repeated)


# The fields that are not columns of the same name
_COMPUTED = {
    "outlet_key": "article.outlet AS outlet_key",
    "text": "coalesce(article.text, '') AS text",
    "is_gone": "article.text IS NULL AS is_gone",
}


def _columns_for(shape: type[Article]) -> str:
    """Return the columns for the fields of an article, except evidence and HTML, which few callers need."""
    columns = []
    for name in shape.__struct_fields__:
        if name in _COMPUTED:
            columns.append(_COMPUTED[name])
        elif name in article.c and name not in ("evidence", "html"):
            columns.append(f"article.{name}")
    return ", ".join(columns)


# The columns of an Article, for SQL text
COLUMNS = _columns_for(Article)
_SHARED = ("source", "outlet_key", "role", "kind", "wire")


def read_articles_of(connection: Connection, story: str) -> list[Article]:
    """Return all articles of a story, in the order of placing."""
    placed = f"SELECT {COLUMNS} FROM article WHERE story = :story ORDER BY inbox_no"  # noqa: S608
    return list(map(article_of_row, read_rows(connection, placed, story=story)))


def article_of_row(row: Row) -> Article:
    """Return the article of a row with COLUMNS, which is read by position, because this is faster than by name."""
    return _article(dict(zip(Article.__struct_fields__, row, strict=True)))


def _article(values: Values) -> Article:
    """Return an article. Equal values of articles share one object in memory, which saves 300 bytes each."""
    for name in _SHARED:
        if values[name] is not None:
            values[name] = sys.intern(values[name])
    if values["effective_at"] == values["published"]:
        values["effective_at"] = values["published"]
    return Article(**values)


def without_text(whole: StoredArticle) -> Article:
    """Return the part of an article that the window keeps."""
    return _article({name: getattr(whole, name) for name in Article.__struct_fields__})


def read_article(connection: Connection, id: str) -> Article:
    """Return article `id`, which must exist."""
    (row,) = read_rows(
        connection,
        f"SELECT {COLUMNS} FROM article WHERE id = :id",  # noqa: S608
        id=id,
    )
    return article_of_row(row)


class LastArticle(NamedTuple):
    """One of the articles that were placed last."""

    story: str
    age: timedelta  # its age when it was accepted
    # Whether its story has other articles that are not copies
    has_others: bool


def last_articles(connection: Connection, count: int) -> list[LastArticle]:
    """Return the `count` articles that were placed last, without copies, in the order of placing."""
    rows = read_rows(
        connection,
        """
        SELECT story, seen_at, effective_at,
          EXISTS (SELECT 1 FROM article AS other WHERE other.story = article.story
                  AND other.role <> 'copy' AND other.inbox_no <> article.inbox_no) AS has_others
        FROM article WHERE role <> 'copy' ORDER BY inbox_no DESC LIMIT :count
        """,
        count=count,
    )
    return [
        LastArticle(row.story, row.seen_at - row.effective_at, bool(row.has_others))
        for row in reversed(rows)
    ]


# Columns that are compared to find an earlier copy that counts alike (`repeats_another`)
_COMPARED_OF_COPY = word_list("""
    story copy_of effective_at role kind is_little_known counts_as_report
""")


def has_date(connection: Connection, story: str) -> bool:
    """Return whether an article of the story has a date."""
    return has_rows(
        connection,
        "SELECT 1 FROM article WHERE story = :story AND published IS NOT NULL LIMIT 1",
        story=story,
    )


def repeats_another(connection: Connection, new: StoredArticle) -> bool:
    """Return whether a new article adds nothing but itself to the counts of its story.

    This is so for a copy with a date, if its story has an earlier copy with a date that counts alike: a copy of the
    same text by the same outlet.
    """
    if new.role != "copy" or new.published is None:
        return False
    texts = ("reuses", "version_of", "wire", "outlet_key", "claimed_outlet")
    values = {name: getattr(new, name) or "" for name in texts}
    for name in _COMPARED_OF_COPY:
        values[name] = getattr(new, name)
    # No id and no key of an outlet is empty, so "" can stand for null.
    return has_rows(
        connection,
        """
        SELECT 1 FROM article
        WHERE story = :story AND copy_of = :copy_of AND effective_at <= :effective_at AND published IS NOT NULL
        AND role = :role AND kind = :kind AND coalesce(reuses, '') = :reuses
        AND coalesce(version_of, '') = :version_of AND coalesce(wire, '') = :wire
        AND coalesce(outlet, '') = :outlet_key AND coalesce(claimed_outlet, '') = :claimed_outlet
        AND is_little_known = :is_little_known AND counts_as_report = :counts_as_report LIMIT 1
        """,
        **values,
    )


def was_bumped_by_clock(connection: Connection, story: str) -> bool:
    """Return whether an article of the story was polled or pushed as news, and not read from a file."""
    return has_rows(
        connection,
        """
        SELECT 1 FROM article JOIN entry ON entry.inbox_no = article.inbox_no
        WHERE article.story = :story AND entry.bump_by_clock LIMIT 1
        """,
        story=story,
    )


def assigned_stories(connection: Connection, ids: Iterable[str]) -> dict[str, str]:
    """Return the story of each of these articles that is placed, by article."""
    return read_map(
        connection, "SELECT id, story FROM article WHERE id IN :ids", ids=ids
    )


_STORED = f"SELECT {_columns_for(StoredArticle)} FROM article"  # noqa: S608


def read_newest_generation(connection: Connection, id: str) -> StoredArticle | None:
    """Return the newest generation of article `id`, which owns the keys; None if the article does not exist."""
    return read_struct(
        connection,
        StoredArticle,
        f"""
        {_STORED} WHERE root_article = (SELECT root_article FROM article WHERE id = :id)
        ORDER BY generation DESC LIMIT 1
        """,  # noqa: S608
        id=id,
    )


def read_generation_with_text(
    connection: Connection, root: str, text_hash: bytes
) -> StoredArticle | None:
    """Return the generation of article `root` whose text has this hash; None without one."""
    return read_struct(
        connection,
        StoredArticle,
        f"{_STORED} WHERE root_article = :root AND text_hash = :text_hash",
        root=root,
        text_hash=text_hash,
    )


def read_whole_articles(
    connection: Connection, column: str, values: Iterable[Any]
) -> list[StoredArticle]:
    """Return the articles whose `column` has one of the values, in the order of placing."""
    stored = read_structs(
        connection, StoredArticle, f"{_STORED} WHERE {column} IN :values", values=values
    )
    return sorted(stored, key=attrgetter("inbox_no"))


def read_evidence(connection: Connection, id: str) -> Evidence:
    """Return the evidence of article `id`, which must exist."""
    return codecs.unpack(
        read_value(connection, "SELECT evidence FROM article WHERE id = :id", id=id),
        Evidence,
    )


def find_ids(connection: Connection, name: str) -> list[str]:
    """Return the ids that `name` may mean: itself, and for an address the articles with its identity key."""
    # These modules have large patterns, so they are imported only here.
    from aggregator.extract.entry_identity import url_key
    from aggregator.extract.urls import canonical_url

    address = canonical_url(name)
    if address is None:
        return [name]
    generations = """
        SELECT article.id FROM article JOIN identity_key ON identity_key.article = article.root_article
        WHERE identity_key.key = :key
        """
    return [name, *read_values(connection, generations, key=url_key(address))]
