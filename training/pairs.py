"""Labelled pairs of articles, as the pair model sees them.

The pipeline reads and prepares the records. Then each article is compared with earlier articles that were published
within FARTHEST_DAYS of it, in the order of arrival, with the stream history of the days before.
"""

import gzip
import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from aggregator.admin.evaluate import place_records
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.tuning import Tuning
from aggregator.extract.headline import plain_headline
from aggregator.grouping.pairs.pair_article import PairArticle
from aggregator.grouping.pairs.pair_model import PairTuning, compared_rows
from aggregator.grouping.pairs.snapshot import StreamSnapshot, pack_frequencies
from aggregator.grouping.pairs.terms import TermPacker
from aggregator.grouping.pairs.weights import MINUTES_A_DAY, shipped_model
from aggregator.intake.pipeline import Pipeline
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.article import Article
from aggregator.sources.parse.files.input_items import InputEntry, ReadOptions
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.migrate import upgrade
from aggregator.store.stories import stored_articles as article_rows
from aggregator.store.tables import article as article_table
from aggregator.store.tables import read_rows
from training.dataset import data_folder

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Record = Mapping[str, Any]

_PROJECT = Path(__file__).resolve().parents[1]
_SHORT_REPORTS = _PROJECT / "training" / "labels" / "short-reports-train.jsonl"
FARTHEST_DAYS = 30
# Nothing is compared while records are prepared, so that pairs do not depend on the current trees.
_PREPARING = Tuning({"events": {"candidates": 0, "reassess_every": 10**9}})
ARGUABLE = 0.4  # the weight of a pair if a label of it is arguable


class Stored(NamedTuple):
    """A record as the pipeline stored it."""

    id: str
    day: int
    stored_id: str  # the id of the article
    copy_of: str | None
    terms: bytes
    article: PairArticle
    is_sure_report: bool = True


class Pairs(NamedTuple):
    """The pairs of one set, in the order of arrival of the later article."""

    articles: Sequence[Stored]
    later: Ints  # places in `articles`
    earlier: Ints
    features: Floats
    labels: Floats  # 1: the same event
    weights: Floats  # by how sure the labels are
    clusters: Sequence[str]  # the clusters of `articles`


