"""Makes the article to place from an entry and its prepared text, before any decision."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from aggregator.extract.outlets import clean_title, outlet_of
from aggregator.extract.sites import is_address, is_page_of, site_of_page
from aggregator.model.entry import Outlet, Published
from aggregator.model.prepared import CleanArticle, Prepared
from aggregator.store import codecs
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.stories.stored_articles import (
    ArticleDetails,
    StoredArticle,
    fingerprint_checksum,
)

# The longest key or name of an outlet; an index row of PostgreSQL has at most 2,700 bytes
_OUTLET_CHARS = 300


def incoming_article(
    waiting: InboxEntry, prepared: Prepared, now: datetime, *, wire_confidence: float
) -> StoredArticle:
    """Return the article of an entry that was prepared and not rejected; its story is "".

    An agency is stored as the origin of the text only if the confidence is at least `wire_confidence`, because
    "Reuters contributed" is not a sure sign.
    """
    entry = waiting.entry
    clean = prepared.article
    fingerprint = prepared.fingerprint
    assert fingerprint is not None, "an article that is rejected has no place"
    outlet, claimed = _outlet(waiting, clean)
    key = outlet.key if outlet else clean.outlet
    site_name = _site_name(waiting, clean, outlet)
    name = outlet.name if outlet else None
    if name and site_name and is_address(name):
        name = site_name
    if not name or name == key:
        name = None  # only the key of the outlet is known
    published = clean.published
    wire = clean.wire
    details: dict[str, Any] = {
        field: getattr(clean, field)
        for field in ArticleDetails.__struct_fields__
        if field != "fingerprint_checksum"
    }
    details["site_name"] = site_name
    details["fingerprint_checksum"] = fingerprint_checksum(
        fingerprint.signature, fingerprint.terms
    )
    return StoredArticle(
        id=waiting.article,
        inbox_no=waiting.inbox_no,
        root_article=waiting.article,
        generation=0,
        story="",
        source=entry.source,
        outlet_key=key[:_OUTLET_CHARS].rstrip() if key else None,
        outlet_name=name and name[:_OUTLET_CHARS],
        claimed_outlet=claimed,
        url=entry.url or waiting.page_url or clean.canonical_url,
        author=clean.author or entry.author,
        record_id=entry.record_id,
        title=clean.title,
        lead=clean.lead,
        text=clean.text,
        language=clean.language,
        verdict=clean.verdict,
        role="container" if clean.is_container else "report",
        kind=clean.kind,
        kind_evidence=clean.kind_evidence,
        copy_of=None,
        wire=wire.agency if wire and wire.confidence >= wire_confidence else None,
        published=published.time if published else None,
        published_origin=published.origin if published else None,
        published_precision=published.precision if published else None,
        timezone_assumed=published is not None and published.timezone_assumed,
        date_counts=published is None or published.counts,
        seen_at=waiting.accepted_at,
        effective_at=_effective_time(waiting, clean.published),
        placed_at=now,
        is_compared=True,
        is_polled=entry.authority in ("own", "foreign"),
        bump_by_clock=waiting.bump_by_clock,
        terms=fingerprint.terms,
        body_words=fingerprint.body_words,
        signature=fingerprint.signature,
        text_hash=fingerprint.text_hash,
        sketch=fingerprint.sketch,
        details=codecs.pack(ArticleDetails(**details)),
        html=None if prepared.html is None else codecs.compress_struct(prepared.html),
    )


def _outlet(
    waiting: InboxEntry, clean: CleanArticle
) -> tuple[Outlet | None, str | None]:
    """Return the outlet of an entry, and the key of the outlet that it only claims to be from.

    If the feed of one outlet says that an entry is from another outlet, this is only a claim until a page of the other
    outlet is read. Until then, the entry has the outlet of its feed.
    """
    entry = waiting.entry
    outlet = outlet_of(entry)
    if not outlet or not entry.feed_outlet:
        return outlet, None
    is_read = waiting.page is not None and clean.page_verdict is None
    if is_read and is_page_of(outlet.key, waiting.page_url or entry.url or ""):
        return outlet, None
    return entry.feed_outlet, outlet.key[:_OUTLET_CHARS]


def _effective_time(waiting: InboxEntry, published: Published | None) -> datetime:
    """Return when an article was published; if that is unknown, the time that its entry assumes, or when it was seen.

    The time when it was seen also replaces a date before the last poll of its feed, because that poll would have
    shown the article, and a date in the future.
    """
    if waiting.effective_at:  # the entry is placed again
        return waiting.effective_at
    time = waiting.entry.assumed_at or waiting.accepted_at
    if published:
        time = published.time
    if waiting.entry.last_poll is not None and time < waiting.entry.last_poll:
        return waiting.accepted_at
    return min(time, waiting.accepted_at)


def _site_name(
    waiting: InboxEntry, clean: CleanArticle, outlet: Outlet | None
) -> str | None:
    """Return the name that the outlet's own site gives it, on the page that was fetched or in its feed."""
    if outlet is None:
        return None
    if (
        waiting.page_url
        and clean.site_name
        and site_of_page(waiting.page_url).key == outlet.key
    ):
        # An address is not a name, and neither is a title that does not name an outlet.
        declared = clean_title(clean.site_name, outlet.key)
        if declared and not is_address(declared):
            return declared
    return outlet.name if outlet.is_own and not is_address(outlet.name) else None


def keep_date(incoming: StoredArticle, old: StoredArticle) -> StoredArticle:
    """Return a revision with the date of the placed article `old`, if its own date is only the time of a poll.

    Otherwise it keeps its own date, but the effective time of `old` stays if the date was not believed, or would make
    the article of a source earlier by a revision.
    """
    if incoming.published_origin != "poll":
        published = incoming.published
        is_date_used = published is None or published >= incoming.effective_at
        is_earlier = (
            incoming.source == old.source and incoming.effective_at < old.effective_at
        )
        if is_date_used and not is_earlier:
            return incoming
        return replace(incoming, effective_at=old.effective_at)
    return replace(
        incoming,
        published=old.published,
        published_origin=old.published_origin,
        published_precision=old.published_precision,
        timezone_assumed=False,
        date_counts=old.date_counts,
        effective_at=old.effective_at,
    )
