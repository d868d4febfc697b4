"""What is in the database: sources, webhooks, what waits, what is behind."""

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

_REFUSALS_TOLD = 5
_SOURCES_TOLD = 20


def inspect(doctor_context: DoctorContext) -> Iterator[Finding]:
    """All of it, in one state."""
    with doctor_context.database.read() as connection:
        stored = health_gauges.stored(
            connection, doctor_context.now, doctor_context.all_tuning.values("hooks")["recovered_after"]
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
        for said in stored.problems:
            yield warning(said, "aggregator webhooks list, then aggregator webhooks test NAME")
        for one in rejected.latest(connection, _REFUSALS_TOLD):
            yield warning(f"{one.item}: {one.reason}", "mend it and read it again; it is then told no more")
    yield from files.backups(doctor_context)


def check_future_contents(doctor_context: DoctorContext) -> Iterator[Finding]:
    """What will be wrong with a database that is yet to be made."""
    yield from _open_to_others(doctor_context, ())
    yield from files.backups_to_come(doctor_context)


def _clock(doctor_context: DoctorContext, connection: Connection) -> Iterator[Finding]:
    last = health_gauges.last_accepted_at(connection)
    if (
        last is not None
        and (last - doctor_context.now).total_seconds() > doctor_context.tuning.future_seconds
    ):
        yield problem(
            f"by the clock it is {doctor_context.now:%Y-%m-%d %H:%M} UTC, but something was stored at "
            f"{last:%Y-%m-%d %H:%M}",
            "timedatectl; timedatectl set-ntp true",
        )


def _open_to_others(doctor_context: DoctorContext, given: Iterable[api_tokens.ApiToken]) -> Iterator[Finding]:
    if is_loopback(doctor_context.config.server.host):
        return
    if not any(one.may("read") and one.revoked_at is None for one in given):
        yield problem(
            f"server.host {doctor_context.config.server.host} can be reached from other machines, and "
            "there is no token that may read: the daemon does not start so",
            "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
        )


def _behind(doctor_context: DoctorContext, stored: DatabaseStatus) -> Iterator[Finding]:
    hours = stored.oldest_seconds / 3600
    if hours >= doctor_context.tuning.waiting_hours:
        yield problem(
            f"{_waiting(stored)}, one for {counted(round(hours), 'hour')}",
            "journalctl -u aggregator -n 100 says why; then: systemctl restart aggregator (without one: "
            "aggregator run)",
        )
    if stored.unindexed > doctor_context.tuning.unindexed_articles:
        yield warning(
            f"search does not find {counted(stored.unindexed, 'article')} yet",
            "let the daemon run: it goes on while nothing else waits",
        )


def _waiting(stored: DatabaseStatus) -> str:
    return counted(sum(stored.inbox.values()), "article waits", "articles wait")


def _full(doctor_context: DoctorContext, size: int, free: int) -> Iterator[Finding]:
    most = doctor_context.config.retention.size
    if most is not None and size - free > most:
        yield warning(
            f"the database holds {(size - free) / 2**20:,.1f} MiB, and retention.size allows "
            f"{most / 2**20:,.1f}",
            "aggregator db prune (it leaves the articles of the last days)",
        )


def _sources(
    sources: Sequence[ListedSource], doctor_context: DoctorContext, all_fail: str | None
) -> Iterator[Finding]:
    """Sources in trouble, but for the folders that were told already."""
    told = {str(path) for path in files.watched(doctor_context) if files.is_missing(path)}
    if not sources:
        yield ok("sources: none yet", "aggregator sources add URL, or name some in config.yaml")
    if all_fail is not None:
        first = next(one for one in sources if one.kind == "feed" and one.state in ("failing", "gone"))
        yield problem(
            f"{all_fail}, the first with: {first.problem}",
            f"ping -c1 1.1.1.1; getent hosts example.org; then: {_check(first)}",
        )
    ill = [one for one in sources if one.is_in_trouble and one.url not in told]
    for one in ill[:_SOURCES_TOLD]:
        yield warning(f"source {one.name}: {one.problem or one.state}", _advice(one))
    if len(ill) > _SOURCES_TOLD:
        more = counted(len(ill) - _SOURCES_TOLD, "more source is", "more sources are")
        yield warning(f"{more} in trouble", "aggregator sources list --failing")


def _advice(one: ListedSource) -> str:
    if one.kind == "folder":
        return f"ls -ld {one.url}"
    if one.state == "gone":
        return f"aggregator sources remove {one.id}, or where it is back: aggregator sources resume {one.id}"
    if one.state == "flood":
        return "nothing: it is stored, and not announced"
    return _check(one)


def _check(one: ListedSource) -> str:
    """Never with a secret of its address."""
    has_secret = redact(one.asked_at) != one.asked_at
    return f"aggregator sources show {one.id}" if has_secret else f"aggregator sources check {one.asked_at}"
