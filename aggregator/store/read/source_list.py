"""The list of sources with their health."""

import datetime as dt

from sqlalchemy import Connection

from aggregator.config.tuning import Tuning
from aggregator.model.read_model import SourceView
from aggregator.store.intake.hosts import backing_off_hosts
from aggregator.store.intake.source_health import health_of, health_tuning
from aggregator.store.intake.sources import all_sources, article_counts
from aggregator.store.intake.unstable_keys import distrusted
from aggregator.store.read.statistics import page_verdicts_by_source, verdicts_by_source

# Fields that a view has from its source.
_SAME = ["id", "kind", "polled_url", "site_url", "folder", "outlet", "language", "origin", "interval_seconds"]


def listed(
    connection: Connection, now: dt.datetime, all_tuning: Tuning, *, with_verdicts: bool = True
) -> list[SourceView]:
    """Return all sources, ordered by folder and name; the counts of verdicts read all entries."""
    tuning = health_tuning(all_tuning)
    articles = article_counts(connection)
    texts = verdicts_by_source(connection) if with_verdicts else {}
    pages = page_verdicts_by_source(connection) if with_verdicts else {}
    unstable, backing_off = distrusted(connection), backing_off_hosts(connection, now)
    rows = []
    for item in all_sources(connection):
        health = health_of(item, now, tuning)
        problems = [one for one in (health.words, unstable.get(item.id)) if one]
        due = max(item.next_due_at, backing_off.get(item.host or "", item.next_due_at))
        rows.append(
            SourceView(
                **{name: getattr(item, name) for name in _SAME},
                name=item.shown_name,
                url=item.address,
                state=health.state,
                cause=health.cause,
                problem="; ".join(problems) or None,
                article_count=articles.get(item.entry_source, 0),
                per_day=health.per_day,
                texts=texts.get(item.entry_source, {}),
                pages=pages.get(item.entry_source, {}),
                last_success=item.last_success_at,
                next_due=due if item.is_polled else None,
            )
        )
    return rows
