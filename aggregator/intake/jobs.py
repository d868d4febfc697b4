"""The jobs that an executor runs on untrusted data: pure functions from bytes to bytes.

Each depends only on its job (no clock, network or database), so it may be repeated in another process or on
another machine with the same result. `parse_feed` and `parse_mail` run such a job and wait for its result.
"""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.model.entry import Entry, EntryInput, ParsedFeed
from aggregator.model.errors import (
    FetchError,
    ReadError,
    WorkError,
)
from aggregator.model.prepared import ACCEPTED_VERDICTS, CleanArticle, Prepared, Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.source_limits import source_tuning

if TYPE_CHECKING:
    from aggregator.extract.clean_article import CleanedEntry
    from aggregator.sources.fetch.response import FetchResult

# At most this much markup of each entry is read to detect the language of a feed.
_MARKUP_CHARS = 1600
PARSER_FAILED = "the parser failed on it"
_FAILED_JOBS: dict[str, tuple[Verdict, str]] = {
    "memory": ("memory", "reading it took more memory than a worker may have"),
    "timeout": ("timeout", "reading it took too long"),
    "died": ("not_article", f"{PARSER_FAILED}: it died"),
}


class PrepareJob(FrozenStruct):
    """The entries to prepare: several, because a call of a worker costs 1.2 ms whatever its size."""

    items: tuple[EntryInput, ...]
    tuning: str = "{}"
    extract_only: bool = False  # `aggregator extract`: no fingerprint
    # `aggregator eval`: a fingerprint for any verdict, if there is text
    keep_all: bool = False


class PrepareResult(FrozenStruct):
    """One Prepared for each item, in order.

    `seconds` has the CPU time of each item, and is the only part that differs if the job is repeated.
    """

    prepared: tuple[Prepared, ...] = ()
    seconds: tuple[float, ...] = ()


class FingerprintJob(FrozenStruct):
    """Clean articles whose texts are read again under new rules, for `recluster`."""

    articles: tuple[CleanArticle, ...]
    tuning: str = "{}"


class FeedJob(FeedContext, frozen=True, kw_only=True):
    """The bytes and context of a feed. `all_tuning` is needed to detect its language.

    `selectors` find the list, link, title and date of the articles on the page of a source `page:`.
    """

    data: bytes
    selectors: tuple[str, ...] = ()
    all_tuning: str = "{}"


def feed_job(
    fetched: "FetchResult",
    all_tuning: Tuning,
    *,
    source: str,
    seen: datetime,
    **settings: Any,
) -> FeedJob:
    """Return the job that reads a fetched feed; `settings`: further fields of FeedJob.

    Polls, `sources check`, `sources add` and `ingest` of an address all use this job, so they read the same entries.
    """
    content_type = fetched.content_type or None
    if content_type and fetched.charset:
        content_type = f"{content_type}; charset={fetched.charset}"
    return FeedJob(
        data=fetched.body,
        source=source,
        seen=seen,
        url=fetched.url_final or None,
        content_type=content_type,
        tuning=source_tuning(all_tuning),
        all_tuning=all_tuning.to_json(),
        **settings,
    )


class MailJob(FrozenStruct):
    """A message of the source `source`, which came at the time `seen`."""

    data: bytes
    source: str
    seen: datetime


def prepare(job: bytes) -> bytes:
    """Return a PrepareResult for a PrepareJob: clean text and fingerprint of each entry."""
    from aggregator.extract.clean_article import clean_entry

    decoded = msgspec.msgpack.decode(job, type=PrepareJob)
    all_tuning = Tuning.from_json(decoded.tuning)
    prepared = []
    seconds = []
    for given in decoded.items:
        began = time.thread_time()
        cleaned = clean_entry(
            given.entry,
            page=given.page,
            page_charset=given.page_charset,
            page_url=given.page_url,
            seen=given.accepted_at,
            tuning=all_tuning,
            has_own=given.is_revision,
        )
        prepared.append(_with_fingerprint(cleaned, decoded))
        seconds.append(time.thread_time() - began)
    return msgspec.msgpack.encode(
        PrepareResult(prepared=tuple(prepared), seconds=tuple(seconds))
    )


