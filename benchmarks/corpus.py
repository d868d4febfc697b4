"""A stream of invented articles of any length, and a database in which the first of them are placed.

The stream has the shape of real news: a story is made of the sentences of one article of
`events-fulltext` (a third), of two articles of one event (a fifth) or of random ones (half), in which
most words, names and numbers are exchanged for others of similar frequency, by a hash of story and word. The choice of
the article is Zipfian, so popular topics have many stories that look alike. The number of articles of a story is s
with a probability proportional to s^-2.1, at most 500, and they appear within days. Each report takes some of the
sentences and has words of its own. One article in six is a copy: unchanged, cut, or with new sentences.

A database of 10,000 has the first articles of the stream as the program itself placed them. A larger one
has these as its newest and, before them, blocks made of their rows, with other ids and earlier times, and with each
value of a signature taken from another article. The newest blocks (300,000 articles) also have other terms and
sampled shingles, so that no new article joins their stories by mistake. Copies are never in different blocks.
"""

import functools
import gzip
import hashlib
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, event, update

from aggregator.config.tuning import Tuning
from aggregator.grouping.copies import sampled_shingles
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.pairs.weights import EventTuning
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.entry import Entry, Published
from aggregator.store import tables
from aggregator.store.engine.database import Database
from aggregator.store.engine.engines import sqlite_driver
from aggregator.store.intake import acceptance
from aggregator.store.migrate import newest_revision, upgrade
from aggregator.text.sentences import split_sentences

Ints = npt.NDArray[np.int64]

# The newest articles that are made unlike others. They include all that are live or searched for copies, since
# events.live_reach and copies.passage_reach of config/tuning.yaml are lower.
WINDOW = 300_000
BLOCK = 10_000  # articles of the stream in a database
START = datetime(2026, 1, 5, tzinfo=UTC)
# A block takes four days, so that most stories of a block end in it.
MINUTES_AN_ARTICLE = 4 * 24 * 60 / BLOCK
MINUTES_A_BLOCK = (
    14 * 24 * 60 * BLOCK / WINDOW
)  # from one block to the next, so that WINDOW articles span 14 days
LONGEST_STORY = 500
OUTLETS = 400
ACCEPTED_AT_ONCE = 100

_CHUNK = re.compile(r"^(\W*)(.*?)(\W*)$")
_ODD = np.uint64(0x9E3779B97F4A7C15)
_ODD_2 = np.uint64(0xFF51AFD7ED558CCD)
_EDITION = 6  # raise this when the same numbers give other rows
_COMMON = 120  # this many of the most frequent words are not exchanged
_FIXED, _SMALL, _CAPITAL, _NUMBER, _OPENING = range(5)
_ALL = (_SMALL, _CAPITAL, _NUMBER, _OPENING)


class Made(NamedTuple):
    """An article of the stream."""

    n: int  # its inbox number, from 1
    story: int
    title: str
    text: str
    outlet: str
    time: datetime
    copy: int | None  # the number of its original, if this is a copy

    def entry(self) -> Entry:
        """Return the article as the entry of a JSONL file."""
        return Entry(
            source=self.outlet,
            guid=str(self.n),
            url=f"https://{self.outlet}/{self.time:%Y/%m/%d}/{self.n}",
            title=self.title,
            text=self.text,
            outlet=self.outlet,
            language="en",
            published=Published(time=self.time),
        )

    def line(self) -> str:
        """Return the article as a line of a JSONL file."""
        return json.dumps(
            {
                "id": str(self.n),
                "source": self.outlet,
                "url": f"https://{self.outlet}/{self.time:%Y/%m/%d}/{self.n}",
                "published": self.time.isoformat(),
                "title": self.title,
                "text": self.text,
                "lang": "en",
            }
        )


class _Sentence(NamedTuple):
    """A sentence, or several in a row."""

    words: Ints  # numbers of words
    frames: Ints  # numbers of the characters around each word


