"""A parsed feed and its entries as the source delivers them, before any decision about them."""

from datetime import datetime
from typing import Literal

from aggregator.model.structs import FrozenStruct

Precision = Literal["minute", "day"]
PublishedOrigin = Literal["feed", "page", "text", "poll"]
Authority = Literal["own", "page", "handed", "foreign"]
# Whether the pages of a source's entries are fetched; "auto": those of entries with a short text
FetchPages = Literal["auto", "always", "never"]


class Published(FrozenStruct):
    """The time of publication that an article states; "poll": it is undated, and the time is that of its poll."""

    time: datetime
    precision: Precision = "minute"
    # "feed": declared with the entry, by a feed or a record
    origin: PublishedOrigin = "feed"
    # The text has no zone: the source's zone, or UTC, was used
    timezone_assumed: bool = False

    @property
    def counts(self) -> bool:
        """Whether grouping uses it like a declared time: a date in the text may be the date of an event."""
        return self.origin != "text"


class Outlet(FrozenStruct):
    """The publisher of an article: a stable key and a name."""

    key: str
    name: str
    is_own: bool = False  # the name comes from the feed of its own site


class Enclosure(FrozenStruct):
    """A link to an image, audio or video, which is never fetched."""

    url: str
    # MIME type, or "image", "audio", "video" without a subtype; "" where not given
    type: str = ""
    length_bytes: int | None = None
    title: str = ""

    @property
    def is_image(self) -> bool:
        """Whether the media type is that of an image."""
        return self.type.split("/")[0] == "image"


class Entry(FrozenStruct):
    """One item of a feed, a folder, a file or a request, before any decision about it.

    `source` is the id of its source, never an absolute path or an address of ours. Values are as declared;
    only invalid characters are removed.
    """

    source: str
    guid: str | None = None
    record_id: str | None = None  # the `id` that a record had in its file or push
    url: str | None = None
    title: str = ""
    html: str | None = None  # the longest HTML that it has (content, else summary)
    text: str | None = None  # plain text, for records and .txt files
    # `html` is a whole web page with its boilerplate, not a fragment
    is_page: bool = False
    # `text` is an article saved by a person, with headline and boilerplate
    is_saved_text: bool = False
    published: Published | None = None
    # Effective time if no date is found; None: the time of its acceptance
    assumed_at: datetime | None = None
    # The last poll of its feed before the entry appeared there; an earlier date is not believed
    last_poll: datetime | None = None
    updated: datetime | None = None
    # The outlet as declared by the source, the record, the entry's <source> or the folder
    outlet: str | None = None
    # Set for an entry of a feed, unless the outlet is configured for its source (extract/outlets.py)
    resolved_outlet: Outlet | None = None
    # The outlet of the feed, if the entry speaks for a different outlet
    feed_outlet: Outlet | None = None
    author: str | None = None
    language: str | None = None  # a hint: BCP 47 primary tag as declared
    # The language that the user set for the source: a fact, not a hint
    source_language: str | None = None
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    # Directives in the headers of its page, see extract/html/robots_meta.py
    robots: str = ""
    authority: Authority = "handed"
    # It is of a feed or mail of the internet: its links into private networks are text
    is_of_internet: bool = False
    zone: str | None = None  # IANA name, for times without a zone
    # A link of a story feed: `url` was seen there; never an article of its own
    is_observation: bool = False

    @property
    def is_of_site(self) -> bool:
        """Whether the own site of its address gave it, as a feed or as the page that was fetched."""
        return self.authority in ("own", "page")


class EntryInput(FrozenStruct):
    """An entry with all input of its article. `accepted_at` limits plausible dates."""

    entry: Entry
    accepted_at: datetime
    is_revision: bool = False
    page: bytes | None = None
    page_url: str | None = None
    page_charset: str | None = None


class ParsedFeed(FrozenStruct):
    """A parsed feed. `problem` is a message for users, None where there is none."""

    # "rss20", "atom10", "rdf", "jsonfeed", "sitemap", ...; "" if the document is not a feed
    format: str = ""
    title: str = ""
    # The language that the feed declares; without it, the language detected in all entries together
    language: str | None = None
    site_url: str | None = None
    entries: tuple[Entry, ...] = ()
    # The number of entries in the feed, before limits apply
    entry_count: int = 0
    problem: str | None = None
    # The polling interval that it requests (ttl, sy:updatePeriod)
    ttl_seconds: float | None = None
    # Addresses of the newest sitemaps that an index of sitemaps lists; they contain the entries
    sitemaps: tuple[str, ...] = ()
    # Whether the bytes of each entry's item alone determine the entry. Empty unless each item is well-formed
    # and holds one entry.
    are_settled: tuple[bool, ...] = ()
    # Hash of the item of each entry (sources/parse/feeds/known_items.py), b"": none
    items: tuple[bytes, ...] = ()
    left_out: tuple[bytes, ...] = ()  # hashes of known items, which were not read
    # Hash of the bytes around the items; b"": the feed cannot be cut into items
    frame: bytes = b""
    states_days: bool = False  # the entries state days without times
