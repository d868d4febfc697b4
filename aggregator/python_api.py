"""The Python API: extract an article, group records, read the stories of a database.

Import these names from `aggregator`. Like the fields of the JSON, they are stable (docs/research.md). Every error that
is meant for a person is an `aggregator.AggregatorError`.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Self

from aggregator.admin.evaluate import evaluate
from aggregator.admin.evaluation import Assignment as Assignment
from aggregator.admin.extract_preview import ExtractPreview, prepared_preview
from aggregator.admin.labelled_data import sort_by_time
from aggregator.config.settings import absolute_database_url
from aggregator.config.story_query import StoryQuery
from aggregator.config.tuning import Tuning
from aggregator.extract.urls import absolute_url
from aggregator.intake.workers.executor import InlineExecutor
from aggregator.model.clock import utc_now
from aggregator.model.entry import Entry, EntryInput
from aggregator.model.errors import AggregatorError as AggregatorError
from aggregator.model.errors import UsageError
from aggregator.model.story import StoryView
from aggregator.publish.story_json import (
    ListedArticleJson,
    StoryJson,
    WholeStorylineJson,
    articles_in_list,
    story_in_list,
    whole_storyline,
)
from aggregator.sources.parse.records.jsonl import LabelledRecord, read_labelled
from aggregator.sources.parse.records.record_entry import (
    list_words,
    parse_mapping,
    show_key,
)
from aggregator.sources.parse.records.record_keys import Field
from aggregator.store.engine.database import Database
from aggregator.store.migrate import check
from aggregator.store.read.reader import StoryReader

Filter = str | int | date
Article = ExtractPreview
Story = StoryJson
StoryArticle = ListedArticleJson
Storyline = WholeStorylineJson
_LINES_AT_ONCE = 100
_MISSING = ("NaT", "<NA>")  # missing values of pandas, as text


def extract_article(html_or_bytes: str | bytes, url: str | None = None) -> Article:
    """Return the article of a page, as `aggregator extract` shows it. A page without an article has a verdict, too.

    Bytes are decoded as the page declares. `url` makes relative addresses absolute and helps to find date and
    outlet; nothing is fetched. The page is parsed in this process, without the limits of time and memory that
    the workers of the daemon have. Raises AggregatorError if `url` is not an http or https address.

    >>> import aggregator
    >>> page = "<html><head><title>Ferry aground</title></head><body><article><h1>Ferry aground</h1><p>" + (
    ...     "The ferry from Lindmar ran aground on a sandbank on Monday with 212 people on board. " * 5
    ... )
    >>> article = aggregator.extract_article(page, url="https://harbour.example/ferry")
    >>> article.verdict, article.title, article.language
    ('ok', 'Ferry aground', 'en')
    >>> aggregator.extract_article(b"").reason
    'the page is empty'
    """
    if url is not None and absolute_url(url, None) is None:
        raise UsageError(
            f"{url!r} is no address of a page; it must begin with http:// or https://"
        )
    charset, page = None, html_or_bytes
    if isinstance(page, str):
        charset, page = "utf-8", page.encode("utf-8", "replace")
    prepared = EntryInput(
        entry=Entry(source=url or "", url=url, authority="page"),
        accepted_at=utc_now(),
        page=page,
        page_url=url,
        page_charset=charset,
    )
    return prepared_preview(InlineExecutor(), Tuning(), url or "", prepared)


def group_records(
    records: Iterable[Mapping[str, object]],
    map: Mapping[str, str] | None = None,
) -> list[Assignment]:
    """Group records into stories as the daemon would, and return the assignment of each record, in their order.

    A record is a dict with a unique `id` and the keys of the JSONL files of `aggregator ingest`: `title`, `text`
    or `html`, `published` (a text or a datetime), `outlet`, `url`, `language`. Records are placed in the order
    of their times, in a database that is deleted at the end. `map` names the keys under which records have the
    fields, like `--map` of `aggregator ingest`: `{"text": "body"}` is `--map text=body`, and `{"text": ""}` groups
    titles alone.

    Raises AggregatorError if there are no records, and for a record that has no `id`, the id of another record,
    nothing to read, its text under an unknown key, or a date that cannot be read.

    >>> import aggregator
    >>> flood = "The river Arrel broke its levee at Kestrow on Monday. Two hundred houses are under water."
    >>> strike = "Dockers in Halverne walked out on Friday. Their union wants nine per cent more."
    >>> flooded, struck, copied = aggregator.group_records(
    ...     [
    ...         {"id": "a", "title": "Levee breaks at Kestrow", "text": flood * 3, "outlet": "Courier"},
    ...         {"id": "b", "title": "Dock strike in Halverne", "text": strike * 3, "outlet": "Echo"},
    ...         {"id": "c", "title": "Levee breaks at Kestrow", "text": flood * 3, "outlet": "Siren"},
    ...     ]
    ... )
    >>> flooded.story == copied.story, flooded.story == struck.story, copied.copy_of
    (True, False, 'a')
    """
    if hasattr(records, "to_dict"):
        raise UsageError(
            "give a DataFrame as dicts: frame.to_dict('records'), of polars frame.to_dicts()"
        )
    chosen = parse_mapping([f"{field}={key}" for field, key in (map or {}).items()])
    labelled: dict[str, LabelledRecord] = {}
    keys: dict[str, None] = {}
    for number, record in enumerate(records, start=1):
        read = _read_labelled(record, number, chosen)
        if read.id in labelled:
            raise UsageError(
                f"record {number} has the id of an earlier one: {read.id!r}"
            )
        labelled[read.id] = read
        keys |= dict.fromkeys(str(name) for name in record)
    if not labelled:
        raise UsageError("there are no records to group")
    for key in chosen.values():
        if key and key.partition(".")[0] not in keys and key not in keys:
            raise UsageError(
                f"there is no key {show_key(key)}, which `map` names; the keys are "
                f"{list_words([show_key(name) for name in keys])}"
            )
    _, assigned = evaluate(
        sort_by_time([*labelled.values()]), Tuning(), executor="inline", workers=1
    )
    by_id = {assignment.id: assignment for assignment in assigned}
    return [by_id[record_id] for record_id in labelled]


def _read_labelled(
    record: Mapping[str, object], number: int, chosen: Mapping[Field, str]
) -> LabelledRecord:
    """Read a record like a line of a JSONL file; `number` counts from 1. Raises UsageError."""
    try:
        line = json.dumps(dict(record), default=_as_text)
    except (TypeError, ValueError, RecursionError) as error:
        advice = "give dicts that JSON can hold, of a DataFrame to_dict('records')"
        raise UsageError(
            f"record {number} cannot be read ({error}): {advice}"
        ) from error
    read = read_labelled(line, file_name="record", line_number=number, chosen=chosen)
    if read.id == f"record:{number}":
        raise UsageError(f"record {number} has no `id` that is a text or a number")
    problem = read.problem
    for key, noun, _, value in read.keys.losses:
        if noun == "date":
            problem = f"{key} is no date that can be read: {value}"
    if problem is not None:
        raise UsageError(f"record {number}, {read.id!r}: {problem}")
    return read


def _as_text(value: object) -> str | None:
    """Return the text of a time, a UUID or a NumPy number, or None for NaT and NA of pandas.

    Raises TypeError for bytes.
    """
    if isinstance(value, bytes):
        raise TypeError("a value of it is bytes; decode them")
    text = str(value)
    return None if text in _MISSING else text


class StoryDatabase:
    """The stories of a database, which `open_database` opens for reading. A context manager."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stories(self, limit: int = sys.maxsize, **filters: Filter) -> Iterator[Story]:
        """Return the stories, the last bumped first, as `aggregator stories --format jsonl` prints them.

        The filters are the same as the options of this command: `query`, `since` and `until` (also a date or
        datetime), `min_outlets`, `min_reports`, `outlet`, `folder`, `language`, `name`, `topic`, `kind`, `storyline`,
        `fold`. All stories are of one state of the database. Raises AggregatorError for a filter that cannot be read.
        """
        return map(story_in_list, self._views(limit, filters))

    def articles(
        self, limit: int = sys.maxsize, **filters: Filter
    ) -> Iterator[StoryArticle]:
        """Return the articles of the stories, as `aggregator stories --articles` prints them."""
        return chain.from_iterable(map(articles_in_list, self._views(limit, filters)))

    def storylines(self) -> Iterator[Storyline]:
        """Yield the storylines of several stories, the last bumped first, each with its stories.

        The stories have the fields of `stories()`, and the newest is first.
        """
        reader = StoryReader(self._database)
        after = None
        while True:
            lines, after = reader.storylines(_LINES_AT_ONCE, after)
            for line in lines:
                stories = reader.stories_by_id(tuple(one.id for one in line.stories))
                yield whole_storyline(line, stories)
            if after is None:
                return

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _views(self, limit: int, filters: Mapping[str, Filter]) -> Iterator[StoryView]:
        query = StoryQuery.read({name: str(value) for name, value in filters.items()})
        pages = StoryReader(self._database).pages(query.story_filter(utc_now(), limit))
        return (story for page in pages for story in page.stories)


def open_database(url: str | os.PathLike[str]) -> StoryDatabase:
    """Open the database of the program for reading: an SQLite file, or postgresql://USER@HOST/NAME.

    A daemon may use the database meanwhile. Raises AggregatorError if there is none, or if another version of the
    program wrote it.
    """
    address = absolute_database_url(os.fspath(url), Path.cwd())
    if address.startswith("sqlite:///"):
        address = address.replace("sqlite:///", "sqlite:///file:") + "?mode=ro&uri=true"
    database = Database(address)
    try:
        check(database)
    except BaseException:
        database.close()
        raise
    return StoryDatabase(database)