def read_records(name: str) -> list[Record]:
    """Return the records of a file of the data folder."""
    with gzip.open(data_folder() / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def cut(records: Sequence[Record], words: int) -> list[Record]:
    """Return the records with bodies of at most `words` words, as in feeds."""
    return [
        {**one, "text": " ".join((one["text"] or "").split()[:words])}
        for one in records
    ]


def loose_pairs() -> set[frozenset[str]]:
    """Return the pairs of the reading list that count neither way."""
    lines = (
        (data_folder() / "events-reading-list-loose.jsonl")
        .read_text("utf-8")
        .splitlines()
    )
    groups = [json.loads(line)["ids"] for line in lines if line.strip()]
    return {
        frozenset(pair) for group in groups for pair in itertools.combinations(group, 2)
    }


def own_records() -> dict[tuple[str, str], list[Record]]:
    """Return the project's own sets by name and part, with the four seeds in four orders."""
    tests = _PROJECT / "tests" / "data"
    files = {
        ("languages", part): tests / "languages" / f"{part}.jsonl"
        for part in ("dev", "check", "fresh")
    }
    files["tripwire", ""] = tests / "tripwire" / "events.jsonl"
    files["Russian look-alikes", ""] = tests / "lookalikes-russian.jsonl"
    found = {
        key: [
            _with_labels(json.loads(line))
            for line in path.read_text("utf-8").splitlines()
        ]
        for key, path in files.items()
    }
    labels = (_PROJECT / "examples" / "labels.jsonl").read_text("utf-8").splitlines()
    event_of = {one["file"]: one["event"] for one in map(json.loads, labels)}
    found["samples", ""] = _saved_texts(_PROJECT / "examples" / "articles", event_of)
    found["short reports", ""] = _in_one_stream(read_cases(_SHORT_REPORTS))
    seeds = _saved_texts(data_folder() / "seeds", {})
    return found | {
        ("seeds", str(at)): seeds[at:] + seeds[:at] for at in range(len(seeds))
    }


def _in_one_stream(cases: Sequence[Record]) -> list[Record]:
    """Return the articles of cases as records of one stream, in order of time."""
    records = [
        {
            **article,
            "id": f"{case['id']}/{number}",
            "lang": case["language"],
            "source": article["outlet"],
            "cluster": f"{case['id']}#{event}",
        }
        for case in cases
        for number, (article, event) in enumerate(
            zip(case["articles"], case["events"], strict=True)
        )
    ]
    return sorted(records, key=lambda record: str(record["published"]))


def _with_labels(record: Record) -> Record:
    """Return a record of the project's own sets with the labels that it may lack.

    The event may be only in the id, and records without a language are Russian.
    """
    event = record.get("cluster") or record["id"].rpartition("-")[0]
    return {"source": record.get("outlet"), "lang": "ru", **record, "cluster": event}


def _saved_texts(folder: Path, event_of: Mapping[str, str]) -> list[Record]:
    """Return the articles in the files of a folder. Files that are not in `event_of` share one event."""
    items = open_source(
        folder,
        ReadOptions(tuning=source_tuning(Tuning()), seen=datetime.now(UTC)),
    )
    entries = [item.entry for item in items if isinstance(item, InputEntry)]
    return [
        {
            "id": file,
            "source": one.outlet or Path(file).parent.name or file,
            "text": one.text,
            "cluster": event_of.get(file, folder.name),
        }
        for one in entries
        if (file := one.guid or "")
    ]


class Case(NamedTuple):
    """One of the project's own cases: the events of its articles, and their pairs."""

    id: str
    events: Sequence[int]
    pairs: Sequence[tuple[int, int]]  # later and earlier article
    features: Floats
    labels: Floats


def cases() -> list[Case]:
    """Return the cases of tests/data/lookalikes.jsonl and of the short reports for training, each by itself."""
    packer = TermPacker(shipped_model(Tuning()))
    lookalikes = _PROJECT / "tests" / "data" / "lookalikes.jsonl"
    read = [*read_cases(lookalikes), *read_cases(_SHORT_REPORTS)]
    found = [_case(case, packer) for case in read]
    return [case for case in found if len(case.labels)]


def read_cases(path: Path) -> list[Record]:
    """Return the cases of a file, with headlines as the program cleans them."""
    cases = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for case in cases:
        for article in case["articles"]:
            article["title"] = plain_headline(article["title"], [article["outlet"]])
    return cases


def _case(given: Record, packer: TermPacker) -> Case:
    articles: list[PairArticle] = []
    events, pairs, rows = given["events"], [], []
    for number, record in enumerate(given["articles"]):
        terms, words = packer.pack(record["title"], record["text"], given["language"])
        article = PairArticle(_as_article(record, number, terms, words))
        if articles:
            others, features = compared_rows(
                article, articles, StreamSnapshot((), {}), has_come=True
            )
            pairs += [(number, other) for other in others]
            rows.append(features)
        articles.append(article)
    labels = np.array([float(events[one] == events[other]) for one, other in pairs])
    return Case(given["id"], events, pairs, np.vstack(rows), labels)


def _as_article(record: Record, number: int, terms: bytes, words: int) -> Article:
    """Return an article of a case, which has no row."""
    published = datetime.fromisoformat(record["published"]).astimezone(UTC)
    return Article(
        id=str(number),
        inbox_no=number,
        story="",
        title=record["title"],
        source=record["outlet"],
        outlet_key=record["outlet"],
        effective_at=published,
        published=published,
        date_counts=True,
        copy_of=None,
        wire=None,
        role="report",
        is_compared=True,
        is_polled=False,
        terms=terms,
        body_words=words,
    )


def labelled_pairs(records: Sequence[Record], *, loose: bool = False) -> Pairs:
    """Return the compared pairs of records that have a `cluster`. `loose` leaves out the pairs of the loose list."""
    articles = _stored(records)
    by_id = {one["id"]: one for one in records}
    clusters = [str(by_id[one.id].get("cluster") or one.id) for one in articles]
    sure = [float(by_id[one.id].get("sure", 1)) for one in articles]
    left_out = loose_pairs() if loose else set()
    later, earlier, rows = [], [], []
    for place, others, features in _comparisons(articles):
        chosen = [
            n
            for n, o in enumerate(others)
            if frozenset((articles[place].id, articles[o].id)) not in left_out
        ]
        later += [place] * len(chosen)
        earlier += [others[n] for n in chosen]
        rows.append(features[chosen])
    labels = [
        float(clusters[i] == clusters[j]) for i, j in zip(later, earlier, strict=True)
    ]
    weights = [
        max(min(sure[i], sure[j]), ARGUABLE)
        for i, j in zip(later, earlier, strict=True)
    ]
    return Pairs(
        articles,
        np.array(later),
        np.array(earlier),
        np.vstack(rows),
        np.array(labels),
        np.array(weights),
        clusters,
    )


def _stored(records: Sequence[Record]) -> list[Stored]:
    """Run the pipeline on the records and return their articles, in the order of placing."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "records.jsonl")
        path.write_text(
            "".join(json.dumps(dict(one)) + "\n" for one in records), "utf-8"
        )
        read = read_dataset(path)
        database = Database(f"sqlite:///{folder}/training.db")
        upgrade(database)
        pipeline = Pipeline(database, InlineExecutor(), _PREPARING, _now, keep_all=True)
        numbers = place_records(read, database, pipeline, lambda _: None)
        with database.read() as connection:
            article_of = {
                one.entry_no: one.article for one in inbox.results(connection, numbers)
            }
            every = f"SELECT {article_rows.COLUMNS} FROM article"
            placed = map(article_rows.article_of_row, read_rows(connection, every))
            by_id = {article.id: article for article in placed}
            seen = select(article_table.c.id, article_table.c.seen_at)
            seen_at = {row.id: row.seen_at for row in connection.execute(seen)}
        database.close()
    found = []
    for number, record in zip(numbers, read, strict=True):
        article = by_id.get(article_of[number])
        if article is not None:
            day = int(seen_at[article.id].timestamp()) // 86400
            compared = PairArticle(msgspec.structs.replace(article, nearest=None))
            labels = (
                record.id,
                day,
                article.id,
                article.copy_of,
                article.terms,
                compared,
            )
            found.append(Stored(*labels, record.is_sure_report))
    return found


def _now() -> datetime:
    return datetime.now(UTC)


def _comparisons(
    articles: Sequence[Stored],
) -> Iterator[tuple[int, Sequence[int], Floats]]:
    """Yield the place of each article, the places of the earlier articles it is compared with, and their features."""
    days = Tuning().section("pairs", PairTuning).stream_days
    by_day: dict[int, list[bytes]] = {}
    for one in articles:
        by_day.setdefault(one.day, []).append(one.terms)
    snapshot, last = StreamSnapshot((), {}), None
    for place, one in enumerate(articles):
        if one.day != last:
            last = one.day
            periods = [
                pack_frequencies(by_day.get(day, ()))
                for day in range(last - days, last)
            ]
            snapshot = StreamSnapshot([period for period in periods if period[0]], {})
        if one.copy_of is not None:
            continue
        others = [
            other
            for other in range(place)
            if articles[other].copy_of is None
            and _are_near(one.article, articles[other].article)
            and len(articles[other].article.ids)
        ]
        if not others or not len(one.article.ids):
            continue
        near, rows = compared_rows(
            one.article, [articles[o].article for o in others], snapshot, has_come=True
        )
        if near:
            yield place, [others[n] for n in near], rows


def _are_near(one: PairArticle, other: PairArticle) -> bool:
    if one.minutes is None or other.minutes is None:
        return True
    return abs(one.minutes - other.minutes) <= FARTHEST_DAYS * MINUTES_A_DAY
