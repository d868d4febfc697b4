"""The list of sources with their health."""

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter

from sqlalchemy import Connection

from aggregator.model.errors import UsageError
from aggregator.model.read_model import IN_TROUBLE, SourcePage, SourceView
from aggregator.store.intake.source_rows import Source, all_sources
from aggregator.store.read.health.source_health import health_of
from aggregator.store.tables import read_rows
from aggregator.text.lines import word_list

# Fields of a view that are copied from its source
_SAME = word_list("""
    id kind polled_url site_url folder outlet language origin interval_seconds
""")


def source_page(
    connection: Connection,
    now: datetime,
    *,
    limit: int,
    after: str = "",
    text: str = "",
    failing_first: bool = False,
) -> SourcePage:
    """Return a page of the sources whose name, folder, outlet or host contains `text`, ordered by folder and name.

    `after`: the `next` of the previous page, whose last source may be gone by now. Only the host of an address is
    searched, because a search in the rest could reveal a secret key in it, letter by letter. Raises UsageError for
    an invalid cursor.
    """
    try:
        begin = tuple(bytes.fromhex(after).decode("utf-8", "replace").split("\0"))
    except ValueError:
        raise UsageError(
            "after: invalid cursor; use `next` of the previous page unchanged"
        ) from None
    sources = all_sources(connection)
    failing = 0
    rest = []
    for known in sources:
        is_failing = health_of(known, now).state in IN_TROUBLE
        failing += is_failing
        is_late = failing_first and not is_failing
        name = known.shown_name
        if "://" in name:
            name = known.host or known.id
        # A cursor contains this place, so that it stays valid if the source is removed. The place contains no address,
        # because an address may have a secret key.
        place = (
            "1" if is_late else "0",
            (known.folder or "")[:_CURSOR_CHARS],
            name.casefold()[:_CURSOR_CHARS],
            known.id,
        )
        names = (name, known.folder, known.outlet, known.host)
        has_text = any(text.casefold() in (each or "").casefold() for each in names)
        if place > begin and has_text:
            rest.append((place, known))
    rest.sort(key=itemgetter(0))
    following = None
    if len(rest) > limit:
        following = "\0".join(rest[limit - 1][0]).encode().hex()
    return SourcePage(
        sources=tuple(
            view_sources(connection, now, [known for _, known in rest[:limit]])
        ),
        next=following,
        total=len(sources),
        failing=failing,
    )


# Only this many characters of a folder or name decide the order, because a longer cursor would make a long URL.
_CURSOR_CHARS = 40


def view_sources(
    connection: Connection, now: datetime, chosen: Sequence[Source] | None = None
) -> list[SourceView]:
    """Return views of these sources in their order, or of all sources, ordered by folder and name."""
    counted = "SELECT source, count(*) FROM article"
    if chosen is None:
        sources: Sequence[Source] = all_sources(connection)
        rows = read_rows(connection, f"{counted} GROUP BY source")
    else:
        sources = chosen
        names = [source.entry_source for source in sources]
        rows = read_rows(
            connection, f"{counted} WHERE source IN :names GROUP BY source", names=names
        )
    articles = dict(rows)
    views = []
    for source in sources:
        health = health_of(source, now)
        views.append(
            SourceView(
                **{name: getattr(source, name) for name in _SAME},
                name=source.shown_name,
                url=source.address,
                state=health.state,
                cause=health.cause,
                problem=health.words or None,
                article_count=articles.get(source.entry_source, 0),
                per_day=health.per_day,
                last_success=source.last_success_at,
                next_due=source.next_due_at if source.is_polled else None,
            )
        )
    return views