class _Words:
    """All words of the sentences, by class and frequency."""

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        tally: dict[str, int] = {}
        opening: dict[str, int] = {}
        for sentences in texts:
            for sentence in sentences:
                for place, chunk in enumerate(sentence.split()):
                    word = _parts(chunk)[1]
                    tally[word] = tally.get(word, 0) + 1
                    opening[word] = opening.get(word, 0) + (place == 0)
        ordered = sorted(tally, key=lambda word: (-tally[word], word))
        self.words = np.array(ordered, dtype=object)
        self.number = {word: at for at, word in enumerate(ordered)}
        kinds = [_kind(word, opening[word] / tally[word]) for word in ordered]
        kinds[:_COMMON] = [_FIXED] * _COMMON
        self.kind = np.array(kinds)
        self.rank = np.zeros(len(ordered), dtype=np.int64)
        self.ranked: list[Ints] = []
        for kind in range(5):
            members = np.flatnonzero(self.kind == kind)
            self.rank[members] = np.arange(len(members))
            self.ranked.append(members)
        self.frames: list[tuple[str, str]] = [("", "")]
        self._frame_number = {("", ""): 0}

    def sentence(self, line: str) -> _Sentence:
        parts = [_parts(chunk) for chunk in line.split()]
        frames = []
        for before, _, after in parts:
            frame = (before, after)
            if frame not in self._frame_number:
                self._frame_number[frame] = len(self.frames)
                self.frames.append(frame)
            frames.append(self._frame_number[frame])
        return _Sentence(
            np.array([self.number[part[1]] for part in parts]), np.array(frames)
        )

    def exchanged(
        self, words: Ints, key: int, share: float, kinds: Sequence[int]
    ) -> Ints:
        """Return the words with some exchanged for others of similar frequency; the key decides which."""
        mixed = (words.astype(np.uint64) + np.uint64(key)) * _ODD
        mixed ^= mixed >> np.uint64(29)
        mixed *= _ODD_2
        mixed ^= mixed >> np.uint64(32)
        chosen = (mixed & np.uint64(0xFFFF)) < np.uint64(int(share * 0x10000))
        drift = ((mixed >> np.uint64(16)) & np.uint64(0xFFFF)).astype(
            np.float64
        ) / 0x10000
        result = words.copy()
        for kind in kinds:
            spots = np.flatnonzero(chosen & (self.kind[words] == kind))
            ranked = self.ranked[kind]
            if len(spots):
                ranks = (self.rank[words[spots]] + 4) * (0.7 + 0.75 * drift[spots])
                result[spots] = ranked[ranks.astype(np.int64) % len(ranked)]
        return result

    def written(self, sentence: _Sentence, ends: Sequence[int] = ()) -> str:
        """Return the text of a sentence; a paragraph ends before each place of `ends`."""
        words: list[str] = self.words[sentence.words].tolist()
        spots = np.flatnonzero(sentence.frames)
        for at, frame in zip(
            spots.tolist(), sentence.frames[spots].tolist(), strict=True
        ):
            before, after = self.frames[frame]
            words[at] = f"{before}{words[at]}{after}"
        for end in ends:
            words[end - 1] += "\n"
        return " ".join(words).replace("\n ", "\n").rstrip("\n")


def _joined(sentences: Sequence[_Sentence]) -> _Sentence:
    return _Sentence(
        np.concatenate([s.words for s in sentences]),
        np.concatenate([s.frames for s in sentences]),
    )


@functools.cache
def _parts(chunk: str) -> tuple[str, str, str]:
    found = _CHUNK.match(chunk)
    assert found is not None, "the pattern fits everything"
    return found[1], found[2], found[3]


def _kind(word: str, opening_share: float) -> int:
    if word[:1].isdigit():
        return _NUMBER
    if len(word) < 3:
        return _FIXED
    if word[:1].islower():
        return _SMALL
    return _CAPITAL if opening_share < 0.5 else _OPENING


