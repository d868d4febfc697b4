"""Parses feeds and messages in a worker, with the errors of fetching and reading."""

import datetime as dt

from aggregator.intake.jobs import FeedJob, read_feed, read_mail
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.model.entry import Entry, ParsedFeed
from aggregator.model.errors import (
    FetchError,
    ReadError,
    WorkError,
)
from aggregator.sources.source_limits import SourceTuning


def parse_feed(executor: Executor, job: FeedJob) -> ParsedFeed:
    """Parse a feed in a worker. Raises FetchError if the worker failed."""
    try:
        return answer_of(executor, read_feed, job, ParsedFeed)
    except WorkError as error:
        raise FetchError(
            error.verdict, f"the feed could not be read: {error.detail}"
        ) from error


def parse_mail(
    executor: Executor,
    data: bytes,
    *,
    source: str,
    seen: dt.datetime,
    tuning: SourceTuning,
) -> Entry:
    """Parse a message in a worker, as `entry_of_mail`. Raises ReadError, also if the worker failed."""
    try:
        parsed = answer_of(
            executor,
            read_mail,
            FeedJob(data=data, source=source, seen=seen, tuning=tuning),
            ParsedFeed,
        )
    except WorkError as error:
        raise ReadError(f"this message could not be read: {error.detail}") from error
    if parsed.problem is not None:
        raise ReadError(parsed.problem)
    return parsed.entries[0]
