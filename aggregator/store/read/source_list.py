"""The list of sources with their health."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from aggregator.model.errors import UsageError
from aggregator.model.read_model import IN_TROUBLE, SourcePage, SourceView
from aggregator.store.intake.identity.identifier_stability import distrusted
from aggregator.store.intake.sources import Source, all_sources
from aggregator.store.read.health.source_health import health_of
from aggregator.store.tables import article

# Fields that a view has from its source.
_SAME = [
    "id",
    "kind",
    "polled_url",
    "site_url",
    "folder",
    "outlet",
    "language",
    "origin",
    "interval_seconds",
]


def source_page(
    connection: Connection,
    now: dt.datetime,
    *,
    limit: int,
    after: str = "",
    text: str = "",
    failing_first: bool = False,
) -> SourcePage:
    """Return a page of the sources, ordered by folder and name, whose name, folder or outlet has the `text`.

    `after`: the `next` of the previous page, whose last source may be gone by now. The text may also be in
    the host, and nowhere else in an address: whoever searches for a key letter by letter finds none. Raises
    UsageError for an invalid cursor.
    """
    sources = all_sources(connection)
    failing = {
        listed_source.id
        for listed_source in sources
        if health_of(listed_source, now).state in IN_TROUBLE
    }
    begin = _read_cursor(after)
    rest = []
    for listed_source in sources:
        is_late = failing_first and listed_source.id not in failing
        place = _place(listed_source, is_late=is_late)
        if place > begin and _has_text(listed_source, text.casefold()):
            rest.append((place, listed_source))
    rest.sort(key=lambda placed: placed[0])
    has_more = len(rest) > limit
    return SourcePage(
        sources=tuple(
            listed(
                connection, now, [listed_source for _, listed_source in rest[:limit]]
            )
        ),
        next="\0".join(rest[limit - 1][0]).encode().hex() if has_more else None,
        total=len(sources),
        failing=len(failing),
    )


# Of a folder or name that order: a longer cursor would be a long address
_CURSOR_CHARS = 40


def _place(source: Source, *, is_late: bool) -> tuple[str, ...]:
    """Return what orders sources. It is in cursors, so that a source may be removed, and names no address."""
    folder, name = source.folder or "", _public_name(source).casefold()
    return (
        "1" if is_late else "0",
        folder[:_CURSOR_CHARS],
        name[:_CURSOR_CHARS],
        source.id,
    )


def _read_cursor(after: str) -> tuple[str, ...]:
    try:
        text = bytes.fromhex(after).decode("utf-8", "replace")
    except ValueError:
        raise UsageError(
            "after: invalid cursor; use `next` of the previous page unchanged"
        ) from None
    return tuple(text.split("\0"))


def _public_name(source: Source) -> str:
    return (
        (source.host or source.id) if "://" in source.shown_name else source.shown_name
    )


def _has_text(source: Source, folded: str) -> bool:
    places = (_public_name(source), source.folder, source.outlet, source.host)
    return any(folded in (place or "").casefold() for place in places)


def listed(
    connection: Connection, now: dt.datetime, chosen: Sequence[Source] | None = None
) -> list[SourceView]:
    """Return views of these sources, else of all, ordered by folder and name."""
    sources = all_sources(connection) if chosen is None else chosen
    counted = select(article.c.source, func.count().label("articles")).group_by(
        article.c.source
    )
    if chosen is not None:
        names = [source.entry_source for source in chosen]
        counted = counted.where(article.c.source.in_(names))
    articles = {row.source: row.articles for row in connection.execute(counted)}
    unstable = distrusted(connection)
    rows = []
    for source in sources:
        health = health_of(source, now)
        problems = filter(None, (health.words, unstable.get(source.id)))
        rows.append(
            SourceView(
                **{name: getattr(source, name) for name in _SAME},
                name=source.shown_name,
                url=source.address,
                state=health.state,
                cause=health.cause,
                problem="; ".join(problems) or None,
                article_count=articles.get(source.entry_source, 0),
                per_day=health.per_day,
                last_success=source.last_success_at,
                next_due=source.next_due_at if source.is_polled else None,
            )
        )
    return rows
