"""Finding the feed of a site, adding it, lists of feeds in and out: on loopback, on both databases."""

import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.config.tuning import Tuning
from aggregator.model.core import utc_now
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.pipeline.manage_sources import SourceOptions, add, check, export_opml, import_opml
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.parse.opml import read_opml
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import Source, all_sources, pause, save, source_id, sync_config
from aggregator.store.tables import entry
from tests.support.loopback import LoopbackServer, Response, redirect
from tests.support.polling import feed_source, poller_on
from tests.support.rows import counted, overheard, read_by, written_by
from tests.support.rss import item, rss

NOTHING = SourceOptions()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "config.yaml"
    path.write_text("fetch:\n  allow_private: [127.0.0.0/8]\nwork:\n  executor: inline\n", encoding="utf-8")
    return load(path)


def feed(title: str, entries: int = 1) -> Response:
    body = rss(*(item(f"{title} {n}") for n in range(entries)), title=title)
    return Response(body=body, content_type="application/rss+xml")


def page(*links: str, body: str = "") -> Response:
    return Response(
        body=f"<html><head>{''.join(links)}</head><body>{body}</body></html>", content_type="text/html"
    )


def link(href: str, title: str = "", kind: str = "application/rss+xml") -> str:
    return f'<link rel="alternate" type="{kind}" title="{title}" href="{href}">'


def stored(database: Database) -> list[Source]:
    return read_by(database, all_sources)


def found_at(config: Config, database: Database, server: LoopbackServer, path: str = "/") -> str:
    added = add(config, database, server.url(path), NOTHING)
    return added.source.address.removeprefix(server.url(""))


# --- which feed of a site ----------------------------------------------------------------------------------

MAIN, COMMENTS, SPORT = feed("All news"), feed("Comments for All news"), feed("Sport")


@pytest.mark.parametrize(
    ("path", "routes", "feed_path", "origin"),
    [
        pytest.param("/rss.xml", {"/rss.xml": MAIN}, "/rss.xml", "typed", id="the feed itself"),
        pytest.param(
            "/",
            {"/": page(link("/comments/feed/", "Comments Feed"), link("/feed/", "Feed")),
             "/feed/": MAIN, "/comments/feed/": COMMENTS},
            "/feed/", "declared", id="the main one before that of comments",
        ),
        pytest.param(
            "/",
            {"/": page(link("/sport/rss.xml", "Sport"), link("/podcast/feed"), link("/rss.xml")),
             "/rss.xml": MAIN, "/sport/rss.xml": SPORT, "/podcast/feed": feed("Podcast")},
            "/rss.xml", "declared", id="the main one before those of sections",
        ),
        pytest.param(
            "/sport/",
            {"/sport/": page(link("/rss.xml", "All"), link("/sport/rss.xml", "Sport")),
             "/rss.xml": MAIN, "/sport/rss.xml": SPORT},
            "/sport/rss.xml", "declared", id="on the page of a section its own",
        ),
        pytest.param(
            "/",
            {"/": page(link("/old.xml"), link("/feed.json", kind="application/feed+json")),
             "/feed.json": Response(body='{"version": "https://jsonfeed.org/version/1.1", "title": "J", '
                                         '"items": [{"id": "1", "title": "x"}]}')},
            "/feed.json", "declared", id="a JSON feed, after one that is not there",
        ),
        pytest.param(
            "/",
            {"/": page(link("/a.xml"), link("/b.xml")), "/a.xml": feed("E", 0), "/b.xml": MAIN},
            "/b.xml", "declared", id="one with entries before an empty one",
        ),
        pytest.param("/", {"/": page(link("/a.xml")), "/a.xml": feed("E", 0)},
                     "/a.xml", "declared", id="an empty one where there is no other"),
        pytest.param("/", {"/": page(body='<p>News</p><a href="/feeds/w.rss">RSS</a>'), "/feeds/w.rss": MAIN},
                     "/feeds/w.rss", "linked", id="a link in the page"),
        pytest.param("/", {"/": page(), "/rss.xml": MAIN}, "/rss.xml", "usual", id="a usual place"),
        pytest.param("/r/harbour", {"/r/harbour": page(), "/r/harbour.rss": MAIN}, "/r/harbour.rss", "usual",
                     id="the page's own name with .rss"),
        pytest.param("/", {"/": page('<meta http-equiv="Refresh" content="0; URL=\'/start\'">'),
                           "/start": page(link("f.xml")), "/f.xml": MAIN},
                     "/f.xml", "declared", id="behind a page that leads on"),
        pytest.param("/2026/11/an-article.html",
                     {"/2026/11/an-article.html": page(), "/": page(link("/all.xml")), "/all.xml": MAIN},
                     "/all.xml", "declared", id="declared by the front page only"),
    ],
)  # fmt: skip
def test_the_feed_of_a_site(
    path: str, routes: dict[str, Any], feed_path: str, origin: str, config: Config, tmp_path: Path,
    server: LoopbackServer, sqlite: Database,
) -> None:  # fmt: skip
    server.routes.update(routes)
    added = add(config, sqlite, server.url(path), NOTHING)
    assert (added.source.address.removeprefix(server.url("")), added.found.origin) == (feed_path, origin)
    assert [one.address for one in stored(sqlite)] == [added.source.address]


