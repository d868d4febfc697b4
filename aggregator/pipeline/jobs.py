"""The pure stages, bytes to bytes: what an executor runs over strangers' bytes, wherever it runs.

Each is a function of its job alone (no clock, no network, no database), so it may be done again, in another
process or on another machine, with the same result.
"""

import datetime as dt

import msgspec

from aggregator.cluster.fingerprint import fingerprinter
from aggregator.config.tuning import Tuning
from aggregator.model.core import (
    ACCEPTED_VERDICTS,
    CleanArticle,
    Entry,
    Fingerprint,
    FrozenStruct,
    LearnedBoilerplate,
    ParsedFeed,
    Prepared,
    Verdict,
)
from aggregator.model.errors import WorkError

PARSER_FAILED = "the parser failed on it"


class PrepareItem(FrozenStruct, frozen=True, kw_only=True):
    """One entry to make an article of. `seen` is when it was accepted: it bounds plausible dates."""

    entry: Entry
    seen: dt.datetime
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None
    repeats: LearnedBoilerplate = LearnedBoilerplate()  # lines of its outlet to take out
    without_text: bool = False  # placing found that its text is a notice


class PrepareJob(FrozenStruct, frozen=True, kw_only=True):
    """Up to 32 entries: one call of a worker costs 1.2 ms whatever is in it."""

    items: tuple[PrepareItem, ...]
    tuning: str = "{}"
    extract_only: bool = False  # `aggregator extract`: no fingerprint
    keep_all: bool = False  # `aggregator eval`: a fingerprint whatever the verdict, where there are words


class PrepareResult(FrozenStruct, frozen=True, kw_only=True):
    """One Prepared for each item, in order."""

    prepared: tuple[Prepared, ...]


class FingerprintJob(FrozenStruct, frozen=True, kw_only=True):
    """Clean articles to take fingerprints of under these rules: `recluster` decides about them again."""

    articles: tuple[CleanArticle, ...]
    tuning: str = "{}"


class FingerprintResult(FrozenStruct, frozen=True, kw_only=True):
    """One Fingerprint for each article, in order."""

    fingerprints: tuple[Fingerprint, ...]


class FeedJob(FrozenStruct, frozen=True, kw_only=True):
    """A feed's bytes and what is known of where they came from."""

    data: bytes
    source: str
    seen: dt.datetime
    url: str | None = None
    content_type: str | None = None
    outlet: str | None = None
    zone: str | None = None
    tuning: str = "{}"


def prepare(job: bytes) -> bytes:
    """PrepareJob → PrepareResult: clean text and fingerprint of each entry."""
    wanted = msgspec.msgpack.decode(job, type=PrepareJob)
    all_tuning = Tuning.from_json(wanted.tuning)
    prepared = tuple(_prepared(item, all_tuning, wanted) for item in wanted.items)
    return msgspec.msgpack.encode(PrepareResult(prepared=prepared))


def fingerprints(job: bytes) -> bytes:
    """FingerprintJob → FingerprintResult."""
    wanted = msgspec.msgpack.decode(job, type=FingerprintJob)
    maker = fingerprinter(Tuning.from_json(wanted.tuning))
    made = tuple(maker.fingerprint(article) for article in wanted.articles)
    return msgspec.msgpack.encode(FingerprintResult(fingerprints=made))


def _prepared(item: PrepareItem, all_tuning: Tuning, job: PrepareJob) -> Prepared:
    from aggregator.extract.article import clean_entry

    cleaned = clean_entry(
        item.entry,
        page=item.page,
        page_charset=item.page_charset,
        page_url=item.page_url,
        seen=item.seen,
        tuning=all_tuning,
        repeats=item.repeats,
        without_text=item.without_text,
    )
    clean = cleaned.article
    kept = clean.verdict in ACCEPTED_VERDICTS or (job.keep_all and bool(clean.title or clean.text))
    if job.extract_only or not kept:
        return Prepared(article=clean, lines=cleaned.lines)
    return Prepared(
        article=clean, fingerprint=fingerprinter(all_tuning).fingerprint(clean), lines=cleaned.lines
    )


def broken_article(error: WorkError, title: str = "") -> CleanArticle:
    """What is said of an entry that broke its job."""
    verdict: Verdict
    if error.verdict == "memory":
        verdict, reason = "memory", f"reading it took more memory than a worker may have ({error.detail})"
    elif error.verdict == "timeout":
        verdict, reason = "timeout", f"reading it took too long ({error.detail})"
    elif error.verdict == "died":
        verdict, reason = "not_article", f"{PARSER_FAILED}: it died ({error.detail})"
    else:
        verdict, reason = "not_article", f"{PARSER_FAILED} ({error.detail})"
    return CleanArticle(verdict=verdict, reason=reason, title=title)


def read_feed(job: bytes) -> bytes:
    """FeedJob → ParsedFeed."""
    from aggregator.sources.limits import source_tuning
    from aggregator.sources.parse import feed

    wanted = msgspec.msgpack.decode(job, type=FeedJob)
    parsed: ParsedFeed = feed.read_feed(
        wanted.data,
        source=wanted.source,
        url=wanted.url,
        content_type=wanted.content_type,
        outlet=wanted.outlet,
        zone=wanted.zone,
        seen=wanted.seen,
        tuning=source_tuning(Tuning.from_json(wanted.tuning)),
    )
    return msgspec.msgpack.encode(parsed)
