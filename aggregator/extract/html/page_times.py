"""Finds the times when a page was published and changed, in its metadata and its visible dates."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from msgspec.structs import replace

from aggregator.extract.html.declared import PageHead, visible_text
from aggregator.extract.language.dates import published_from_text
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.model.entry import Published

# A time is looked for in this many characters of a value, and in this many elements of a page (limits)
_TIME_CHARS = 100
_MOST_ELEMENTS = 12
# Names of <meta> with the time of publication: "pubdate", "article.published"
_META_PUBLISHED = re.compile(r"publi|pub[-_.:]?(?:date|time)|issued|posted")
# Names of <meta> with other times: "og:updated_time", "unpublish_date"
_META_OTHER_TIME = re.compile(
    r"modif|updat|expir|unpub|until|end|^meta$|release|copyright|event|video"
)
# Classes of an element that shows the time of publication. `status-publish` is not one of these, because WordPress
# gives it to each post.
_PUBLISHED_CLASS = re.compile(
    r"(?<!status-)publi(?:sh(?!er)|cation)|pubdate", re.IGNORECASE
)
_CHANGED_CLASS = re.compile(r"modif|updat", re.IGNORECASE)
# Classes of elements around times of other articles and of comments. `author-info` and `caption` are not listed,
# because the article's own time may be inside them, too.
_BESIDE = re.compile(
    r"(?:^|[-_ ])(?:related|recommend(?:ed|ations?)|recirc\w*|trending|popular|most-read|"
    r"comments?-(?:list|section|area|body|item))(?:$|[-_ ])|(?:^| )comments?(?:$| )"
)
# Times inside <aside>, <nav>, <footer> and links belong to other articles or to the site.
_OUTSIDE = "[not(ancestor::aside or ancestor::nav or ancestor::footer or ancestor::a)]"
_MARKED_TIMES = (
    "//*[@itemprop='datePublished' or contains(@class, 'ublish') or contains(@class, 'ublication') or"
    f" self::time[@pubdate or contains(@itemprop, 'ublish')]]{_OUTSIDE}"
)
# A header that is outside the article and without a headline shows the present day below the name of the site.
_OWN_TIMES = (
    f"//time{_OUTSIDE}[ancestor::article or ancestor::main or not(ancestor::header)"
    " or ancestor::header//h1]"
)


def find_times(
    head: PageHead, zone: str | None, seen: datetime | None
) -> tuple[Published | None, datetime | None]:
    """Return the times when a page was published and changed; None for a time that it does not state."""
    from htmldate.core import NAME_MODIFIED, PROPERTY_MODIFIED

    declared_changes = [head.text("dateModified", _TIME_CHARS)]
    for name, value in head.meta.items():
        if name in NAME_MODIFIED or name in PROPERTY_MODIFIED:
            declared_changes.append(value)
    changes = (parse_declared(value, zone, seen) for value in declared_changes)
    modified = next(filter(None, changes), None)
    times = filter(None, _times_of_publication(head, zone, seen))
    published = next(times, None)
    if published is None:
        # Many pages show a single time and call it the time of a change, although they have not changed.
        shown = (_shown_time(part, zone, seen) for part in _own_times(head.root))
        published = next(filter(None, shown), None)
        if published is None:
            # This is the day of the draft or of its first picture, on 16 of 20 labelled pages also of publication.
            published = parse_declared(
                head.text("dateCreated", _TIME_CHARS), zone, seen
            )
    elif published.precision == "day":
        # Another place may state the minute of this day. The day begins 14 hours before midnight UTC in the
        # easternmost zone, and ends 36 hours after midnight UTC in the westernmost zone.
        for time in times:
            hours = (time.time - published.time) / timedelta(hours=1)
            if time.precision == "minute" and -14 <= hours < 36:
                published = time
                break
    return (
        replace(published, origin="page") if published else None,
        modified.time if modified else None,
    )


def _times_of_publication(
    head: PageHead, zone: str | None, seen: datetime | None
) -> Iterator[Published | None]:
    """Yield the stated times of publication, the most reliable first; lazy, because the last are slow to find."""
    from htmldate.core import DATE_ATTRIBUTES

    yield parse_declared(head.text("datePublished", _TIME_CHARS), zone, seen)
    yield parse_declared(head.meta.get("article:published_time", ""), zone, seen)
    for element in head.root.xpath(_MARKED_TIMES)[:_MOST_ELEMENTS]:
        names = f"{element.get('class')} {element.get('itemprop')}"
        is_marked = element.get("pubdate") is not None or _PUBLISHED_CLASS.search(names)
        if is_marked and "video" not in names and not _is_beside(element):
            yield _shown_time(element, zone, seen)
    names_of_meta = [name for name in head.meta if not _META_OTHER_TIME.search(name)]
    for name in names_of_meta:
        if _META_PUBLISHED.search(name):
            yield parse_declared(head.meta[name], zone, seen)
    for name in names_of_meta:
        if name in DATE_ATTRIBUTES:
            yield parse_declared(head.meta[name], zone, seen)
    for element in _own_times(head.root):
        if not _is_of_change(element):
            yield _shown_time(element, zone, seen)


def _own_times(root: Any) -> list[Any]:
    """Return the <time> elements that belong to the article of the page."""
    return [
        element
        for element in root.xpath(_OWN_TIMES)[:_MOST_ELEMENTS]
        if element.get("itemprop") != "dateModified" and not _is_beside(element)
    ]


def _is_of_change(element: Any) -> bool:
    """Return whether the class of an element or its parent says that the element shows the time of a change."""
    element_and_parent = (element, *islice(element.iterancestors(), 1))
    names = " ".join(part.get("class") or "" for part in element_and_parent)
    return _CHANGED_CLASS.search(names) is not None and not _PUBLISHED_CLASS.search(
        names
    )


def _is_beside(element: Any) -> bool:
    """Return whether an element stands in a list of other articles or of comments."""
    return any(
        _BESIDE.search(f"{part.get('class') or ''} {part.get('id') or ''}")
        for part in element.iterancestors("div", "section", "ul", "ol", "li")
    )


def _shown_time(
    element: Any, zone: str | None, seen: datetime | None
) -> Published | None:
    """Return the time in an attribute of an element, else the date in its visible text."""
    for name in ("datetime", "content", "title"):
        stated = (element.get(name) or "")[:_TIME_CHARS]
        if time := parse_declared(stated, zone, seen):
            return time
    return published_from_text([visible_text(element, _TIME_CHARS)], zone, seen)
