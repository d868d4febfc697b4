"""What `aggregator sources list` tells of each source: how it does, and what became of its texts."""

import datetime as dt

from aggregator.config.tuning import RuleBook
from aggregator.model.core import Noun
from aggregator.store.engine.database import Connection
from aggregator.store.intake.host_backoff import held_hosts
from aggregator.store.intake.source_health import State, health_of, health_rules
from aggregator.store.intake.sources import Source, all_sources, article_counts
from aggregator.store.intake.unstable_keys import distrusted
from aggregator.store.read.verdict_stats import page_verdicts_by_source, verdicts_by_source

_IN_TROUBLE = frozenset({"failing", "gone", "silent", "flood"})


class ListedSource(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """A source as the list shows it. `url` may hold a secret: for the owner's eyes only."""

    id: str
    name: str
    kind: str  # feed | folder
    url: str  # as typed; of a folder its path
    asked_at: str  # where it is asked now: another address when it moved for ever
    folder: str | None
    outlet: str | None
    language: str | None
    origin: str  # config | user
    state: State
    cause: str  # the short word: dns, tls, http 429, silent, ...
    problem: str | None  # the same as a sentence
    article_count: int
    per_day: float | None  # new entries; None: not known yet
    texts: dict[str, int]  # how many of its texts got which verdict, the most frequent first
    pages: dict[str, int]  # the same of pages that failed, so that the feed's own text was taken
    last_success: dt.datetime | None
    next_due: dt.datetime | None  # None: it is not asked
    interval_seconds: int

    @property
    def is_in_trouble(self) -> bool:
        """Whether somebody should look at it."""
        return self.state in _IN_TROUBLE


def listed(connection: Connection, now: dt.datetime, book: RuleBook) -> list[ListedSource]:
    """Every source, in the order of folders and names."""
    rules = health_rules(book)
    articles = article_counts(connection)
    texts, pages = verdicts_by_source(connection), page_verdicts_by_source(connection)
    habits, held = distrusted(connection), held_hosts(connection, now)
    found = []
    for item in all_sources(connection):
        health = health_of(item, now, rules)
        words = item.health_cause if item.kind == "folder" else health.words
        told = [one for one in (words, habits.get(item.id)) if one]
        found.append(
            ListedSource(
                id=item.id,
                name=item.shown_name,
                kind=item.kind,
                url=item.address,
                asked_at=item.asked_at,
                folder=item.folder,
                outlet=item.outlet,
                language=item.language,
                origin=item.origin,
                state=health.state,
                cause=health.cause,
                problem="; ".join(told) or None,
                article_count=articles.get(item.entry_source, 0),
                per_day=health.per_day,
                texts=texts.get(item.entry_source, {}),
                pages=pages.get(item.entry_source, {}),
                last_success=item.last_success_at,
                next_due=_next_due(item, held.get(item.host or "")),
                interval_seconds=item.interval_seconds,
            )
        )
    return found


def _next_due(item: Source, held_until: dt.datetime | None) -> dt.datetime | None:
    """When it is asked next: its own time, or that of its host where this asked us to wait."""
    if item.paused or item.health in ("gone", "merged"):
        return None
    return max(item.next_due_at, held_until) if held_until else item.next_due_at
