"""The outlet of each entry of a feed: a stable key and a name."""

import pytest

from aggregator.extract.sites import is_address
from tests.support.read_feeds import read
from tests.support.tables import each_row, mapping


def outlets(
    *items: str,
    url: str | None = "https://example.org/feed",
    title: str = "Harbour Post",
    site: str = "",
    **more: str,
) -> list[tuple[str, str] | None]:
    """The key and the name of the outlet of each item."""
    listed = "".join(
        f"<item><guid>{n}</guid><title>Title {n}</title>{item}</item>"
        for n, item in enumerate(items)
    )
    head = f"<title>{title}</title><link>{site}</link>"
    feed = read(
        f"<rss version='2.0'><channel>{head}{listed}</channel></rss>", url=url, **more
    )
    assert len(feed.entries) == len(items)
    found = [entry.resolved_outlet for entry in feed.entries]
    return [(one.key, one.name) if one else None for one in found]


def outlet(item: str = "", **more: str) -> tuple[str, str] | None:
    (found,) = outlets(item, **more)
    return found


def link(url: str) -> str:
    return f"<link>{url}</link>"


@each_row(
    "outlets",
    "the name is the title of the feed without section and format",
    "title",
    "name",
)
def test_the_name_is_the_title_of_the_feed_without_section_and_format(
    title: str, name: str
) -> None:
    assert outlet(title=title) == ("example.org", name)


ENTRIES = mapping("outlets", "entries have outlets")


@pytest.mark.parametrize("row", ENTRIES)
def test_entries_have_outlets(row: str) -> None:
    found = outlets(*ENTRIES[row]["items"], **ENTRIES[row].get("as", {}))
    assert [one and list(one) for one in found] == ENTRIES[row]["gives"]


@pytest.mark.parametrize(
    "site",
    ["", "http://localhost:4000/", "http://10.0.0.7/", "https://example.org/blog"],
)
@pytest.mark.parametrize(
    "item",
    [
        "",
        link("http://localhost:4000/a"),
        link("http://nas.local/a"),
        link("https://www.example.org/a"),
    ],
)
def test_an_entry_of_the_feeds_own_has_the_outlet_of_the_feed(
    site: str, item: str
) -> None:
    assert outlet(item, site=site) == ("example.org", "Harbour Post")


@each_row("outlets", "channels of one site are different outlets", "url", "item", "key")
def test_channels_of_one_site_are_different_outlets(
    url: str, item: str, key: str
) -> None:
    assert outlet(item, url=url) == (key, "Harbour Post")


@each_row(
    "outlets",
    "the words of a long title that spell the site are its name",
    "site",
    "title",
    "name",
)
def test_the_words_of_a_long_title_that_spell_the_site_are_its_name(
    site: str, title: str, name: str
) -> None:
    assert outlet(link(f"{site}/1"), title=title, site=site, url=f"{site}/feed") == (
        site[8:],
        name,
    )


@each_row(
    "outlets",
    "only the feed at the address of a site names it",
    "site",
    "item",
    "is_own",
)
def test_only_the_feed_at_the_address_of_a_site_names_it(
    site: str, item: str, *, is_own: bool
) -> None:
    head = f"<title>Harbour Post</title><link>{site}</link>"
    text = f"<rss version='2.0'><channel>{head}<item><title>Title</title>{item}</item></channel></rss>"
    (entry,) = read(text, url="https://example.org/feed").entries
    assert entry.resolved_outlet is not None
    assert entry.resolved_outlet.is_own is is_own


@each_row("outlets", "the key of a feed is known as its address", "url")
def test_the_key_of_a_feed_is_known_as_its_address(url: str) -> None:
    found = outlet(url=url)
    assert found is not None
    assert is_address(found[0])


@pytest.mark.parametrize(
    "name", ["Harbour Post", "Heute", "Web 2.0", "v1.25", "AC/DC", "24", "Post: 10"]
)
def test_a_name_is_no_address(name: str) -> None:
    assert not is_address(name)


@each_row(
    "outlets",
    "a feed speaks for the sites of its publisher only",
    "url",
    "page",
    "behind",
)
def test_a_feed_speaks_for_the_sites_of_its_publisher_only(
    url: str, page: str, behind: str | None
) -> None:
    feed = f"<rss version='2.0'><channel><title>News</title><item>{link(page)}</item></channel></rss>"
    (entry,) = read(feed, url=url).entries
    assert (entry.feed_outlet.key if entry.feed_outlet else None) == behind
    assert entry.authority == ("foreign" if behind else "own")