class Stream:
    """The articles by number, which are the same for the same seed and data."""

    def __init__(self, data: Path, length: int, *, seed: int = 2026) -> None:
        """`length` is the highest number of an article; the lowest is 1."""
        self.seed = seed
        with gzip.open(
            data / "events-fulltext.jsonl.gz", "rt", encoding="utf-8"
        ) as lines:
            found = [json.loads(line) for line in lines]
        texts = [
            [s for part in one["text"].split("\n") for s in split_sentences(part)]
            for one in found
        ]
        titles = [[one["title"] or "Untitled"] for one in found]
        self._words = _Words([*texts, *titles])
        self._texts = [
            [self._words.sentence(s) for s in sentences if s.split()]
            for sentences in texts
        ]
        self._titles = [self._words.sentence(title[0]) for title in titles]
        usable = [
            at for at, sentences in enumerate(self._texts) if len(sentences) >= 14
        ]
        rng = np.random.default_rng(seed)
        self._seeds = rng.permutation(np.array(usable))
        weights = 1.0 / (np.arange(len(usable)) + 12.0)
        self._seed_shares = np.cumsum(weights / weights.sum())
        clusters: dict[Any, list[int]] = {}
        for at in usable:
            clusters.setdefault(found[at]["cluster"], []).append(at)
        self._neighbours = {
            at: [o for o in members if o != at]
            for members in clusters.values()
            for at in members
        }
        self._plan(length)
        self._pool = functools.lru_cache(maxsize=60_000)(self._pool_of)
        self._text = functools.lru_cache(maxsize=60_000)(self._text_of)

    def _plan(self, length: int) -> None:
        """Assign each number to a story, in spans of time, so that a longer stream begins like a short one."""
        sizes = np.arange(1, LONGEST_STORY + 1, dtype=np.float64) ** -2.1
        shares = np.cumsum(sizes / sizes.sum())
        mean = float((np.arange(1, LONGEST_STORY + 1) * sizes / sizes.sum()).sum())
        span = 20_000 * MINUTES_AN_ARTICLE  # minutes planned at once
        warm = 2  # spans before the first number, so that stories are under way by then
        spans = int(np.ceil(length * 1.15 / 20_000)) + warm + 2
        minutes, owners, firsts = [], [], 0
        for at in range(spans):
            draw = np.random.default_rng((self.seed, 1, at))
            founded = draw.poisson(20_000 / mean)
            size = np.searchsorted(shares, draw.random(founded)) + 1
            begin = np.sort(draw.random(founded)) * span + at * span
            owner = np.repeat(np.arange(founded), size)
            delay = draw.exponential(24 * 60, len(owner))
            delay[np.concatenate(([0], np.cumsum(size)[:-1]))] = 0.0
            minutes.append(begin[owner] + delay)
            owners.append(owner + firsts)
            firsts += founded
        minute, owner = np.concatenate(minutes), np.concatenate(owners)
        order = np.argsort(minute, kind="stable")
        order = order[minute[order] >= warm * span][:length]
        if len(order) < length:
            raise ValueError("the stream was planned too short")
        self._owner = owner[order]
        self._minute = minute[order]
        by_story = np.argsort(self._owner, kind="stable")
        starts = np.flatnonzero(np.diff(self._owner[by_story], prepend=-1))
        place = np.empty(length, dtype=np.int64)
        run = np.diff(np.append(starts, length))
        place[by_story] = np.arange(length) - np.repeat(starts, run)
        self._place = place
        self._numbers = by_story + 1
        self._start_of = dict(
            zip(self._owner[by_story][starts].tolist(), starts.tolist(), strict=True)
        )

    def __len__(self) -> int:
        return len(self._owner)

    def article(self, n: int) -> Made:
        """Return the article with number `n`, from 1."""
        story, place = int(self._owner[n - 1]), int(self._place[n - 1])
        title, text_, copy = self._text(story, place)
        draw = _draws(self.seed, 7, story, place)
        outlet = int(OUTLETS ** draw[0]) - 1
        copy_of = (
            None if copy is None else int(self._numbers[self._start_of[story] + copy])
        )
        moment = START + timedelta(seconds=int(self._minute[n - 1] * 60))
        return Made(n, story, title, text_, f"outlet{outlet}.example", moment, copy_of)

    def _pool_of(self, story: int) -> tuple[_Sentence, list[_Sentence]]:
        """Return the title and the sentences from which the reports of a story are made."""
        draw = np.random.default_rng((self.seed, 3, story))
        at = int(self._seeds[np.searchsorted(self._seed_shares, draw.random())])
        sentences = list(self._texts[at][:40])
        mode = draw.random()
        if 0.3 <= mode < 0.5 and self._neighbours[at]:
            other = self._neighbours[at][int(draw.integers(len(self._neighbours[at])))]
            sentences = [*sentences[:20], *self._texts[other][:18]]
        elif mode >= 0.5:
            picks = self._seeds[draw.integers(len(self._seeds), size=26)].tolist()
            sentences = [
                *sentences[:3],
                *(self._texts[pick][2 + story % 9] for pick in picks),
            ]
        title, key = self._titles[at], int(draw.integers(1 << 62))
        whole = _joined([title, *sentences])
        changed = self._words.exchanged(whole.words, key, 0.94, _ALL)
        ends = np.cumsum(
            [len(title.words), *(len(s.words) for s in sentences)]
        ).tolist()
        parts = [
            _Sentence(changed[start:end], whole.frames[start:end])
            for start, end in itertools.pairwise((0, *ends))
        ]
        return parts[0], parts[1:]

    def _text_of(self, story: int, place: int) -> tuple[str, str, int | None]:
        """Return the title, the text and, for a copy, the place of its original in the story."""
        draw = np.random.default_rng((self.seed, 5, story, place))
        if place > 0 and draw.random() < 0.24:
            copy = int(draw.integers(max(0, place - 6), place))
            known = self._text(story, copy)
            if known[2] is None:
                return self._copy(known, copy, story, place, draw)
        title, pool = self._pool(story)
        count = int(np.clip(draw.lognormal(2.95, 0.35), 6, len(pool)))
        later = 1 + np.sort(draw.permutation(len(pool) - 1)[: count - 1])
        chosen = [title, pool[0], *(pool[at] for at in later.tolist())]
        whole = _joined(chosen)
        if place > 0:
            own = (self.seed * 31 + story * 1_000_003 + place * 7_919) & ((1 << 62) - 1)
            whole = whole._replace(
                words=self._words.exchanged(
                    whole.words, own, 0.4, (_SMALL, _CAPITAL, _OPENING)
                )
            )
        ends = np.cumsum([len(s.words) for s in chosen]).tolist()
        body = _Sentence(whole.words[ends[0] :], whole.frames[ends[0] :])
        headline = _Sentence(whole.words[: ends[0]], whole.frames[: ends[0]])
        paragraphs = [end - ends[0] for end in ends[2::2]]
        return (
            self._words.written(headline),
            self._words.written(body, paragraphs),
            None,
        )

    def _copy(
        self,
        known: tuple[str, str, int | None],
        copy: int,
        story: int,
        place: int,
        draw: np.random.Generator,
    ) -> tuple[str, str, int | None]:
        title, whole, _ = known
        lines = whole.split("\n")
        way = draw.random()
        if way < 0.3 and len(lines) > 4:
            lines = lines[: max(3, int(len(lines) * draw.uniform(0.5, 0.85)))]
        elif way < 0.5:
            spots = draw.choice(len(lines), size=max(1, len(lines) // 6), replace=False)
            other = self._texts[int(self._seeds[int(draw.integers(len(self._seeds)))])]
            for at in spots.tolist():
                key = story * 1_000_003 + place
                picked = other[int(draw.integers(len(other)))]
                changed = self._words.exchanged(picked.words, key, 0.6, _ALL)
                lines[at] = self._words.written(_Sentence(changed, picked.frames))
        return title, "\n".join(lines), copy


def _draws(*key: int) -> list[float]:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return [int.from_bytes(digest, "little") / 2**64]


# --- rows --------------------------------------------------------------------------------------------------


class Clock:
    """A clock that is set to the time of the articles that are placed."""

    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


def _place(database: Database, made: Sequence[Made], all_tuning: Tuning) -> None:
    """Accept and place the articles as the program does."""
    clock = Clock()
    pipeline = Pipeline(database, InlineExecutor(), all_tuning, clock)
    began = time.perf_counter()
    for start in range(0, len(made), ACCEPTED_AT_ONCE):
        part = made[start : start + ACCEPTED_AT_ONCE]
        clock.time = part[-1].time
        with database.write() as connection:
            acceptance.accept(
                connection,
                [one.entry() for one in part],
                seen=[one.time for one in part],
            )
        for _ in pipeline.place_waiting():
            pass
        if start // ACCEPTED_AT_ONCE % 20 == 19:
            print(
                f"{start} placed after {time.perf_counter() - began:.0f} s",
                file=sys.stderr,
                flush=True,
            )
    with database.write() as connection:
        _count_up(connection, {"searchable": len(made)})
        # All stories count as rendered, because the first command would otherwise render stories for seconds.
        connection.execute(update(tables.story).values(text=tables.story.c.summary))


def _count_up(connection: Connection, values: Mapping[str, int]) -> None:
    """Set counters. `searchable` is set without indexing, so the full-text index stays empty."""
    for name, value in values.items():
        connection.execute(
            update(tables.counter)
            .where(tables.counter.c.name == name)
            .values(value=value)
        )


# --- blocks of older articles ------------------------------------------------------------------------------


def _stack(connection: Connection, base: Path, blocks: int) -> None:
    """Write all rows of the database `base` as the newest block, and before it `blocks` - 1 blocks made of them."""
    raw = connection.connection.driver_connection
    assert raw is not None, "the connection is open"
    raw.execute("ATTACH ? AS base", (str(base),))
    stories = raw.execute("SELECT max(story_no) FROM base.story").fetchone()[0]
    signed = raw.execute(
        "SELECT inbox_no, signature FROM base.article ORDER BY inbox_no"
    ).fetchall()
    for age in range(blocks - 1, -1, -1):  # the oldest first
        draw = np.random.default_rng((2026, 11, age))
        changes = _Changes(age, is_live=(age + 1) * BLOCK <= WINDOW)
        marks = dict(signed) if age == 0 else _mixed_signatures(signed, draw)
        raw.create_function("renamed", 1, changes.name)
        raw.create_function("marked", 1, marks.__getitem__)
        raw.create_function("termed", 1, changes.terms)
        raw.create_function("sketched", 1, changes.sketch)
        raw.create_function("keyed", 1, changes.key)
        before = blocks - 1 - age
        _copy_block(raw, before * BLOCK, before * stories, round(age * MINUTES_A_BLOCK))
        print(f"block {blocks - age} of {blocks}", file=sys.stderr, flush=True)
    _copy_history(raw, (blocks - 1) * BLOCK)
    names = ("entry", "inbox", "searchable", "bump")
    _count_up(
        connection, dict.fromkeys(names, blocks * BLOCK) | {"story": blocks * stories}
    )


_TIMES = (
    *(
        "accepted_at",
        "done_at",
        "changed_at",
        "first_published",
        "last_published",
        "bumped_at",
    ),
    *("published", "seen_at", "effective_at", "placed_at", "at"),
)
_NAMES = ("article", "story", "founding_article", "id", "root_article", "copy_of")
_DERIVED = {
    "signature": "marked(inbox_no)",
    "terms": "termed(terms)",
    "content_hash": "keyed(content_hash)",
}


_ORDER = {
    "entry": "entry_no",
    "story": "story_no",
    "article": "inbox_no",
    "story_log": "log_no",
    "sketch": "article",
}


def _copy_block(
    raw: Any, articles_before: int, stories_before: int, minutes: int
) -> None:
    for table in (
        "entry",
        "identity_key",
        "observation",
        "story",
        "article",
        "sketch",
        "story_log",
    ):
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        values = {name: f'"{name}"' for name in names}
        for name in (name for name in names if name in _TIMES):
            values[name] = (
                f"strftime('%Y-%m-%d %H:%M:%S', {name}, '-{minutes} minutes') || substr({name}, 20)"
            )
        values |= {name: f'renamed("{name}")' for name in names if name in _NAMES}
        values |= {name: rule for name, rule in _DERIVED.items() if name in names}
        for name in ("inbox_no", "last_inbox_no", "membership_changed_no"):
            if name in names:
                values[name] = f"{name} + {articles_before}"
        if table == "entry":
            values["entry_no"] = f"entry_no + {articles_before}"
        elif table == "story":
            values["story_no"] = f"story_no + {stories_before}"
        elif table == "story_log":
            values["log_no"] = "NULL"
        elif table == "sketch":
            values = {
                "article": f"article + {articles_before}",
                "hashes": "sketched(hashes)",
            }
        elif table == "identity_key":
            values["key"] = "keyed(key)"
        order = _ORDER.get(table)
        raw.execute(
            f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(values[n] for n in names)} "
            f"FROM base.{table}" + (f" ORDER BY {order}" if order else "")
        )


def _copy_history(raw: Any, articles_before: int) -> None:
    """Copy the history of the newest articles: lines of outlets, counts of sources, word frequencies.

    Before it, write a stream period without words for each day, by which the program finds the articles of its window.
    """
    a_day = round(24 * 60 * BLOCK / MINUTES_A_BLOCK)
    days = articles_before // a_day
    added = {
        "article": articles_before,
        "last_inbox_no": articles_before,
        "number": days,
        "period": days,
    }
    for table in ("outlet_line", "stream_period", "source_history", "source_period"):
        names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
        values = (
            f"{name} + {added[name]}" if name in added else name for name in names
        )
        raw.execute(
            f"INSERT INTO main.{table} ({', '.join(names)}) SELECT {', '.join(values)} FROM base.{table}"
        )
    first_day = raw.execute("SELECT min(day) FROM base.stream_period").fetchone()[0]
    raw.executemany(
        "INSERT INTO stream_period (number, day, last_inbox_no, articles, terms) VALUES (?, ?, ?, ?, x'')",
        [
            (days - age, first_day - 1 - age, articles_before - age * a_day, a_day)
            for age in range(days)
        ],
    )


class _Changes:
    """How the rows of a block differ from the rows that they are made of. `age` 0 changes nothing."""

    def __init__(self, age: int, *, is_live: bool) -> None:
        self._age, self._is_live = age, is_live and age > 0
        self._low = (age * 389) & 0x3FF
        letters = "abcdefghijklmnopqrstuvwxyz234567"  # the letters of ids
        self._letters = str.maketrans(
            letters, letters[age % 32 :] + letters[: age % 32]
        )
        self._turn = age % 15

    def name(self, id_: str | None) -> str | None:
        if id_ is None:
            return None
        other = id_.translate(self._letters)
        return other[self._turn :] + other[: self._turn]

    def key(self, key: bytes) -> bytes:
        return key if not self._age else bytes((key[0] ^ self._age, *key[1:]))

    def terms(self, packed: bytes) -> bytes:
        if not self._is_live:
            return packed
        words = np.frombuffer(packed, "<u4")
        return bytes(
            (words ^ (self._flips(words >> np.uint32(10)) << np.uint32(10))).astype(
                "<u4"
            )
        )

    def sketch(self, blob: bytes) -> bytes:
        if not self._is_live:
            return blob
        hashes = sampled_shingles.hashes_of_sketch(blob)
        upper = hashes >> np.uint32(15)
        changed = (upper * np.uint32(2654435761) >> np.uint32(20)) % np.uint32(100) < 96
        flips = np.where(
            changed, np.uint32((self._age * 12_345) & 0x7FFF), np.uint32(0)
        )
        return blob[:4] + np.sort(hashes ^ flips).astype("<u4").tobytes()

    def _flips(self, ids: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """Return bits that turn most terms into others, one to one, and a term into the same in every field."""
        upper = (ids >> np.uint32(10)) & np.uint32(0x1FF)
        changed = (upper * np.uint32(2654435761) >> np.uint32(20)) % np.uint32(100) < 93
        return np.where(changed, np.uint32(self._low), np.uint32(0))


def _mixed_signatures(
    signed: Sequence[tuple[int, bytes]], draw: np.random.Generator
) -> dict[int, bytes]:
    """Return a signature for each article, each value of which is taken from another article."""
    head = next(mark[:5] for _, mark in signed if mark)
    whole = [n for n, mark in signed if mark]
    table = np.frombuffer(
        b"".join(mark[5:] for _, mark in signed if mark), "<u4"
    ).reshape(len(whole), -1)
    mixed = np.stack(
        [table[draw.permutation(len(table)), c] for c in range(table.shape[1])], axis=1
    )
    found = {n: head + row.tobytes() for n, row in zip(whole, mixed, strict=True)}
    return {n: found.get(n, b"") for n, _ in signed}


# --- the database, made once -------------------------------------------------------------------------------


def database_of(count: int, cache: Path, data: Path) -> Path:
    """Return the file of a database of `count` articles, which is made if it is not in `cache` yet.

    The name contains a hash of the revision of the tables, the constants for copies and events, and `_EDITION`, so that
    a new file is made if one of them changes.
    """
    all_tuning = Tuning()
    tuning = (
        all_tuning.section("copies", CopyTuning),
        all_tuning.section("events", EventTuning),
    )
    parts = repr((_EDITION, tuning, newest_revision())).encode()
    name = hashlib.blake2b(parts, digest_size=5).hexdigest()
    path = cache / f"corpus-{count}-{name}.db"
    if path.exists():
        return path
    if count > BLOCK and count % BLOCK:
        raise ValueError(
            f"above {BLOCK} articles a database is made of whole blocks of them"
        )
    base = database_of(BLOCK, cache, data) if count > BLOCK else None
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    for leftover in cache.glob(f"{unfinished.name}*"):
        leftover.unlink()
    database = Database(f"sqlite:///{unfinished}")
    upgrade(database)
    database.engine.dispose()

    pragmas = ["synchronous=OFF"]
    if base is not None:
        pragmas += ["journal_mode=OFF", "foreign_keys=OFF", "cache_size=-3000000"]

    @event.listens_for(database.engine, "connect")
    def _hurry(connection: Any, _record: Any) -> None:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")

    began, cpu = time.perf_counter(), time.process_time()
    if base is None:
        stream = Stream(data, count)
        _place(database, [stream.article(n) for n in range(1, count + 1)], all_tuning)
    else:
        # ATTACH is not possible in a transaction.
        with database.engine.connect() as connection:
            _stack(connection, base, count // BLOCK)
            sqlite_driver(connection).execute("COMMIT")
    database.close()
    unfinished.rename(path)
    print(
        f"{count} articles written in {time.perf_counter() - began:.0f} s "
        f"({time.process_time() - cpu:.0f} s of CPU), {path.stat().st_size / 1e6:.0f} MB",
        file=sys.stderr,
    )
    return path


def continuation(count: int, placed: int, more: int, data: Path) -> list[Made]:
    """Return the next `more` articles for a database that was made with `count` and has got `placed` since."""
    first = min(count, BLOCK) + placed
    stream = Stream(data, first + more)
    return [stream.article(n) for n in range(first + 1, first + more + 1)]


def data_folder() -> Path:
    """Return the folder of the labelled articles."""
    return Path(
        os.environ.get("AGGREGATOR_DATA")
        or Path(__file__).parents[2] / "shared" / "data"
    )
