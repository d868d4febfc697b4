"""The outlet of each entry of a feed: a stable key and a name."""

import pytest

from aggregator.extract.sites import is_address
from aggregator.model.entry import Outlet
from tests.support.read_feeds import read
from tests.support.tables import rows


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


@pytest.mark.parametrize(
    ("title", "name"),
    rows("outlets", "the name is the title of the feed without section and format"),
)
def test_the_name_is_the_title_of_the_feed_without_section_and_format(
    title: str, name: str
) -> None:
    assert outlet(title=title) == ("example.org", name)


def test_the_name_of_the_source_goes_before_the_title_and_a_common_host_has_a_name() -> (
    None
):
    assert outlet(name="My harbour") == ("example.org", "My harbour")
    assert (
        outlet(title="NYT > World", url="https://www.nytimes.com/feed")[1]
        == "The New York Times"
    )


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Example News Search Records Found 1000", "Example"),
        ("Top Stories", "example.org"),
        ("The Harbour Science Monitor | All stories", "The Harbour Science Monitor"),
    ],
)
def test_a_name_that_a_list_took_from_the_feed_is_no_name_of_the_source(
    title: str, name: str
) -> None:
    assert outlet(name=title, title=title)[1] == name


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


@pytest.mark.parametrize(
    "item",
    [
        link("https://t.co/x"),
        link("https://feedproxy.google.com/~r/HarbourPost/x"),
        link("https://bit.ly/x"),
    ],
)
def test_a_redirector_is_no_outlet(item: str) -> None:
    assert outlet(item) == ("example.org", "Harbour Post")


def test_a_feed_at_another_host_has_the_outlet_of_its_site() -> None:
    here = {
        "url": "https://feeds.feedburner.com/HarbourPost",
        "site": "https://example.org/",
    }
    assert (
        outlet(**here)
        == outlet(link("https://example.org/a"), **here)
        == ("example.org", "Harbour Post")
    )
    assert outlet(url=here["url"]) == ("feedburner.com/HarbourPost", "Harbour Post")
    bbc = {
        "url": "https://feeds.bbci.co.uk/news/rss.xml",
        "site": "https://www.bbc.co.uk/news",
    }
    assert outlet(
        link("https://www.bbc.com/news/1"), title="BBC News - World", **bbc
    ) == (
        "bbc.com",
        "BBC",
    )


SOURCE = "<source url='{}'>The Lantern</source>"


def test_another_sites_page_has_that_site_as_outlet() -> None:
    assert outlets(
        link("https://lantern.example/a"),
        link("https://lantern.example/a")
        + SOURCE.format("https://lantern.example/rss"),
        link("https://news.google.com/rss/articles/x")
        + SOURCE.format("https://lantern.example"),
        link("https://example.org/a") + SOURCE.format("https://lantern.example"),
        link("https://example.org/a") + SOURCE.format("https://example.org/rss"),
        SOURCE.format("https://example.org/rss"),
        link("https://www.theguardian.com/a"),
    ) == [
        ("lantern.example", "lantern.example"),
        ("lantern.example", "The Lantern"),
        ("lantern.example", "The Lantern"),
        ("lantern.example", "The Lantern"),
        ("example.org", "Harbour Post"),
        ("example.org", "Harbour Post"),
        ("theguardian.com", "The Guardian"),
    ]


YOUTUBE = "https://www.youtube.com/feeds/videos.xml?"


@pytest.mark.parametrize(
    ("url", "item", "key"),
    rows("outlets", "channels of one site are different outlets"),
)
def test_channels_of_one_site_are_different_outlets(
    url: str, item: str, key: str
) -> None:
    assert outlet(item, url=url) == (key, "Harbour Post")


def test_a_link_to_a_channel_is_of_this_channel() -> None:
    assert outlet(link("https://www.youtube.com/@bob/live")) == (
        "youtube.com/@bob",
        "youtube.com/@bob",
    )
    assert outlet(link("https://www.youtube.com/watch?v=1")) == (
        "youtube.com",
        "YouTube",
    )