def fingerprints(job: bytes) -> bytes:
    """Return a PrepareResult for a FingerprintJob."""
    decoded = msgspec.msgpack.decode(job, type=FingerprintJob)
    all_tuning = Tuning.from_json(decoded.tuning)
    from aggregator.extract.shown_text import with_language_again
    from aggregator.grouping.fingerprint import prepared_again

    prepared = tuple(
        prepared_again(with_language_again(article, all_tuning), all_tuning)
        for article in decoded.articles
    )
    return msgspec.msgpack.encode(PrepareResult(prepared=prepared))


def _with_fingerprint(cleaned: "CleanedEntry", job: PrepareJob) -> Prepared:
    from aggregator.grouping.fingerprint import fingerprinter

    clean = cleaned.article
    is_usable = clean.verdict in ACCEPTED_VERDICTS or (
        job.keep_all and bool(clean.title or clean.text)
    )
    if job.extract_only or not is_usable:
        return Prepared(article=clean)
    return Prepared(
        article=clean,
        fingerprint=fingerprinter(job.tuning).fingerprint(clean, cleaned.reading),
        lines=cleaned.lines,
        html=cleaned.html,
        own=None if cleaned.own is None else _with_fingerprint(cleaned.own, job),
    )


def broken_article(error: WorkError, title: str = "") -> CleanArticle:
    """Return the article, without text, of an entry whose job failed."""
    verdict, why = _FAILED_JOBS.get(error.verdict, ("not_article", PARSER_FAILED))
    return CleanArticle(verdict=verdict, reason=f"{why} ({error.detail})", title=title)


def read_feed(job: bytes) -> bytes:
    """Return a ParsedFeed for a FeedJob: for a feed, or for a page that is read by selectors.

    If a feed declares no language, the language is detected.
    """
    decoded = msgspec.msgpack.decode(job, type=FeedJob)
    if decoded.selectors:
        from aggregator.intake.page_list import read_list

        return msgspec.msgpack.encode(
            read_list(decoded.data, decoded.selectors, decoded)
        )
    from aggregator.extract.extract_limits import ExtractTuning
    from aggregator.extract.html.dom import html_to_text
    from aggregator.sources.parse.feeds import read_feed
    from aggregator.text.language import language_of_feed

    all_tuning = Tuning.from_json(decoded.all_tuning)
    parsed = read_feed.read_feed(decoded.data, decoded)
    # All entries together show the language of a feed, so it is not detected if known entries were left out.
    if parsed.language is None and not parsed.left_out:
        tuning = all_tuning.section("text", ExtractTuning)
        texts = []
        for entry in parsed.entries[: tuning.language_feed_entries]:
            text = entry.text or html_to_text((entry.html or "")[:_MARKUP_CHARS])
            texts.append(f"{entry.title}\n{text}")
        parsed = replace(parsed, language=language_of_feed(texts, tuning))
    return msgspec.msgpack.encode(parsed)


def read_mail(job: bytes) -> bytes:
    """Return a ParsedFeed with the entry of the message in a MailJob, or with the reason why it has none."""
    from aggregator.sources.parse.mail import entry_of_mail

    mail = msgspec.msgpack.decode(job, type=MailJob)
    try:
        parsed = ParsedFeed(
            entries=(entry_of_mail(mail.data, source=mail.source, seen=mail.seen),)
        )
    except ReadError as error:
        parsed = ParsedFeed(problem=str(error))
    return msgspec.msgpack.encode(parsed)


def parse_feed(executor: Executor, job: FeedJob) -> ParsedFeed:
    """Parse a feed in a worker. Raises FetchError if the worker failed."""
    try:
        return answer_of(executor, read_feed, job, ParsedFeed)
    except WorkError as error:
        raise FetchError(
            error.verdict, f"the feed could not be read: {error.detail}"
        ) from error


def parse_mail(
    executor: Executor, data: bytes, *, source: str, seen: datetime
) -> Entry:
    """Parse a message in a worker, as `entry_of_mail` does. Raises ReadError, also if the worker failed."""
    job = MailJob(data=data, source=source, seen=seen)
    try:
        parsed = answer_of(executor, read_mail, job, ParsedFeed)
    except WorkError as error:
        raise ReadError(f"this message could not be read: {error.detail}") from error
    if parsed.problem is not None:
        raise ReadError(parsed.problem)
    return parsed.entries[0]
