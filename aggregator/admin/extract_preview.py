"""Shows, for `aggregator extract`, the article that would be stored of each input, or why there is none."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.extract.language.charsets import decode
from aggregator.extract.outlets import outlet_of
from aggregator.intake.jobs import (
    PrepareJob,
    PrepareResult,
    broken_article,
    parse_mail,
    prepare,
)
from aggregator.intake.polling.page_fetch import verdict_of
from aggregator.intake.workers.executor import Executor, answer_of
from aggregator.intake.workers.factory import workers
from aggregator.model.clock import in_utc, utc_now
from aggregator.model.entry import Entry, EntryInput
from aggregator.model.errors import AggregatorError, FetchError, WorkError
from aggregator.model.prepared import Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import client_of
from aggregator.sources.parse.feeds.feed_format import reason_against_markup
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputFeed,
    InputItem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.records.record_entry import RecordNotes
from aggregator.sources.parse.records.record_keys import Chosen
from aggregator.sources.parse.streams.remote_files import (
    is_address,
    is_remote,
    show_address,
)
from aggregator.sources.source_limits import source_tuning

_PARTIAL = "it is a part: the page is too long, or the article has further pages"


class ExtractPreview(FrozenStruct, omit_defaults=False):
    """A line of `extract --format jsonl`."""

    # The input as it was typed
    what: str
    # "ok" or "stub" for an article
    verdict: Verdict
    title: str = ""
    # The extracted text, whatever the verdict
    text: str = ""
    # RFC 3339 in UTC
    published: str | None = None
    language: str | None = None
    author: str | None = None
    outlet: str | None = None
    # The news agency behind the text
    wire: str | None = None
    # Why the article or a part of it is missing
    reason: str | None = None


def extract(
    config: Config, what: Sequence[str], chosen: Chosen, notes: RecordNotes
) -> Iterator[tuple[ExtractPreview, bool]]:
    """Read `what` (files, folders, addresses); yield a preview of each input, and whether the input was read.

    The preview of an input that was not read has only a verdict and a reason. `chosen` has the keys of records that
    `--map` names, by field, and `notes` collects the keys that were read.
    """
    with workers(config) as executor:
        for path in what:
            if is_address(path) and not is_remote(path):
                yield _page(config, executor, path)
                continue
            options = ReadOptions(
                tuning=source_tuning(config.effective_tuning),
                seen=utc_now(),
                parse_mail=partial(parse_mail, executor),
                chosen=chosen,
            )
            problem = "there is no file in it that can be read"
            try:
                for item in open_source(path, options):
                    problem = ""
                    if isinstance(item, InputEntry):
                        notes.add(item.keys)
                    yield _preview_item(config, executor, path, item)
            except AggregatorError as error:
                problem = str(error)
            if problem:
                name = _as_utf8(show_address(path))
                yield ExtractPreview(what=name, verdict="empty", reason=problem), False


def _preview_item(
    config: Config, executor: Executor, path: str, item: InputItem
) -> tuple[ExtractPreview, bool]:
    """Return what would be stored of an item of a file or folder, and whether it was read."""
    name = _name(path, item.where)
    if isinstance(item, InputEntry):
        entry_input = EntryInput(entry=item.entry, accepted_at=utc_now())
        tuning = config.effective_tuning
        return prepared_preview(executor, tuning, name, entry_input), True
    if isinstance(item, InputFeed):
        reason = reason_against_markup(decode(item.data)) or (
            "this is a feed; read it with `aggregator sources check`"
        )
        return ExtractPreview(what=name, verdict="not_article", reason=reason), True
    verdict = item.verdict or "not_article"
    return (
        ExtractPreview(what=name, verdict=verdict, reason=item.reason),
        item.verdict is not None,
    )


def _name(typed: str, where: str) -> str:
    """Return the name of an input as it was typed: the file, or the folder and the path below the folder."""
    if is_remote(typed):
        return where
    prefix = "stdin" if typed == "-" else str(Path(typed))
    if typed != "-" and Path(typed).is_dir():
        below = where if prefix == "." else where.removeprefix(prefix)
        return _as_utf8(f"{typed.rstrip('/')}/{below.lstrip('/')}")
    return _as_utf8(typed + where.removeprefix(prefix))


def _as_utf8(name: str) -> str:
    """Replace the bytes of a file name that are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _page(config: Config, executor: Executor, url: str) -> tuple[ExtractPreview, bool]:
    """Return what would be stored of the page at an address, and whether it could be fetched."""
    try:
        with closing(client_of(config)) as client:
            fetched = client.fetch(url, accept="page")
    except FetchError as error:
        return ExtractPreview(
            what=url, verdict=verdict_of(error) or "empty", reason=str(error)
        ), False
    item = EntryInput(
        entry=Entry(source=url, url=url, authority="page"),
        accepted_at=utc_now(),
        page=fetched.body,
        page_url=fetched.url_final,
        page_charset=fetched.charset,
    )
    return prepared_preview(executor, config.effective_tuning, url, item), True


def prepared_preview(
    executor: Executor, all_tuning: Tuning, what: str, item: EntryInput
) -> ExtractPreview:
    """Return what would be stored of an item; if it cannot be read, the verdict says why."""
    job = PrepareJob(items=(item,), tuning=all_tuning.to_json(), extract_only=True)
    try:
        result = answer_of(executor, prepare, job, PrepareResult)
    except WorkError as error:
        broken = broken_article(error)
        return ExtractPreview(what=what, verdict=broken.verdict, reason=broken.reason)
    article = result.prepared[0].article
    outlet = outlet_of(item.entry)
    published = None
    if article.published is not None:
        published = in_utc(article.published.time).isoformat().replace("+00:00", "Z")
    return ExtractPreview(
        what=what,
        verdict=article.verdict,
        title=article.title,
        text=article.text,
        published=published,
        language=article.language,
        author=article.author,
        outlet=outlet.name if outlet else article.outlet,
        wire=article.wire.agency if article.wire else None,
        reason=article.reason or (_PARTIAL if article.truncated else None),
    )
