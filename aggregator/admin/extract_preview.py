"""`aggregator extract`: what would be kept of an input, one answer for every input, in any case."""

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from aggregator.config.settings import Config
from aggregator.model.core import Entry, FrozenStruct, Verdict, utc_now
from aggregator.model.errors import AggregatorError, FetchError, WorkError
from aggregator.pipeline.jobs import PrepareItem, PrepareJob, PrepareResult, broken_article, prepare
from aggregator.pipeline.poll import verdict_of
from aggregator.pipeline.workers.executor import Executor
from aggregator.pipeline.workers.factory import open_executor
from aggregator.sources.fetch.client import client_of
from aggregator.sources.limits import source_tuning
from aggregator.sources.parse.files import InputEntry, InputFeed, InputProblem, open_source


class ExtractPreview(FrozenStruct, frozen=True, kw_only=True, omit_defaults=False):
    """A line of `extract --format jsonl`. `text` is what was found, whatever the verdict."""

    what: str
    verdict: Verdict
    title: str = ""
    text: str = ""
    published: str | None = None
    language: str | None = None
    author: str | None = None
    outlet: str | None = None
    wire: str | None = None
    reason: str | None = None

    def as_json(self) -> bytes:
        """One line of JSON."""
        return msgspec.json.encode(self)

    def as_text(self) -> str:
        """For people."""
        facts = [self.outlet, self.author, self.published, self.language, self.wire]
        head = f"{self.what}: {self.verdict}" + (f" ({self.reason})" if self.reason else "")
        known = " · ".join(fact for fact in facts if fact)
        return "\n".join(part for part in (head, self.title, known, "", self.text, "") if part is not None)


def extract(config: Config, what: Sequence[str]) -> Iterator[ExtractPreview]:
    """Read `what` (files, folders, addresses) and say for each input what would be kept."""
    all_tuning = config.effective_tuning
    executor = open_executor(config.work.executor, config.work.worker_count, all_tuning)
    try:
        for one in what:
            if one.startswith(("http://", "https://")):
                yield _page(config, executor, one)
                continue
            nothing = "there is no file in it that can be read"
            try:
                for found in open_source(one, tuning=source_tuning(all_tuning), seen=utc_now()):
                    nothing = ""
                    yield _found(config, executor, _named(one, found.where), found)
            except AggregatorError as error:
                nothing = str(error)
            if nothing:
                yield ExtractPreview(what=_writable(one), verdict="empty", reason=nothing)
    finally:
        executor.close()


def _named(typed: str, where: str) -> str:
    """What was found, called as it was typed: the file, or the folder and the path below it."""
    prefix = "stdin" if typed == "-" else str(Path(typed))
    if typed != "-" and Path(typed).is_dir():
        below = where if prefix == "." else where.removeprefix(prefix)
        return _writable(f"{typed.rstrip('/')}/{below.lstrip('/')}")
    return _writable(typed + where.removeprefix(prefix))


def _writable(name: str) -> str:
    """A name as text: a file's name may hold bytes that are no UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _found(
    config: Config, executor: Executor, named: str, found: InputEntry | InputFeed | InputProblem
) -> ExtractPreview:
    if isinstance(found, InputProblem):
        return ExtractPreview(what=named, verdict=found.verdict or "not_article", reason=found.reason)
    if isinstance(found, InputFeed):
        reason = "this is a feed; `aggregator sources check` reads feeds"
        return ExtractPreview(what=named, verdict="not_article", reason=reason)
    return _prepared(config, executor, named, PrepareItem(entry=found.entry, seen=utc_now()))


def _page(config: Config, executor: Executor, url: str) -> ExtractPreview:
    client = client_of(config)
    try:
        fetched = client.fetch(url, accept="page")
    except FetchError as error:
        return ExtractPreview(what=url, verdict=verdict_of(error) or "empty", reason=str(error))
    finally:
        client.close()
    item = PrepareItem(
        entry=Entry(source=url, url=url, authority="page"),
        seen=utc_now(),
        page=fetched.body,
        page_url=fetched.url_final,
        page_charset=fetched.charset,
    )
    return _prepared(config, executor, url, item)


def _prepared(config: Config, executor: Executor, what: str, item: PrepareItem) -> ExtractPreview:
    job = PrepareJob(items=(item,), tuning=config.effective_tuning.to_json(), extract_only=True)
    try:
        answer = executor.submit(prepare, msgspec.msgpack.encode(job)).result()
    except WorkError as error:
        said = broken_article(error)
        return ExtractPreview(what=what, verdict=said.verdict, reason=said.reason)
    article = msgspec.msgpack.decode(answer, type=PrepareResult).prepared[0].article
    published = article.published
    return ExtractPreview(
        what=what,
        verdict=article.verdict,
        title=article.title,
        text=article.text,
        published=None if published is None else _written(published.time),
        language=article.language,
        author=article.author,
        outlet=item.entry.outlet or article.outlet,
        wire=article.wire.agency if article.wire else None,
        reason=article.reason,
    )


def _written(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
