"""Checks of the stored contents: sources, webhooks, tokens, backlog, size, backups."""

from collections.abc import Iterable, Iterator, Sequence

from aggregator.admin.doctor import files
from aggregator.admin.doctor.context import DoctorContext
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted, redact
from aggregator.model.health_report import DatabaseStatus, Finding
from aggregator.model.read_model import SourceView
from aggregator.store.engine.database import Connection, shown_url
from aggregator.store.intake import rejected
from aggregator.store.read import health_probes
from aggregator.store.read.health_probes import of_database, ok, problem, waiting_words, warning
from aggregator.store.read.statistics import listed
from aggregator.store.stories import api_tokens

# Articles that search does not find; at most a minute of full load waits (chosen).
_UNINDEXED_ARTICLES = 20_000
_FUTURE_SECONDS = 300.0  # by which stored times may be ahead of the clock (chosen)

_REJECTED_SHOWN = 5
_OF_THE_NETWORK = frozenset({"dns", "connect", "timeout"})  # causes that a broken network has
_SOURCES_SHOWN = 20


def inspect(context: DoctorContext) -> Iterator[Finding]:
    """Run all checks in one read transaction."""
    with context.database.read() as connection:
        stored = health_probes.stored(
            connection, context.now, context.all_tuning.values("webhooks")["recovered_after"]
        )
        place = health_probes.place(context.database, connection)
        sources = listed(connection, context.now, context.all_tuning)
        yield ok(f"database: {shown_url(context.database.url)}, {waiting_words(stored)}")
        yield from _clock(context, connection)
        yield from _open_to_others(context, api_tokens.all_tokens(connection))
        for finding in of_database(context.tuning, stored=stored):
            is_all = finding.what == stored.all_fail
            yield _with_first_error(finding, sources) if is_all else finding
        yield from _behind(stored)
        yield from _full(context, place.size_bytes, place.free_page_bytes or 0)
        yield from _sources(sources, context)
        for one in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{one.item}: {one.reason}", "correct it and ingest it again; the warning then disappears"
            )
    yield from files.backups(context)


def check_future_contents(context: DoctorContext) -> Iterator[Finding]:
    """Check what would be wrong with a database that does not exist yet."""
    yield from _open_to_others(context, ())
    yield from files.backups_to_come(context)


def _clock(context: DoctorContext, connection: Connection) -> Iterator[Finding]:
    last = health_probes.last_accepted_at(connection)
    if last is not None and (last - context.now).total_seconds() > _FUTURE_SECONDS:
        yield problem(
            f"the clock shows {context.now:%Y-%m-%d %H:%M} UTC, but an entry was stored at "
            f"{last:%Y-%m-%d %H:%M}",
            "timedatectl; timedatectl set-ntp true",
        )


def _open_to_others(context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]) -> Iterator[Finding]:
    if is_loopback(context.config.server.host):
        return
    if not any(one.may("read") and one.revoked_at is None for one in tokens):
        yield problem(
            f"server.host {context.config.server.host} is reachable from other machines, and no "
            "token has the scope read: the daemon does not start",
            "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
        )


def _behind(stored: DatabaseStatus) -> Iterator[Finding]:
    if stored.unindexed > _UNINDEXED_ARTICLES:
        yield warning(
            f"{counted(stored.unindexed, 'article is', 'articles are')} not in the search index yet",
            "let the daemon run: it indexes them while no article waits",
        )


def _full(context: DoctorContext, size: int, free: int) -> Iterator[Finding]:
    most = context.config.retention.size
    if most is not None and size - free > most:
        yield warning(
            f"the database contains {(size - free) / 2**20:,.1f} MiB, and retention.size allows "
            f"{most / 2**20:,.1f}",
            "aggregator db prune (it keeps the articles of the last days)",
        )


def _with_first_error(all_fail: Finding, sources: Sequence[SourceView]) -> Finding:
    """Return the finding that all feeds fail, with the first error and how to find its cause."""
    first = next(one for one in sources if one.kind == "feed" and one.state in ("failing", "gone"))
    test = "ping -c1 1.1.1.1; getent hosts example.org; then: " if first.cause in _OF_THE_NETWORK else ""
    return problem(f"{all_fail.what}; the first error: {first.problem}", f"{test}{_check(first)}")


def _sources(sources: Sequence[SourceView], context: DoctorContext) -> Iterator[Finding]:
    """Sources with a problem, except folders that `files.folders` has reported as missing."""
    missing = {str(path) for path in files.watched(context) if files.is_missing(path)}
    if not sources:
        yield ok("sources: none yet", "aggregator sources add URL, or list them in config.yaml")
    failing = [one for one in sources if one.is_in_trouble and one.url not in missing]
    for one in failing[:_SOURCES_SHOWN]:
        yield warning(f"source {one.name}: {one.problem or one.state}", _advice(one))
    if len(failing) > _SOURCES_SHOWN:
        more = counted(len(failing) - _SOURCES_SHOWN, "more source has", "more sources have")
        yield warning(f"{more} a problem", "aggregator sources list --failing")


def _advice(one: SourceView) -> str:
    if one.kind == "folder":
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or if it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: the entries are stored, and not announced"
    return _check(one)


def _check(one: SourceView) -> str:
    """Return the command that checks the source, without a secret from its address."""
    has_secret = redact(one.polled_url) != one.polled_url
    return f"aggregator sources show {one.id}" if has_secret else f"aggregator sources check {one.polled_url}"
