"""Checks of the stored contents: sources, webhooks, tokens, backlog, size, backups."""

from collections.abc import Iterable, Iterator, Sequence

from aggregator.admin.doctor import files
from aggregator.admin.doctor.context import DoctorContext, Finding, ok, problem, warning
from aggregator.admin.manage_sources import ListedSource, listed
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import counted, redact
from aggregator.model.health_report import DatabaseStatus
from aggregator.store.engine.database import Connection, shown_url
from aggregator.store.intake import rejected
from aggregator.store.read import health_gauges
from aggregator.store.stories import api_tokens

_REJECTED_SHOWN = 5
_OF_THE_NETWORK = frozenset({"dns", "connect", "timeout"})  # causes that a broken network has
_SOURCES_SHOWN = 20


def inspect(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Run all checks in one read transaction."""
    with doctor_context.database.read() as connection:
        stored = health_gauges.stored(
            connection, doctor_context.now, doctor_context.all_tuning.values("webhooks")["recovered_after"]
        )
        place = health_gauges.place(doctor_context.database, connection)
        yield ok(f"database: {shown_url(doctor_context.database.url)}, {_waiting(stored)}")
        yield from _clock(doctor_context, connection)
        yield from _open_to_others(doctor_context, api_tokens.all_tokens(connection))
        yield from _behind(doctor_context, stored)
        yield from _full(doctor_context, place.size_bytes, place.free_page_bytes or 0)
        yield from _sources(
            listed(connection, doctor_context.now, doctor_context.all_tuning), doctor_context, stored.all_fail
        )
        for text in stored.problems:
            yield warning(text, "aggregator webhooks list, then aggregator webhooks test NAME")
        for one in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{one.item}: {one.reason}", "correct it and ingest it again; the warning then disappears"
            )
    yield from files.backups(doctor_context)


def check_future_contents(doctor_context: DoctorContext) -> Iterator[Finding]:
    """Check what would be wrong with a database that does not exist yet."""
    yield from _open_to_others(doctor_context, ())
    yield from files.backups_to_come(doctor_context)


def _clock(doctor_context: DoctorContext, connection: Connection) -> Iterator[Finding]:
    last = health_gauges.last_accepted_at(connection)
    if (
        last is not None
        and (last - doctor_context.now).total_seconds() > doctor_context.tuning.future_seconds
    ):
        yield problem(
            f"the clock shows {doctor_context.now:%Y-%m-%d %H:%M} UTC, but an entry was stored at "
            f"{last:%Y-%m-%d %H:%M}",
            "timedatectl; timedatectl set-ntp true",
        )


def _open_to_others(
    doctor_context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]
) -> Iterator[Finding]:
    if is_loopback(doctor_context.config.server.host):
        return
    if not any(one.may("read") and one.revoked_at is None for one in tokens):
        yield problem(
            f"server.host {doctor_context.config.server.host} is reachable from other machines, and no "
            "token has the scope read: the daemon does not start",
            "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
        )


def _behind(doctor_context: DoctorContext, stored: DatabaseStatus) -> Iterator[Finding]:
    hours = stored.oldest_seconds / 3600
    if hours >= doctor_context.tuning.waiting_hours:
        yield problem(
            f"{_waiting(stored)}, the oldest for {counted(round(hours), 'hour')}",
            "journalctl -u aggregator -n 100 shows why; then: systemctl restart aggregator (without a "
            "service: aggregator run)",
        )
    if stored.unindexed > doctor_context.tuning.unindexed_articles:
        yield warning(
            f"{counted(stored.unindexed, 'article is', 'articles are')} not in the search index yet",
            "let the daemon run: it indexes them while no article waits",
        )


def _waiting(stored: DatabaseStatus) -> str:
    return counted(sum(stored.inbox.values()), "article waits", "articles wait")


def _full(doctor_context: DoctorContext, size: int, free: int) -> Iterator[Finding]:
    most = doctor_context.config.retention.size
    if most is not None and size - free > most:
        yield warning(
            f"the database contains {(size - free) / 2**20:,.1f} MiB, and retention.size allows "
            f"{most / 2**20:,.1f}",
            "aggregator db prune (it keeps the articles of the last days)",
        )


def _sources(
    sources: Sequence[ListedSource], doctor_context: DoctorContext, all_fail: str | None
) -> Iterator[Finding]:
    """Sources with a problem, except folders that `files.folders` has reported as missing."""
    missing = {str(path) for path in files.watched(doctor_context) if files.is_missing(path)}
    if not sources:
        yield ok("sources: none yet", "aggregator sources add URL, or list them in config.yaml")
    if all_fail is not None:
        first = next(one for one in sources if one.kind == "feed" and one.state in ("failing", "gone"))
        test = "ping -c1 1.1.1.1; getent hosts example.org; then: " if first.cause in _OF_THE_NETWORK else ""
        yield problem(f"{all_fail}; the first error: {first.problem}", f"{test}{_check(first)}")
    failing = [one for one in sources if one.is_in_trouble and one.url not in missing]
    for one in failing[:_SOURCES_SHOWN]:
        yield warning(f"source {one.name}: {one.problem or one.state}", _advice(one))
    if len(failing) > _SOURCES_SHOWN:
        more = counted(len(failing) - _SOURCES_SHOWN, "more source has", "more sources have")
        yield warning(f"{more} a problem", "aggregator sources list --failing")


def _advice(one: ListedSource) -> str:
    if one.kind == "folder":
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or if it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: the entries are stored, and not announced"
    return _check(one)


def _check(one: ListedSource) -> str:
    """Return the command that checks the source, without a secret from its address."""
    has_secret = redact(one.polled_url) != one.polled_url
    return f"aggregator sources show {one.id}" if has_secret else f"aggregator sources check {one.polled_url}"
