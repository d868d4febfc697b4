"""The findings of `doctor` about stored data: failing sources, rejected items, access open to others."""

from collections.abc import Iterable, Iterator

from aggregator.admin import backup_folder
from aggregator.admin.probes.doctor_context import DoctorContext
from aggregator.config.hosts import is_loopback
from aggregator.config.messages import NO_SOURCES, counted, redact
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.model.health_report import Finding
from aggregator.model.read_model import SourceView
from aggregator.store import api_tokens
from aggregator.store.engine.database import shown_url
from aggregator.store.intake import rejected
from aggregator.store.read.health import database_status
from aggregator.store.read.health.health_probes import (
    of_database,
    ok,
    problem,
    waiting_words,
    warning,
)
from aggregator.store.read.source_list import listed

_REJECTED_SHOWN = 5

_SOURCES_SHOWN = 20


def content_findings(context: DoctorContext) -> Iterator[Finding]:
    """Run all checks in one read transaction; of a database to come those that need none."""
    if not context.has_database:
        yield from _open_to_others(context, ())
        return
    with context.database.read() as connection:
        stored = database_status.stored(
            connection, context.now, context.config.effective_tuning
        )
        sources = listed(connection, context.now)
        yield ok(
            f"database: {shown_url(context.database.url)}, {waiting_words(stored)}"
        )
        yield from _open_to_others(context, api_tokens.all_tokens(connection))
        yield from of_database(stored=stored)
        if not stored.sources:
            yield ok(NO_SOURCES)
        failing = [source for source in sources if source.is_in_trouble]
        for source in failing[:_SOURCES_SHOWN]:
            yield warning(
                f"source {source.name}: {source.problem or source.state}",
                _advice(source),
            )
        if len(failing) > _SOURCES_SHOWN:
            more = counted(
                len(failing) - _SOURCES_SHOWN, "more source has", "more sources have"
            )
            yield warning(f"{more} a problem", "aggregator sources list --failing")
        for refused in rejected.latest(connection, _REJECTED_SHOWN):
            yield warning(
                f"{refused.item}: {refused.reason}",
                "correct it and ingest it again; the warning then disappears",
            )
    yield from of_database(
        backup=backup_folder.backup_state(context.config, context.database, context.now)
    )


def _open_to_others(
    context: DoctorContext, tokens: Iterable[api_tokens.ApiToken]
) -> Iterator[Finding]:
    host = context.config.server.host
    if is_loopback(host) or any(
        token.may("read") and token.revoked_at is None for token in tokens
    ):
        return
    yield problem(
        f"server.host {host} is reachable from other machines, and no token has the scope read: the daemon "
        "does not start",
        "aggregator token create NAME --scope read, or set server.host: 127.0.0.1",
    )


def _advice(source: SourceView) -> str:
    if source_kind(source.kind).is_local:
        return f"ls -ld {source.url}"
    if source.state == "gone":
        return f"aggregator sources remove {source.id}, or if it is back: aggregator sources resume {source.id}"
    if source.state == "flood":
        return "nothing: the entries are stored, and not announced"
    if redact(source.polled_url) != source.polled_url:
        return f"aggregator sources show {source.id}"
    return f"aggregator sources check {source.polled_url}"
