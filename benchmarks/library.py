"""A database of a million invented articles, written as rows, to measure how fast it is read.

    python -m benchmarks.library 1000000 --url sqlite:////tmp/library.db

The pipeline is not used (benchmarks/corpus.py uses it), and only the tables that readers query are filled. There are
10,000 articles a day from 400 outlets; 60 % of the stories have one article, the others 2 to 40 by a power of -1.8. A
text has 200 words (a Chinese one 260 characters), Zipfian over 60,000 invented words of its language, and one
word in seven is among the 14 of its story. Signature, terms and evidence are bytes of the usual sizes. There are six
languages: 72 % en, 12 % de, 8 % zh, 5 % ar, 3 % fr, 1 article in 10,000 mt. Above 250,000 articles, each further block
repeats the first 250,000 and their stories with new ids, 25 days later than the block before; the first block ends at
END. The newest 500 stories are rendered by the program.
"""

import argparse
import base64
import hashlib
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, event, func, insert, select, text, update

from aggregator.model.evidence import Evidence
from aggregator.store import codecs, tables
from aggregator.store.engine.database import Database
from aggregator.store.intake import source_rows
from aggregator.store.intake.source_rows import Source, source_id
from aggregator.store.migrate import upgrade
from aggregator.store.search import index, index_rows
from aggregator.store.stories.rendered_stories import render_next
from aggregator.store.stories.stored_articles import ArticleDetails
from aggregator.stories.story_tuning import shipped_tuning

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
A_DAY = 10_000
BLOCK = 250_000
TOLD = 500  # the number of newest stories that the program renders
OUTLETS = 400
VOCABULARY = 60_000
WORDS = 200
TITLE_WORDS = 9
TOPIC_WORDS = 14
LANGUAGES = (
    ("en", 0.72),
    ("de", 0.12),
    ("zh", 0.08),
    ("ar", 0.05),
    ("fr", 0.0299),
    ("mt", 0.0001),
)
_AT_ONCE = 5_000
_ARABIC = "بتثجحخدرزسشصضطعغفقكلمنهوي"
_SYLLABLES = tuple(
    a + b
    for a in "bcdfghklmnprstvw"
    for b in ("a", "e", "i", "o", "u", "an", "er", "is")
)


class Invented(NamedTuple):
    """An article, and the number of its story."""

    n: int
    story: int
    language: str
    outlet: str
    title: str
    text: str
    time: datetime


def vocabulary(language: str) -> list[str]:
    """Return the words of a language, which are all different, the most frequent first."""
    draw = np.random.default_rng(list(language.encode()))
    words: dict[str, None] = {}
    while len(words) < VOCABULARY:
        if language == "zh":
            made = "".join(
                chr(0x4E00 + int(at))
                for at in draw.integers(0, 2500, draw.choice([2, 2, 2, 3]))
            )
        elif language == "ar":
            made = "".join(
                _ARABIC[int(at)]
                for at in draw.integers(0, len(_ARABIC), draw.integers(3, 7))
            )
        else:
            made = "".join(
                _SYLLABLES[int(at)]
                for at in draw.integers(0, len(_SYLLABLES), draw.integers(2, 5))
            )
        words[made] = None
    return list(words)


# The names of the outlets. The earlier an outlet is in this list, the more articles it has.
NAMES = [
    f"The {a}{b} Courier".title()
    for a in _SYLLABLES
    for b in ("ford", "holm", "stad", "ville")
][:OUTLETS]


