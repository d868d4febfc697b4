"""An incoming article: an entry with its clean text and fingerprint, before any decision."""

import datetime as dt
from typing import NamedTuple

import msgspec

from aggregator.extract.outlets import is_address, outlet_of, site_name_of
from aggregator.model.core import Article, CleanArticle, Fingerprint, Placement, Published
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.stories.articles import NewArticle, StoredArticle

_OUTLET_CHARS = 300  # like declared outlets; an index row of PostgreSQL has at most 2,700 bytes


class IncomingArticle(NamedTuple):
    """An article that is being placed."""

    inbox_entry: InboxEntry
    clean: CleanArticle
    fingerprint: Fingerprint

    @property
    def outlet(self) -> str | None:
        """The key of the outlet of the entry, else the outlet named in the text."""
        outlet = outlet_of(self.inbox_entry.entry)
        key = outlet.key if outlet else self.clean.outlet
        return key[:_OUTLET_CHARS].rstrip() if key else None

    @property
    def site_name(self) -> str | None:
        """The name that the outlet's own site gives it, on the page that was fetched there or in its feed."""
        outlet, page_url = outlet_of(self.inbox_entry.entry), self.inbox_entry.page_url
        if outlet is None:
            return None
        if page_url and self.clean.site_name:
            site_name = site_name_of(outlet.key, page_url, self.clean.site_name)
            if site_name is not None:
                return site_name
        return outlet.name if outlet.is_own and not is_address(outlet.name) else None

    @property
    def source(self) -> str:
        """The key of its source."""
        return self.inbox_entry.entry.source

    @property
    def is_polled(self) -> bool:
        """Whether its entry came from a feed, and not from a file or a client."""
        return self.inbox_entry.entry.authority in ("own", "foreign")

    def with_date_of(self, old: StoredArticle) -> "IncomingArticle":
        """Keep date and effective time of the stored article if the new date is only the time of a poll."""
        if self.clean.published is None or self.clean.published.origin != "poll":
            return self
        kept = None
        if old.published and old.published_origin and old.published_precision:
            kept = Published(
                time=old.published, origin=old.published_origin, precision=old.published_precision
            )
        return self._replace(
            inbox_entry=msgspec.structs.replace(self.inbox_entry, effective_at=old.effective_at),
            clean=msgspec.structs.replace(self.clean, published=kept),
        )

    def as_article(self, id_: str) -> Article:
        """Return it as grouping knows it, before it has a place."""
        published = self.clean.published
        return Article(
            id=id_,
            inbox_no=self.inbox_entry.inbox_no,
            story="",
            title=self.clean.title,
            source=self.source,
            outlet_key=self.outlet,
            effective_at=self.inbox_entry.accepted_at,
            copy_of=None,
            wire=None,
            role="container" if self.clean.is_container else "report",
            kind=self.clean.kind,
            is_compared=True,
            is_polled=self.is_polled,
            published=published.time if published else None,
            date_counts=published is None or published.counts,
            terms=self.fingerprint.terms,
            body_words=self.fingerprint.body_words,
        )

    def row(
        self,
        now: dt.datetime,
        placement: Placement,
        *,
        id_: str,
        root: str,
        generation: int,
        is_compared: bool,
        wire_confidence: float,
    ) -> NewArticle:
        """The article's row.

        Its effective time is when it was published; where that is unknown, as its entry assumes, or when it
        was seen. An agency counts as the one behind the text when that is as sure as `wire_confidence`:
        "Reuters contributed" is not.
        """
        entry, seen = self.inbox_entry.entry, self.inbox_entry.accepted_at
        outlet = outlet_of(entry)
        published = self.clean.published.time if self.clean.published else entry.assumed_at or seen
        wire = self.clean.wire
        site_name = self.site_name
        name = outlet.name if outlet else None
        if site_name and (name is None or is_address(name)):
            name = site_name
        return NewArticle(
            inbox_no=self.inbox_entry.inbox_no,
            id=id_,
            root_article=root,
            generation=generation,
            source=entry.source,
            outlet=self.outlet,
            outlet_name=name[:_OUTLET_CHARS] if name and outlet and name != outlet.key else None,
            url=entry.url or self.inbox_entry.page_url or self.clean.canonical_url,
            author=self.clean.author or entry.author,
            seen_at=seen,
            effective_at=self.inbox_entry.effective_at or min(published, seen),
            placed_at=now,
            clean=msgspec.structs.replace(self.clean, site_name=site_name),
            fingerprint=self.fingerprint,
            is_polled=self.is_polled,
            wire=wire.agency if wire is not None and wire.confidence >= wire_confidence else None,
            placement=placement,
            is_compared=is_compared,
            bump_by_clock=self.inbox_entry.bump_by_clock,
        )
