"""The times when a page was published and changed, as it declares and shows them."""

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from aggregator.extract.html.declared import PageHead, visible_text
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.model.entry import Published


def find_times(
    head: PageHead, zone: str | None, seen: dt.datetime | None
) -> tuple[Published | None, dt.datetime | None]:
    """Return the times when a page was published and changed; None for a time that it does not state."""
    from htmldate.core import NAME_MODIFIED, PROPERTY_MODIFIED

    changed = (
        head.text("dateModified", 100),
        *(
            head.meta[name]
            for name in head.meta
            if name in NAME_MODIFIED or name in PROPERTY_MODIFIED
        ),
    )
    published = _first_time(_declared_times(head), zone, seen)
    modified = _first_time(changed, zone, seen)
    return published and replace(
        published, origin="page"
    ), modified.time if modified else None


def _declared_times(head: PageHead) -> Iterator[str]:
    """Yield the declared times of publication, the most reliable first; lazy, because the last are slow."""
    from htmldate.core import DATE_ATTRIBUTES

    yield head.text("datePublished", 100)
    yield head.meta.get("article:published_time", "")
    yield from map(_time_in, head.root.xpath(_MARKED_TIMES)[:_TIMES])
    names = [name for name in head.meta if not _NOT_PUBLISHED.search(name)]
    yield from (head.meta[name] for name in names if _PUBLISHED.search(name))
    yield from (head.meta[name] for name in names if name in DATE_ATTRIBUTES)
    yield from map(_time_in, head.root.xpath(_OWN_TIMES)[:3])
    # The day of a draft or of its first picture: of 20 labelled pages it is the day of publication on 16.
    yield head.text("dateCreated", 100)


def _first_time(
    stated: Iterable[str], zone: str | None, seen: dt.datetime | None
) -> Published | None:
    times = (parse_declared(value, zone, seen) for value in stated if value)
    return next(filter(None, times), None)


_PUBLISHED = re.compile(r"publi|pub[-_.:]?(?:date|time)|issued|posted")

_NOT_PUBLISHED = re.compile(
    r"modif|updat|expir|unpub|until|end|^meta$|release|copyright|event|video"
)


def _time_in(element: Any) -> str:
    """Return the value of an element that tells a time: from an attribute, else its visible text."""
    stated = (element.get(name) for name in ("datetime", "content", "title"))
    return (next(filter(None, stated), None) or visible_text(element, 100))[:100]


_TIMES = 12

# Times in these belong to other articles, or to the site.
_OUTSIDE = "[not(ancestor::aside or ancestor::nav or ancestor::footer or ancestor::a)]"
_MARKED_TIMES = (
    "//*[@itemprop='datePublished' or contains(@class, 'ublish') or contains(@class, 'ublication') or"
    f" self::time[@pubdate or contains(@itemprop, 'ublish')]]{_OUTSIDE}"
)
_OWN_TIMES = f"//time{_OUTSIDE}"
