"""Reports of an invented event, and articles as grouping compares them."""

from datetime import UTC, datetime

from aggregator.model.article import Article, Role
from aggregator.model.entry import Precision, PublishedOrigin
from aggregator.model.prepared import Kind

GRAIN = (
    (
        "Grain slide closes harbour of Port Ellory",
        "The harbour of Port Ellory was closed on Friday after 1,250 tonnes of grain slid into the basin, "
        "Mayor Ines Calloway said. Two cranes were lost and divers of the Northern Salvage Company searched "
        "the basin until night.",
    ),
    (
        "Port Ellory harbour shut after 1,250 tonnes of grain slip into basin",
        "Divers of the Northern Salvage Company searched the basin of Port Ellory harbour on Friday after a "
        "slide of 1,250 tonnes of grain took two cranes down, according to the mayor, Ines Calloway, who "
        "closed the port.",
    ),
    (
        "Mayor closes Port Ellory after grain slide sinks two cranes",
        "Ines Calloway, mayor of Port Ellory, closed the harbour on Friday. A grain slide of 1,250 tonnes "
        "had pulled two cranes into the basin, where divers from the Northern Salvage Company were still "
        "searching.",
    ),
)


def article_of(
    terms: bytes = b"",
    minutes: int | None = None,
    body_words: int = 0,
    *,
    inbox_no: int = 1,
    id: str | None = None,
    title: str = "",
    outlet: str | None = None,
    source: str = "feed",
    kind: Kind = "report",
    role: Role = "report",
    is_compared: bool = True,
    date_counts: bool = True,
    published_origin: PublishedOrigin | None = None,
    published_precision: Precision | None = None,
    timezone_assumed: bool = False,
) -> Article:
    """Return an article as grouping compares it; `minutes`: its date, from its text unless `date_counts`.

    Its clock time is known only if `published_precision` is "minute".
    """
    published = None if minutes is None else datetime.fromtimestamp(60 * minutes, UTC)
    return Article(
        id=f"a{inbox_no}" if id is None else id,
        inbox_no=inbox_no,
        story="",
        title=title,
        source=source,
        outlet_key=outlet,
        effective_at=published or datetime.fromisoformat("2026-01-01T00:00Z"),
        copy_of=None,
        wire=None,
        role=role,
        kind=kind,
        is_compared=is_compared,
        is_polled=True,
        published=published,
        date_counts=date_counts,
        terms=terms,
        body_words=body_words,
        published_origin=published_origin,
        published_precision=published_precision,
        timezone_assumed=timezone_assumed,
    )