def test_feeds_of_a_private_network_are_different_outlets() -> None:
    here = "http://192.168.1.9:1200/bbc/world"
    assert outlet(link("http://192.168.1.9:1200/x"), url=here) == (
        "192.168.1.9:1200/bbc/world",
        "Harbour Post",
    )
    assert outlet(url=here, site="https://lantern.example") == (
        "lantern.example",
        "Harbour Post",
    )


def test_a_feed_in_a_file_has_its_site_or_its_title_for_an_outlet() -> None:
    assert outlet(url=None, site="https://example.org") == (
        "example.org",
        "Harbour Post",
    )
    assert outlet(url=None) == ("Harbour Post", "Harbour Post")
    assert outlet(url=None, title="RSS") is None


def test_a_configured_outlet_is_name_and_key() -> None:
    feed = read(
        "<rss><channel><item><title>a</title></item></channel></rss>", outlet="Gazette"
    )
    assert (feed.entries[0].outlet, feed.entries[0].resolved_outlet) == (
        "Gazette",
        None,
    )


def test_json_feeds_and_sitemaps_have_outlets() -> None:
    start = '{"version": "https://jsonfeed.org/version/1.1", "title": "Ann", "home_page_url": "https://ann.example/",'
    assert read(start + '"items": [{"id": "1"}]}').entries[0].resolved_outlet == Outlet(
        key="ann.example", name="Ann"
    )
    pages = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>https://news.example.org/1</loc>
        <news:news><news:publication><news:name>Harbour Post</news:name></news:publication>
        <news:title>A</news:title></news:news></url></urlset>"""
    assert read(pages).entries[0].resolved_outlet == Outlet(
        key="example.org", name="Harbour Post", is_own=True
    )


@pytest.mark.parametrize(
    ("site", "title", "name"),
    rows('outlets', 'the words of a long title that spell the site are its name'),
)  # fmt: skip
def test_the_words_of_a_long_title_that_spell_the_site_are_its_name(
    site: str, title: str, name: str
) -> None:
    assert outlet(link(f"{site}/1"), title=title, site=site, url=f"{site}/feed") == (
        site[8:],
        name,
    )


@pytest.mark.parametrize(
    ("site", "item", "is_own"),
    rows("outlets", "only the feed at the address of a site names it"),
)
def test_only_the_feed_at_the_address_of_a_site_names_it(
    site: str, item: str, *, is_own: bool
) -> None:
    head = f"<title>Harbour Post</title><link>{site}</link>"
    text = f"<rss version='2.0'><channel>{head}<item><title>Title</title>{item}</item></channel></rss>"
    (entry,) = read(text, url="https://example.org/feed").entries
    assert entry.resolved_outlet is not None
    assert entry.resolved_outlet.is_own is is_own


@pytest.mark.parametrize(
    "url",
    [
        "https://planet.example/feed",
        "https://planet.xn--p1ai/feed",
        "https://планета.рф/feed",
        "http://203.0.113.7/feed",
        "http://10.0.0.7:1200/feed",
        "http://[2001:db8::7]:1200/feed",
        "http://localhost:1200/feed",
        "http://localhost/feed",
        "http://rsshub:1200/gazette/news",
    ],
)
def test_the_key_of_a_feed_is_known_as_its_address(url: str) -> None:
    found = outlet(url=url)
    assert found is not None
    assert is_address(found[0])


@pytest.mark.parametrize(
    "name", ["Harbour Post", "Heute", "Web 2.0", "v1.25", "AC/DC", "24", "Post: 10"]
)
def test_a_name_is_no_address(name: str) -> None:
    assert not is_address(name)


@pytest.mark.parametrize(
    ("url", "page", "behind"),
    rows("outlets", "a feed speaks for the sites of its publisher only"),
)
def test_a_feed_speaks_for_the_sites_of_its_publisher_only(
    url: str, page: str, behind: str | None
) -> None:
    feed = f"<rss version='2.0'><channel><title>News</title><item>{link(page)}</item></channel></rss>"
    (entry,) = read(feed, url=url).entries
    assert (entry.feed_outlet.key if entry.feed_outlet else None) == behind
    assert entry.authority == ("foreign" if behind else "own")
