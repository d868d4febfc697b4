"""The counts of a story: articles, outlets and independent reports.

The *origin* of a text is the agency behind its copy group (copy_groups.py), if known, else the outlet of the
original, or the publisher of that outlet. A text of unknown outlet is an origin of its own; articles
of a source always have an outlet.

An opinion, an explainer or a withdrawal (`kind`) is not an independent report, and neither is a text that agrees too
little with its story (`counts_as_report`). Like an excerpt, a live blog or a roundup, such an article counts in
`report_count` only if the story has no other articles, so that no count is 0.

All outlets of little-known sources that only repeat others count as one outlet, since anyone can open forty. A
source without standing is little-known (store/stories/stream_history.py). If only the sender names the outlet of an
article (`is_unconfirmed`), as with feeds that link to other sites, pushes, files and mails, the article is
counted with these outlets, and not as a report, once the story has a report of a source with standing.

A text that reuses many words of another outlet's text (`reuses`) is counted in the group of that text, but is
not treated as its copy elsewhere. Links of excerpts do not join groups: an excerpt of two texts would make them
one group.
"""

from collections.abc import Mapping, Sequence

import msgspec

from aggregator.extract.wire.agencies import outlet_key, shipped_families
from aggregator.model.article import CountedArticle
from aggregator.model.prepared import UNCOUNTED_KINDS
from aggregator.stories.counting.copy_groups import (
    COUNTED_ROLES,
    copy_groups,
    is_agency_text,
    is_unconfirmed,
    origin_link,
    original_of,
    precedence,
)


class Counts(msgspec.Struct, frozen=True):
    """The counts of a story; `article_count` and `report_count` are at least 1 if it has an article."""

    article_count: int
    outlet_count: int  # different outlets
    # Different origins of the reports, or of all articles if none of them is a report
    report_count: int
    unknown_outlet_count: int = 0  # articles of unknown outlet


def counts(
    articles: Sequence[CountedArticle], families: Mapping[str, str] | None = None
) -> Counts:
    """Return the counts of a story with these articles, which may be in any order.

    `families` maps the key of an outlet to the name of its publisher, whose outlets count as one origin (see
    `extract.wire.agencies.family_table`). None means the shipped families.
    """
    table = shipped_families() if families is None else families
    texts = copy_groups(articles, origin_link)
    known = set()
    strangers = []
    for text in [text for text in texts if any(map(is_report, text))] or texts:
        printer, origin = _printer_and_origin(text, table)
        if all(article.is_little_known for article in text):
            strangers.append((printer, origin, all(map(is_unconfirmed, text))))
        else:
            known.add(origin)
    new = set()
    printers = set()
    for printer, origin, is_of_nobody in strangers:
        if not (known and is_of_nobody):
            new.add(origin)
            printers.add(printer)
    outlets: set[str] = set()
    repeating: set[str] = set()
    has_own_words = False
    for article in articles:
        if article.outlet_key is not None:
            only_repeats = article.is_little_known and not (
                article.role == "report" and article.counts_as_report
            )
            is_beside = only_repeats or (known and is_unconfirmed(article))
            (repeating if is_beside else outlets).add(outlet_key(article.outlet_key))
            has_own_words |= article.is_little_known and not is_beside
    return Counts(
        article_count=len(articles),
        # Outlets that only repeat others count as one outlet. They count as none if the story has reports of known
        # sources and a little-known outlet has words of its own: forty feeds may print one text that only the first
        # of them wrote.
        outlet_count=len(outlets)
        + (not outlets >= repeating and not (known and has_own_words)),
        # A little-known outlet is one report, whatever agencies it names.
        report_count=len(known) + min(len(new - known), len(printers)),
        unknown_outlet_count=sum(article.outlet_key is None for article in articles),
    )


def is_report(article: CountedArticle) -> bool:
    """Return whether an article makes its text a report; an excerpt by a little-known source does not."""
    return (
        article.role in COUNTED_ROLES
        and article.kind not in UNCOUNTED_KINDS
        and article.counts_as_report
        and not (article.is_little_known and article.role == "copy")
    )


def _printer_and_origin(
    text: Sequence[CountedArticle], families: Mapping[str, str]
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Return who printed a text first, and whose text it is.

    The printer is the publisher of the original's outlet, or the original itself if its outlet is unknown. The origin
    is the agency of the original, else the agency that the earliest copy with an agency names, else the printer.
    """
    original = original_of(text)
    printer = "unknown", original.id
    if original.outlet_key is not None:
        key = outlet_key(original.outlet_key)
        printer = "outlet", families.get(key, key).casefold()
        if is_agency_text(original):
            return printer, ("agency", key)
    if original.wire:
        return printer, ("agency", original.wire.casefold())
    # A little-known source is not asked: by naming one agency, it could make all reports that it copies a single one.
    named = [
        (precedence(article), article.inbox_no, article.wire.casefold())
        for article in text
        if article.wire is not None and not article.is_little_known
    ]
    return printer, ("agency", min(named)[2]) if named else printer