class Library:
    """The plan of the database: the story and the time of each article. Texts are made on demand."""

    def __init__(self, count: int, *, seed: int = 5) -> None:
        draw = np.random.default_rng(seed)
        sizes_of_more = np.arange(2, 41) ** -1.8
        sizes: npt.NDArray[np.int64] = np.where(
            draw.random(count) < 0.6,
            1,
            draw.choice(np.arange(2, 41), count, p=sizes_of_more / sizes_of_more.sum()),
        )
        sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), count)) + 1]
        minutes = count / A_DAY * 24 * 60
        begins = np.sort(draw.random(len(sizes))) * minutes
        owner = np.repeat(np.arange(len(sizes)), sizes)
        delays = draw.exponential(9 * 60, len(owner))
        delays[np.cumsum(sizes) - sizes] = 0.0
        at = np.minimum(begins[owner] + delays, minutes)
        order = np.argsort(at, kind="stable")[:count]
        self.owner = owner[order] + 1
        self.minute = at[order] - minutes
        names, shares = zip(*LANGUAGES, strict=True)
        self.language = draw.choice(
            len(names), len(sizes) + 1, p=np.array(shares) / sum(shares)
        )
        self.stories = len(sizes)
        self._draw = draw
        self._words = {name: vocabulary(name) for name in names}
        ranks = 1.0 / (np.arange(VOCABULARY) + 3.0)
        self._shares = np.cumsum(ranks / ranks.sum())

    def articles(self) -> Iterator[Invented]:
        """Yield all articles in the order of their numbers."""
        for start in range(0, len(self.owner), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            drawn = np.searchsorted(
                self._shares, self._draw.random((len(self.owner[part]), WORDS))
            )
            outlets = (OUTLETS ** self._draw.random(len(drawn))).astype(int) - 1
            spots = self._draw.integers(0, WORDS, (len(drawn), WORDS // 7))
            for at, row in enumerate(np.minimum(drawn, VOCABULARY - 1)):
                n = start + at + 1
                story = int(self.owner[n - 1])
                topic = _topic(story)
                row[spots[at]] = topic[spots[at] % TOPIC_WORDS]
                language = LANGUAGES[self.language[story]][0]
                words = self._words[language]
                reported = [words[i] for i in row]
                headline = [words[i] for i in (*topic[at % 3 : at % 3 + 5], *row[:4])]
                yield Invented(
                    n=n,
                    story=story,
                    language=language,
                    outlet=NAMES[int(outlets[at])],
                    title=_written(headline, language).rstrip(".。"),
                    text=_written(reported, language),
                    time=END
                    + timedelta(
                        minutes=float(self.minute[n - 1]), microseconds=n % 1000
                    ),
                )


def _topic(story: int) -> npt.NDArray[np.int64]:
    """Return the ranks of the words that a story is about: 300 or more, higher ranks less often."""
    mixed = (
        np.arange(TOPIC_WORDS, dtype=np.uint64) + np.uint64(story * 31)
    ) * np.uint64(0x9E3779B97F4A7C15)
    even = (mixed >> np.uint64(33)).astype(np.float64) / 2**31
    return (300 * (VOCABULARY / 300) ** even).astype(np.int64)


def _written(words: Sequence[str], language: str) -> str:
    if language == "zh":
        return (
            "。".join(
                "".join(words[at : at + 9]) for at in range(0, len(words[:110]), 9)
            )
            + "。"
        )
    lines = [
        " ".join(words[at : at + 14]).capitalize() + "."
        for at in range(0, len(words), 14)
    ]
    return "\n".join(" ".join(lines[at : at + 3]) for at in range(0, len(lines), 3))


# --- rows --------------------------------------------------------------------------------------------------


def id_of(kind: str, number: int) -> str:
    """Return an id that looks like those of the program."""
    return (
        base64.b32encode(
            hashlib.blake2b(f"{kind}{number}".encode(), digest_size=10).digest()
        )
        .decode()
        .lower()
    )


def build(url: str, count: int) -> None:
    """Fill an empty database."""
    if count > BLOCK and count % BLOCK:
        raise ValueError(
            f"above {BLOCK} articles a database is made of whole blocks of them"
        )
    database = Database(url)
    upgrade(database)
    if database.is_sqlite:
        database.close()

        @event.listens_for(database.engine, "connect")
        def _hurry(connection: Any, _record: Any) -> None:
            for pragma in ("synchronous=OFF", "cache_size=-600000", "foreign_keys=OFF"):
                connection.execute(f"PRAGMA {pragma}")

    began = time.perf_counter()
    if not database.is_sqlite:
        with database.write() as connection:
            connection.execute(text("DROP INDEX ix_article_search_words"))
            connection.execute(
                text("ALTER TABLE article DROP CONSTRAINT fk_article_story")
            )
    _write_first(database, min(count, BLOCK))
    for block in range(1, count // BLOCK):
        with database.write() as connection:
            _copy(connection, block)
        print(
            f"block {block}, {time.perf_counter() - began:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    _end(database)
    database.close()
    print(f"{count} articles in {time.perf_counter() - began:.0f} s", file=sys.stderr)


def _write_first(database: Database, count: int) -> None:
    library = Library(count)
    folders = [f"folder {number}" for number in range(20)]
    with database.write() as connection:
        for number, name in enumerate(NAMES):
            address = f"https://{number}.example/feed"
            source_rows.add(
                connection,
                Source(
                    id=source_id("feed", None, address),
                    kind="feed",
                    address=address,
                    name=name,
                    outlet=name,
                    folder=folders[number % len(folders)],
                    interval_seconds=900,
                    next_due_at=END,
                ),
            )
    source_of = {
        name: source_id("feed", None, f"https://{at}.example/feed")
        for at, name in enumerate(NAMES)
    }
    members: dict[int, list[Invented]] = {}
    left = np.bincount(library.owner, minlength=library.stories + 1)
    batch: list[Invented] = []
    done: list[list[Invented]] = []
    for one in library.articles():
        batch.append(one)
        members.setdefault(one.story, []).append(one)
        left[one.story] -= 1
        if left[one.story] == 0:
            done.append(members.pop(one.story))
        if len(batch) == _AT_ONCE:
            _flush(database, batch, done, source_of)
            batch, done = [], []
    _flush(database, batch, done, source_of)


def _end(database: Database) -> None:
    """Add what the program would have made row by row: the index, counters, rendered stories, statistics."""
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
            connection.execute(
                text(
                    "CREATE INDEX ix_article_search_words ON article_search "
                    "USING gin (words) WITH (fastupdate = off)"
                )
            )
        for name, of, column in (
            ("searchable", "article", "inbox_no"),
            ("inbox", "article", "inbox_no"),
            ("bump", "article", "inbox_no"),
            ("story", "story", "story_no"),
        ):
            connection.execute(
                text(
                    f"UPDATE counter SET value = (SELECT max({column}) FROM {of}) WHERE name = '{name}'"
                )
            )
        newest = connection.execute(select(func.max(tables.story.c.id))).scalar_one()
        connection.execute(
            insert(tables.story_log).values(story=newest, at=END, kind="created")
        )
    tell_newest(database)
    if not database.is_sqlite:
        with database.engine.connect().execution_options(
            isolation_level="AUTOCOMMIT"
        ) as connection:
            connection.execute(text("VACUUM ANALYZE"))


def tell_newest(database: Database) -> None:
    """Render the newest stories as the program does. The others count as rendered already."""
    newest = (
        select(tables.story.c.story_no)
        .order_by(tables.story.c.bumped_at.desc())
        .limit(TOLD)
    )
    with database.write() as connection:
        numbers = (
            connection.execute(newest.where(tables.story.c.redirect_to.is_(None)))
            .scalars()
            .all()
        )
        unrendered = (
            update(tables.story)
            .where(tables.story.c.story_no.in_(numbers))
            .values(text=None)
        )
        connection.execute(unrendered)
    for _ in range(0, TOLD, 50):
        render_next(database, 50, shipped_tuning())


def _copy(connection: Connection, block: int) -> None:
    """Repeat the first block, `block` times 25 days later, with new ids."""
    is_sqlite = connection.dialect.name == "sqlite"
    stories = connection.execute(
        text(f"SELECT max(story_no) FROM story WHERE last_inbox_no <= {BLOCK}")
    ).scalar_one()
    days = block * BLOCK // A_DAY
    for table, number, first, columns in (
        ("story", "story_no", stories, tables.story.c.keys()),
        ("article", "inbox_no", BLOCK, tables.article.c.keys()),
    ):
        values = {name: name for name in columns}
        for name in ("id", "root_article", "story", "founding_article"):
            values[name] = f"substr({name}, {block + 1}) || substr({name}, 1, {block})"
        for name in (
            "published",
            "seen_at",
            "effective_at",
            "placed_at",
            *_STORY_TIMES,
        ):
            values[name] = (
                f"strftime('%Y-%m-%d %H:%M:%S', {name}, '+{days} days') || substr({name}, 20)"
                if is_sqlite
                else f"{name} + interval '{days} days'"
            )
        values[number] = f"{number} + {block * first}"
        values["last_inbox_no"] = f"last_inbox_no + {block * BLOCK}"
        whole = (
            "EXISTS (SELECT 1 FROM story WHERE story.id = article.story)"
            if table == "article"
            else "true"
        )
        connection.execute(
            text(
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values[c] for c in columns)} "
                f"FROM {table} WHERE {number} <= {first} AND {whole} ORDER BY {number}"
            )
        )
    connection.execute(
        text(
            "INSERT INTO story_subject (story_no, kind, position, key, label, outlets) "
            f"SELECT story_no + {block * stories}, kind, position, key, label, outlets FROM story_subject "
            f"WHERE story_no <= {stories}"
        )
    )
    if is_sqlite:
        _index_copies(connection, block)
    else:
        connection.execute(
            text(_COPIED_WORDS.format(days=days, more=block * BLOCK, block=BLOCK))
        )


_STORY_TIMES = ("first_published", "last_published", "bumped_at")
_DAY_MARKS = "to_char({at}, '\"_d\"YYYYMMDD'), to_char({at}, '\"_d\"YYYYMM'), to_char({at}, '\"_d\"YYYY')"
_OLD_MARKS = _DAY_MARKS.format(at="(effective_at AT TIME ZONE 'UTC')")
_NEW_MARKS = _DAY_MARKS.format(
    at="(effective_at AT TIME ZONE 'UTC' + interval '{days} days')"
)
_COPIED_WORDS = (
    "INSERT INTO article_search (n, words, is_long) SELECT a.inbox_no + {more}, ts_delete(s.words, ARRAY["
    + ", ".join(
        f"'{mark}' || (a.inbox_no >> {bits})" for mark, bits in index_rows.SPANS.items()
    )
    + f", {_OLD_MARKS}]) || array_to_tsvector(ARRAY["
    + ", ".join(
        f"'{mark}' || ((a.inbox_no + {{more}}) >> {bits})"
        for mark, bits in index_rows.SPANS.items()
    )
    + f", {_NEW_MARKS}]), s.is_long FROM article a JOIN article_search s ON s.n = a.inbox_no "
    "WHERE a.inbox_no <= {block} AND EXISTS (SELECT 1 FROM story WHERE story.id = a.story)"
)


def _index_copies(connection: Connection, block: int) -> None:
    copied = f"{index_rows.INDEXED} WHERE inbox_no > :last ORDER BY inbox_no"
    rows = connection.execute(
        text(copied).columns(effective_at=tables.UtcTime()), {"last": block * BLOCK}
    )
    while some := rows.fetchmany(_AT_ONCE):
        index.put(connection, some)


def _flush(
    database: Database,
    batch: Sequence[Invented],
    done: Sequence[Sequence[Invented]],
    source_of: dict[str, str],
) -> None:
    with database.write() as connection:
        _write(connection, tables.story, [_story(found) for found in done])
        _write(
            connection,
            tables.story_subject,
            [row for found in done for row in _subjects(found[0])],
        )
        rows = [_article(one, source_of) for one in batch]
        _write(connection, tables.article, rows)
        numbers = [row["inbox_no"] for row in rows]
        added = f"{index_rows.INDEXED} WHERE inbox_no IN :numbers ORDER BY inbox_no"
        index.put(connection, tables.read_rows(connection, added, numbers=numbers))


def _write(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), list(rows))
        return
    driver = connection.connection.driver_connection
    assert driver is not None
    names = list(rows[0])
    with driver.cursor().copy(
        f"COPY {table.name} ({', '.join(names)}) FROM STDIN"
    ) as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


_SIGNATURE = hashlib.shake_256(b"signature").digest(40_000)
_EVIDENCE = codecs.pack(
    Evidence(stage="event", score=3.2, need=1.1, shared=tuple(range(40)))
)
_DETAILS = codecs.pack(ArticleDetails())


def _article(one: Invented, source_of: dict[str, str]) -> dict[str, Any]:
    at = one.n % 30_000
    return {
        "inbox_no": one.n,
        "id": id_of("a", one.n),
        "root_article": id_of("a", one.n),
        "story": id_of("s", one.story),
        "role": "report",
        "is_compared": True,
        "is_polled": True,
        "source": source_of[one.outlet],
        "outlet": one.outlet,
        "outlet_name": None,
        "url": f"https://news.example/{one.n}",
        "title": one.title,
        "lead": one.text.split("\n", 1)[0],
        "text": one.text,
        "language": one.language,
        "author": f"Author {one.n % 997}",
        "published": one.time,
        "published_origin": "feed",
        "published_precision": "minute",
        "seen_at": one.time,
        "effective_at": one.time,
        "details": _DETAILS,
        "verdict": "ok",
        "signature": _SIGNATURE[at : at + 517],
        "terms": _SIGNATURE[at : at + 1600],
        "body_words": WORDS,
        "text_hash": _SIGNATURE[at : at + 16],
        "evidence": _EVIDENCE,
        "placed_at": one.time,
    }


def _story(found: Sequence[Invented]) -> dict[str, Any]:
    first, last = found[0], found[-1]
    return {
        "story_no": first.story,
        "id": id_of("s", first.story),
        "founding_article": id_of("a", first.n),
        "founding_no": 0,
        "title": first.title,
        "summary": first.text[:300],
        "language": first.language,
        "text": first.text,
        "first_published": first.time,
        "last_published": last.time,
        "bumped_at": last.time + timedelta(microseconds=last.n),
        "article_count": len(found),
        "outlet_count": len({one.outlet for one in found}),
        "report_count": len({one.outlet for one in found}),
        "last_inbox_no": last.n,
    }


def _subjects(first: Invented) -> list[dict[str, Any]]:
    """Return the subjects of a story: a common name, a unique name, and, for a third of the stories, a topic."""
    labels = [
        ("name", f"{NAMES[first.story % 40]} Board"),
        ("name", f"Place {first.story}"),
        *([("topic", f"Topic {first.story % 10}")] if first.story % 3 == 0 else []),
    ]
    return [
        {
            "story_no": first.story,
            "kind": kind,
            "position": at,
            "key": label.lower(),
            "label": label,
            "outlets": 2,
        }
        for at, (kind, label) in enumerate(labels)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--url", required=True)
    given = parser.parse_args()
    build(given.url, given.count)


if __name__ == "__main__":
    main()
