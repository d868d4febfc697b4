"""A parsed feed and its entries as the source delivers them, before any decision about them."""

from datetime import datetime
from typing import Literal

from aggregator.model.structs import FrozenStruct

Precision = Literal["minute", "day"]
PublishedOrigin = Literal["feed", "page", "text", "poll"]
# Where an entry comes from: a feed of the site of its URL ("own"), the page at an address that was given alone
# ("page"), a file, mail or push ("handed"), or a feed of another site ("foreign")
Authority = Literal["own", "page", "handed", "foreign"]
# Whether the pages of a source's entries are fetched; "auto" fetches the pages of entries with a short text
FetchPages = Literal["auto", "always", "never"]


class Published(FrozenStruct):
    """The time of publication that an article states, or the time of the poll that found an undated article."""

    time: datetime
    precision: Precision = "minute"
    # "feed": declared with the entry, by a feed or a record; "page" or "text": read there; "poll": the time of the poll
    origin: PublishedOrigin = "feed"
    # The stated time has no zone, so the source's zone, or UTC, was used
    timezone_assumed: bool = False

    @property
    def counts(self) -> bool:
        """Whether grouping uses the time like a declared one; a date in the text may be the date of an event."""
        return self.origin != "text"


class Outlet(FrozenStruct):
    """The publisher of an article: a stable key and a name."""

    key: str
    name: str
    is_own: bool = False  # the name comes from the feed of its own site


class Enclosure(FrozenStruct):
    """A link to an image, audio, video or document, which is never fetched."""

    url: str
    # MIME type, or "image", "audio", "video" without a subtype; "" if the type is not declared
    type: str = ""
    length_bytes: int | None = None
    title: str = ""

    @property
    def is_image(self) -> bool:
        """Whether the link leads to an image."""
        return self.type.split("/")[0] == "image"


class Entry(FrozenStruct):
    """One item of a feed, a folder, a file or a request, before any decision about it.

    `source` identifies the source of the entry, and never contains a path of this machine. Values are as declared;
    only invalid characters are removed.
    """

    source: str
    guid: str | None = None
    record_id: str | None = None  # the `id` that a record had in its file or push
    url: str | None = None
    title: str = ""
    html: str | None = None  # the longest HTML among its content and summary
    text: str | None = None  # plain text, for records and .txt files
    # `html` is a whole web page with its boilerplate, not a fragment
    is_page: bool = False
    # `text` is a whole page saved as text, with headline and boilerplate
    is_saved_text: bool = False
    published: Published | None = None
    # The effective time if no date is found; None: the time when the entry was accepted
    assumed_at: datetime | None = None
    # The last successful poll of its feed before the entry appeared. That poll would have shown an older entry, so an
    # earlier date is not believed.
    last_poll: datetime | None = None
    updated: datetime | None = None
    # The outlet as declared by the source, the record, the entry's <source> or the folder
    outlet: str | None = None
    # Set for an entry of a feed, unless the outlet is configured for its source (extract/outlets.py)
    resolved_outlet: Outlet | None = None
    # The outlet at the address of the feed, if the entry claims to be from a different outlet
    feed_outlet: Outlet | None = None
    author: str | None = None
    language: str | None = None  # a hint: BCP 47 primary tag as declared
    # The language that the user set for the source: a fact, not a hint
    source_language: str | None = None
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    # Directives in the headers of its page (extract/html/robots_meta.py)
    robots: str = ""
    authority: Authority = "handed"
    # The entry comes from a feed or mail on the internet, so its links into private networks are shown as text
    is_of_internet: bool = False
    zone: str | None = None  # IANA name, for times without a zone
    # The entry is a link in a story feed: it records that `url` was seen there, and never becomes an article
    is_observation: bool = False

    @property
    def is_of_site(self) -> bool:
        """Whether the entry comes from the site of its own address: from its feed, or from its fetched page."""
        return self.authority in ("own", "page")


class EntryInput(FrozenStruct):
    """An entry with everything that its article is made of. `accepted_at` limits plausible dates."""

    entry: Entry
    accepted_at: datetime
    is_revision: bool = False
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None


class ParsedFeed(FrozenStruct):
    """A parsed feed. `problem` is a message for users; None: the feed could be read."""

    # "rss20", "atom10", "rdf", "jsonfeed", "sitemap", ...; "" if the document is not a feed
    format: str = ""
    title: str = ""
    # The language that the feed declares; without it, the language detected in all entries together
    language: str | None = None
    site_url: str | None = None
    # The address that the feed declares as its own (rel=self)
    self_url: str | None = None
    entries: tuple[Entry, ...] = ()
    # The number of entries in the feed before limits apply, without the known items in `left_out`
    entry_count: int = 0
    problem: str | None = None
    # The polling interval that the feed requests (ttl, sy:updatePeriod)
    ttl_seconds: float | None = None
    # The addresses of the sitemaps to read if this is an index of sitemaps, which has no entries itself
    sitemaps: tuple[str, ...] = ()
    # Whether each entry is determined by the bytes of its item alone. Empty unless the feed is well-formed and each
    # item holds one entry.
    are_settled: tuple[bool, ...] = ()
    # The hash of the item of each entry (sources/parse/feeds/known_items.py); b"": the item is parsed again next time
    items: tuple[bytes, ...] = ()
    left_out: tuple[bytes, ...] = ()  # hashes of known items, which were not read
    # Hash of the bytes around the items; b"": the feed cannot be cut into items
    frame: bytes = b""
    states_days: bool = False  # the entries state days without times