NEWS_MAP = """<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
 xmlns:news="http://www.google.com/schemas/sitemap-news/0.9"><url><loc>{0}/a</loc><news:news><news:publication>
 <news:name>Harbour Post</news:name><news:language>en</news:language></news:publication>
 <news:publication_date>2026-02-27T09:00:00Z</news:publication_date><news:title>Lock gate mended</news:title>
 </news:news></url></urlset>"""
PLAIN_MAP = "<urlset><url><loc>{0}/a</loc></url><url><loc>{0}/b</loc></url></urlset>"


def test_a_news_sitemap_is_found_through_robots_and_an_index(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    home = server.url("")
    server.routes |= {
        "/": page(),
        "/robots.txt": f"User-agent: *\nSitemap: {home}/pages.xml\nSITEMAP: {home}/index.xml\n",
        "/pages.xml": PLAIN_MAP.format(home),
        "/index.xml": f"<sitemapindex><sitemap><loc>{home}/pages.xml</loc><lastmod>2026</lastmod></sitemap>"
        f"<sitemap><loc>{home}/news-map.xml</loc></sitemap></sitemapindex>",
        "/news-map.xml": NEWS_MAP.format(home),
    }
    added = add(config, sqlite, server.url("/"), NOTHING)
    assert (added.source.address, added.found.feed.format) == (f"{home}/news-map.xml", "sitemap")
    assert added.source.title == "Harbour Post"


def test_an_index_of_sitemaps_leads_to_that_of_the_news(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    home = server.url("")
    server.routes |= {
        "/index.xml": f"<sitemapindex><sitemap><loc>{home}/pages.xml</loc></sitemap>"
        f"<sitemap><loc>{home}/news-map.xml</loc></sitemap></sitemapindex>",
        "/pages.xml": PLAIN_MAP.format(home),
        "/news-map.xml": NEWS_MAP.format(home),
    }
    assert found_at(config, sqlite, server, "/index.xml") == "/news-map.xml"


def test_a_site_is_asked_a_bounded_number_of_times(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    server.routes["/"] = page(*(link(f"/feed-{n}.xml") for n in range(100)))
    with pytest.raises(UsageError, match="no feed was found"):
        add(config, sqlite, server.url("/"), NOTHING)
    tries = config.effective_tuning.values("sources")["discovery_tries"]
    assert 2 < len(server.requests) <= tries + 1
    assert stored(sqlite) == []


def test_what_a_page_names_does_not_lead_to_other_ports(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    with LoopbackServer({"*": feed("Elsewhere")}) as other:
        server.routes["/"] = page(
            link(other.url("/rss")), f'<meta http-equiv="refresh" content="0;url={other.url()}">'
        )
        server.routes["/on"] = page(f'<meta http-equiv="refresh" content="0;url={other.url()}">')
        for path in ("/", "/on"):
            with pytest.raises(AggregatorError):
                add(config, sqlite, server.url(path), NOTHING)
        assert other.requests == []
        assert add(config, sqlite, other.url("/rss"), NOTHING).found.origin == "typed"


def test_pages_that_lead_in_a_circle_end(config: Config, server: LoopbackServer, sqlite: Database) -> None:
    server.routes |= {
        "/": page('<meta http-equiv="refresh" content="0;url=/b">'),
        "/b": page('<meta http-equiv="refresh" content="0;url=/">'),
    }
    with pytest.raises(UsageError, match="too many redirects"):
        add(config, sqlite, server.url("/"), NOTHING)


def test_a_host_without_a_scheme_is_enough(config: Config, server: LoopbackServer, sqlite: Database) -> None:
    server.routes["/"] = feed("Post")
    added = add(config, sqlite, server.url("").removeprefix("http://"), NOTHING)
    assert added.source.address == server.url("").rstrip("/")


@pytest.mark.parametrize(
    "typed", ["ftp://a.example/", "news", "file:///etc/passwd", "javascript:alert(1)", "", "./x.y"]
)
def test_what_is_no_address_is_refused(typed: str, config: Config, sqlite: Database) -> None:
    with pytest.raises(UsageError, match="give the address"):
        add(config, sqlite, typed, NOTHING)


def test_what_went_wrong_is_said_with_what_to_do(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    server.routes["/wall"] = Response(403, body="no", content_type="text/html")
    with pytest.raises(AggregatorError, match=r"403.*give the address of the feed itself"):
        add(config, sqlite, server.url("/wall"), NOTHING)
    server.routes["/"] = page(body="nothing here")
    with pytest.raises(UsageError, match=r"a web page, not a feed; tried .*/feed, .*aggregator ingest http"):
        add(config, sqlite, server.url("/"), NOTHING)


# --- what is kept ------------------------------------------------------------------------------------------


def test_a_feed_is_added_with_what_was_said_and_not_polled(
    config: Config, server: LoopbackServer, database: Database
) -> None:
    server.routes["/rss"] = feed("Harbour Post", 3)
    wanted = SourceOptions(
        name="post", outlet="The Post", folder="Ports", language="en", interval_seconds=900
    )
    added = add(config, database, server.url("/rss"), wanted)
    (kept,) = stored(database)
    assert (kept.name, kept.outlet, kept.folder, kept.language, kept.interval_seconds, kept.origin) == (
        "post", "The Post", "Ports", "en", 900, "user",
    )  # fmt: skip
    assert (kept.id, kept.health, kept.first_poll_done) == (added.source.id, "new", False)
    assert abs(kept.next_due_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert counted(database, entry) == 0


def test_a_feed_is_added_once(config: Config, server: LoopbackServer, sqlite: Database) -> None:
    server.routes |= {"/": page(link("/rss")), "/rss": feed("Post"), "/two": feed("Two")}
    kept = add(config, sqlite, server.url("/"), SourceOptions(name="post")).source
    asked = len(server.requests)
    with pytest.raises(UsageError, match="is a source already"):
        add(config, sqlite, server.url("/rss"), NOTHING)
    assert len(server.requests) == asked, "no need to ask for what is known"
    with pytest.raises(UsageError, match="is a source already"):
        add(config, sqlite, server.url("/"), NOTHING)
    with pytest.raises(UsageError, match="has that name already"):
        add(config, sqlite, server.url("/two"), SourceOptions(name="post"))
    written_by(sqlite, pause, kept.id)
    with pytest.raises(UsageError, match=f"aggregator sources resume {kept.id}"):
        add(config, sqlite, server.url("/rss"), NOTHING)


def test_a_feed_that_moved_for_ever_is_added_where_it_is_now(
    config: Config, server: LoopbackServer, sqlite: Database
) -> None:
    server.routes |= {"/old": redirect("/new", 301), "/new": feed("Post"), "/now": redirect("/new", 302)}
    assert found_at(config, sqlite, server, "/old") == "/new"
    for leads_there in ("/old", "/now"):
        with pytest.raises(UsageError, match="is a source already"):
            add(config, sqlite, server.url(leads_there), NOTHING)


# --- check -------------------------------------------------------------------------------------------------


def test_many_are_checked_in_their_order(config: Config, server: LoopbackServer, tmp_path: Path) -> None:
    server.routes["/rss"] = feed("Post", 2)
    (tmp_path / "ok.xml").write_text("<rss version='2.0'><channel><item/></channel></rss>", encoding="utf-8")
    what = [str(tmp_path / "ok.xml"), server.url("/rss"), str(tmp_path), "\0", server.url("/no")] * 3
    checked = list(check(config, what))
    assert [one.what for one in checked] == what
    assert [one.entries for one in checked[:5]] == [1, 2, 0, 0, 0]
    assert [one.problem is None for one in checked[:5]] == [True, True, False, False, False]


# --- OPML --------------------------------------------------------------------------------------------------

LIST = """<opml version="1.0"><body>
<outline text="Ports / Harbours"><outline type="rss" text="Gazette" xmlUrl="https://gazette.example/feed"/></outline>
<outline text="World"><outline text="Asia"><outline text="Tide" xmlUrl="https://tide.example/rss"/></outline></outline>
<outline type="rss" text="Herald" xmlUrl="https://herald.example/feed"/></body></opml>"""


def test_lists_of_feeds_go_in_once_and_come_out_the_same(
    config: Config, database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "feeds.opml"
    path.write_text(LIST, encoding="utf-8")
    first = import_opml(config, database, path)
    before = stored(database)
    again = import_opml(config, database, path)
    assert ((first.added, first.known), (again.added, again.known, again.filed)) == ((3, 0), (0, 3, 0))
    assert stored(database) == before
    assert {one.name: one.folder for one in before} == {
        "Gazette": "Ports/Harbours", "Tide": "World / Asia", "Herald": None,
    }  # fmt: skip
    path.write_bytes(export_opml(config, database))
    assert import_opml(config, database, path).added == 0
    assert stored(database) == before
    written = export_opml(config, database)
    assert written == path.read_bytes()


def test_the_readers_names_and_home_pages_survive_polls_and_come_out_again(
    config: Config, server: LoopbackServer, database: Database, tmp_path: Path
) -> None:
    server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    one, two = server.url("/one"), server.url("/two")
    path = tmp_path / "feeds.opml"
    path.write_text(
        f"""<opml><body><outline text="World">
        <outline text="Morning paper" title="One" xmlUrl="{one}" htmlUrl="https://one.example/"/></outline>
        <outline text="{two}" xmlUrl="{two}"/></body></opml>""",
        encoding="utf-8",
    )
    assert import_opml(config, database, path).added == 2
    client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
    poller = poller_on(database, client, Tuning(), utc_now)
    for listed in stored(database):
        assert poller.poll(listed).succeeded
    client.close()
    written = read_opml(export_opml(config, database))
    assert {(one.title, one.folder, one.site_url) for one in written} == {
        ("Morning paper", ("World",), "https://one.example/"),
        ("Two", (), None),
    }
    listed_in_file = msgspec.structs.replace(
        stored(database)[0], id="other", address=one, origin="config", name=None
    )
    written_by(database, sync_config, [listed_in_file])
    assert {item.id for item in stored(database)} == {
        source_id("feed", None, one),
        source_id("feed", None, two),
    }


def test_a_list_files_what_had_no_folder_and_leaves_what_had_one(
    config: Config, server: LoopbackServer, sqlite: Database, tmp_path: Path
) -> None:
    server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    add(config, sqlite, server.url("/one"), NOTHING)
    add(config, sqlite, server.url("/two"), SourceOptions(folder="Mine"))
    path = tmp_path / "feeds.opml"
    outlines = "".join(f'<outline xmlUrl="{server.url(name)}"/>' for name in ("/one", "/two"))
    path.write_text(
        f'<opml><body><outline text="Theirs">{outlines}</outline></body></opml>', encoding="utf-8"
    )
    done = import_opml(config, sqlite, path)
    assert (done.added, done.known, done.filed) == (0, 2, 1)
    assert {one.title: one.folder for one in stored(sqlite)} == {"One": "Theirs", "Two": "Mine"}


def test_an_old_list_names_a_feed_by_the_address_that_it_had(
    config: Config, sqlite: Database, tmp_path: Path
) -> None:
    """It moved for ever, and then its new address was written into config.yaml: it is the same source."""
    path = tmp_path / "feeds.opml"
    path.write_bytes(b'<opml><body><outline xmlUrl="https://gazette.example/rss"/></body></opml>')
    assert import_opml(config, sqlite, path).added == 1
    (before,) = stored(sqlite)
    new = "https://gazette.example/feed"
    with sqlite.write() as connection:
        save(connection, msgspec.structs.replace(before, redirected_url=new))
        sync_config(connection, [msgspec.structs.replace(before, id="other", address=new, origin="config")])
    assert [(one.id, one.address) for one in stored(sqlite)] == [(before.id, new)]
    done = import_opml(config, sqlite, path)
    assert (done.added, done.known) == (0, 1)


# --- added by command and named in config.yaml -------------------------------------------------------------


def of_file(address: str, name: str | None = None) -> Source:
    return feed_source(address, name=name, origin="config", next_due_at=utc_now())


def asked(database: Database) -> set[tuple[str, str | None]]:
    return {(one.address, one.name) for one in stored(database) if not one.paused and one.health != "merged"}


def follow(database: Database, *wanted: Source) -> None:
    written_by(database, sync_config, wanted)


def test_a_feed_that_the_file_names_too_is_asked_once(
    config: Config, server: LoopbackServer, database: Database
) -> None:
    server.routes |= {"/one": feed("One")}
    address = server.url("/one")
    add(config, database, address, SourceOptions(name="mine"))
    follow(database, of_file(address.replace("http://", "HTTP://"), "theirs"))
    assert asked(database) == {(address.replace("http://", "HTTP://"), "theirs")}
    follow(database, of_file(address))
    assert asked(database) == {(address, None)}
    follow(database)
    assert asked(database) == {(address, "mine")}, "what was added by command is asked again"


def test_a_name_that_the_file_gives_to_another_feed_takes_nothing_away(
    config: Config, server: LoopbackServer, database: Database
) -> None:
    server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    one, two = server.url("/one"), server.url("/two")
    add(config, database, one, SourceOptions(name="News"))
    for _ in range(2):
        follow(database, of_file(two, "News"))
        assert asked(database) == {(one, "News"), (two, "News")}
    follow(database)
    assert asked(database) == {(one, "News")}


def test_two_feeds_that_were_one_are_two(database: Database) -> None:
    """A source moved from one address to another, and then the file names both, without names."""
    old, new = "https://a.example/old", "https://a.example/new"
    follow(database, of_file(old, "x"))
    (row,) = stored(database)
    written_by(database, save, msgspec.structs.replace(row, redirected_url=new))
    follow(database, of_file(old), of_file(new))
    assert asked(database) == {(old, None), (new, None)}


def test_addresses_with_passwords_are_refused_by_name(
    config: Config, sqlite: Database, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="name or password") as caught:
        add(config, sqlite, "https://me:hush@gazette.example/rss", NOTHING)
    assert "hush" not in str(caught.value)
    path = tmp_path / "feeds.opml"
    path.write_bytes(
        b'<opml><body><outline title="Gazette" xmlUrl="https://me:hush@gazette.example/rss"/>'
        b'<outline xmlUrl="https://tide.example/rss"/></body></opml>'
    )
    done = import_opml(config, sqlite, path)
    assert (done.added, done.known, done.refused) == (1, 0, ("Gazette",))
    assert [one.address for one in stored(sqlite)] == ["https://tide.example/rss"]


@pytest.mark.parametrize("feeds", [1_000, pytest.param(50_000, marks=pytest.mark.torture)])
def test_a_long_list_does_not_ask_all_at_once(
    feeds: int, config: Config, sqlite: Database, tmp_path: Path
) -> None:
    path = tmp_path / "feeds.opml"
    outlines = "".join(f'<outline text="F{n}" xmlUrl="https://f{n}.example/rss"/>' for n in range(feeds))
    path.write_text(f"<opml><body>{outlines}</body></opml>", encoding="utf-8")
    assert import_opml(config, sqlite, path).added == feeds
    kept = stored(sqlite)
    due = sorted(one.next_due_at for one in kept)
    seconds = (due[-1] - due[0]).total_seconds()
    assert min(feeds / 5, config.fetch.interval) * 0.9 < seconds <= config.fetch.interval + 60
    assert len(read_opml(export_opml(config, sqlite))) == feeds


def test_a_list_is_stored_in_few_statements(config: Config, database: Database, tmp_path: Path) -> None:
    """The writer waits meanwhile. A second spelling of an address adds what the first one does not have."""
    path = tmp_path / "feeds.opml"
    first = "".join(f'<outline xmlUrl="https://f{n}.example/rss"/>' for n in range(200))
    second = "".join(f'<outline text="F{n}" xmlUrl="https://F{n}.example:443/rss"/>' for n in range(200))
    path.write_text(f'<opml>{first}<outline text="Ports">{second}</outline></opml>', encoding="utf-8")
    for added in (200, 0):
        with overheard(database) as sent:
            done = import_opml(config, database, path)
        assert (done.added, done.known, done.filed) == (added, 400 - added, added)
        assert len(sent) < 10
    assert {(one.name, one.folder) for one in stored(database)} == {(f"F{n}", "Ports") for n in range(200)}
