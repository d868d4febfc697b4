"""Outlets of feed articles: a stable key and a name.

The key is the registrable domain of the outlet's site, or the channel on a site that many outlets share
("youtube.com/channel/UC1", "alice.substack.com"). The name is the first of these: the name of the source, unless the
list of another reader filled it in with the title of the feed; the name in outlets.yaml; the title of the feed, if it
can be the name of the site; and the address.
"""

import re
import unicodedata
from functools import lru_cache
from itertools import combinations

from aggregator.extract.sites import (
    SITES,
    PublisherSite,
    are_one,
    site_of,
    site_of_page,
)
from aggregator.extract.urls import canonical_url, registrable_domain
from aggregator.model.entry import Entry, Outlet
from aggregator.text.lines import one_line

_NAME_CHARS = 100  # the longest of 117 titles of real feeds has 97

# A longer title is not a name: twelve of 117 titles of real feeds have more words, and none of them is a name
_NAME_WORDS = 5

# Names of at most this many letters are not compared, because many words share them by chance
_SHORT_LABEL = 2
_SCHEMES = ("http://", "https://")
_SEPARATOR = re.compile(r" (?:[|–—•»>:-]|::) |[|»:] ")

_FORMAT = re.compile(
    r"^(?:rss|atom) feed (?:for|from|of) | (?:feed|\(?(?:rss|atom)(?: feed)?\)?)$",
    re.IGNORECASE,
)


def is_headline(title: str, outlet: Outlet) -> bool:
    """Return whether a title is more than the name of its outlet, or of a section ("Home")."""
    names = (outlet.name, outlet.key, _label(outlet.key))
    return _fold(title) not in {"", *map(_fold, names), *SITES.content.no_names}


def outlet_of(entry: Entry) -> Outlet | None:
    """Return the outlet of an entry; None if it names none.

    The outlet that its feed gave it (`FeedOutlet`) comes first, then the declared outlet, then the site of its URL.
    """
    if entry.resolved_outlet is not None:
        return entry.resolved_outlet
    key = entry.outlet or registrable_domain(entry.url or "")
    return Outlet(key=key, name=key) if key else None


class FeedOutlet:
    """The outlet of a feed, and the outlets of its entries."""

    def __init__(
        self,
        *,
        name: str | None,
        title: str,
        feed_url: str | None,
        site_url: str | None,
    ) -> None:
        """Take `name` from the settings of the source or its OPML list, and `title` from the feed."""
        feed_site = site_of(feed_url)
        sites = [site for site in (site_of(site_url), feed_site) if site.key]
        main_site = min(sites, key=lambda site: site.is_shared, default=None)
        given = name
        # A name that repeats the title or is an address was filled in by the list of another reader, not by the user.
        if name and (_fold(name) == _fold(title) or name.startswith(_SCHEMES)):
            given = None
        address = feed_site.key or (canonical_url(feed_url or "") or "").removeprefix(
            "https://"
        ).rstrip("/")
        key = main_site.key if main_site else address
        shown = (
            given
            or SITES.content.names.get(key)
            or clean_title(title, key)
            or key
            or name
        )
        # A feed whose own address is elsewhere only claims the site.
        is_own = main_site is not None and feed_site.key == key
        self._own = self._at_address = None
        if shown:
            self._own = Outlet(key=key or shown, name=shown, is_own=is_own)
        if feed_url is None or is_own:
            self._at_address = self._own
        elif address:
            name_there = given or clean_title(title, address) or address
            self._at_address = Outlet(key=address, name=name_there)
        self._title = title
        self._is_public = main_site is not None
        self._sites = frozenset(site.key for site in sites)
        self._labels = frozenset(_label(site.key) for site in sites)
        self._domains = frozenset(site.domain for site in sites)

    def of_entry(
        self, *, url: str | None, declared_name: str | None, declared_url: str | None
    ) -> Outlet | None:
        """Return the outlet of an entry; None if neither the entry nor the feed names one.

        An entry that links to another site, or declares another site as its source, belongs to that site. An entry
        that declares only the name of its source belongs to an outlet of this name. All others belong to the feed's
        own outlet. If they link to its site in another country (bbc.com in a feed of bbc.co.uk), the key is that site.
        """
        link = site_of_page(url)
        declared = site_of_page(declared_url)
        if declared_name == self._title or (
            declared_url and not self._is_foreign(declared)
        ):
            declared_name = None
        for site in (link, declared):
            if self._is_foreign(site):
                listed = SITES.content.names.get(site.key, site.key)
                return Outlet(key=site.key, name=declared_name or listed)
        if declared_name:
            return Outlet(key=declared_name, name=declared_name)
        outlet = self._own
        if (
            outlet is None
            or not self._is_public
            or link.is_shared
            or link.key in ("", outlet.key)
        ):
            return outlet
        return Outlet(key=link.key, name=outlet.name)

    def address_outlet(self, outlet: Outlet | None) -> Outlet | None:
        """Return the outlet at the address of the feed if an entry claims a different `outlet`; None otherwise.

        Any feed may link to any site, and may claim to belong to any. A feed read from a file has no address, so the
        outlet that it claims for itself is used.
        """
        address = self._at_address
        if address is None or outlet is None or are_one(address.key, outlet.key):
            return None
        return address

    def _is_foreign(self, site: PublisherSite) -> bool:
        if not site.key or site.key in self._sites:
            return False
        # The link does not name a channel; in the feed of a channel it leads to a video of this channel
        if site.is_shared:
            return site.domain not in self._domains
        return "/" in site.key or _label(site.key) not in self._labels


# Cached because all entries of a feed ask for the same outlet
feed_outlet = lru_cache(maxsize=64)(FeedOutlet)


def _label(key: str) -> str:
    """Return the name that an outlet's sites in several countries share: "bbc" of "bbc.co.uk".

    The key of a channel is returned whole.
    """
    return key if "/" in key else key.partition(".")[0]


def clean_title(title: str, key: str) -> str:
    """Return the title of a feed without its section and format: "World | The Guardian" is "The Guardian".

    The name is the part that resembles the site, else the whole title. If this is long, the name is the words that
    spell the site, else the first part. Return "" for a title that does not name an outlet (a section, a sentence).
    """
    plain = _FORMAT.sub("", one_line(title[: 4 * _NAME_CHARS])).strip(" -–—|:»")
    label = _fold(_label(key).rpartition("/")[2])
    parts = [part.strip() for part in _SEPARATOR.split(plain) if part.strip()]
    name = plain
    if len(parts) > 1 and len(label) > _SHORT_LABEL:
        for part in reversed(parts):
            spelling = _fold(part)
            is_beginning = len(spelling) > _SHORT_LABEL and label.startswith(spelling)
            if is_beginning or label in spelling:
                name = part
    if key and parts and len(name.split()) > _NAME_WORDS:
        # The words that spell the label of the site: "Alex Blackie" for alexblackie
        words = plain.split()
        name = parts[0]
        for start, end in combinations(range(len(words) + 1), 2):
            run = " ".join(words[start:end])
            spelling = _fold(unicodedata.normalize("NFKD", run))
            if spelling == label and len(label) > _SHORT_LABEL:
                name = run.strip(".,:;|()[]")
                break
    folded = _fold(name)
    is_sentence = bool(key) and len(name.split()) > _NAME_WORDS
    if (
        not folded
        or is_sentence
        or folded in SITES.content.no_names
        or folded.startswith(("http", "localhost"))
    ):
        return ""
    return name[:_NAME_CHARS].rstrip()


def _fold(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
