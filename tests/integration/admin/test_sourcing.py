"""Finding the feed of a site, adding it, lists of feeds in and out: on loopback, on both databases."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zstandard
from msgspec.structs import replace

from aggregator.cli.output import fill_template
from aggregator.config.loader import load
from aggregator.config.tuning import Tuning
from aggregator.intake.manage.adding import AddedSource, SourceOptions, add
from aggregator.intake.manage.configured_sources import follow_config
from aggregator.intake.manage.feed_check import check_feeds
from aggregator.intake.manage.feed_lists import (
    OpmlImportResult,
    export_opml,
    import_opml,
)
from aggregator.intake.manage.feed_search import DISCOVERY_TRIES
from aggregator.model.clock import utc_now
from aggregator.model.errors import AggregatorError, UsageError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.parse.feeds.opml import read_opml
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import (
    Source,
    all_sources,
    pause,
    save,
    source_id,
)
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.tables import entry
from tests.support.loopback import LoopbackServer, Response, redirect
from tests.support.polling import feed_source, poller_on
from tests.support.rows import counted, overheard, read_by, written_by
from tests.support.rss import item, rss
from tests.support.tables import mapping, numbered


class Desk:
    """A server on loopback, a database, and the commands that add sources to it."""

    def __init__(
        self, folder: Path, server: LoopbackServer, database: Database
    ) -> None:
        self.folder, self.server, self.database = folder, server, database
        self.list = folder / "feeds.opml"
        file = folder / "config.yaml"
        file.write_text(
            "fetch: {allow_private: [127.0.0.0/8]}\nwork: {executor: inline}\nserver: {max_sources: 50000}\n"
        )
        self.config = load(file)

    def add(self, typed: str, **options: Any) -> AddedSource:
        """By an address, or a path of the server."""
        address = self.server.url(typed) if typed.startswith("/") else typed
        return add(self.config, self.database, address, SourceOptions(**options))

    def import_list(
        self, text: str | bytes | None = None, **options: bool
    ) -> OpmlImportResult:
        """The file as it is, or with this text."""
        if text is not None:
            self.list.write_bytes(text.encode() if isinstance(text, str) else text)
        return import_opml(self.config, self.database, self.list, **options)

    def export_list(self) -> bytes:
        return export_opml(self.config, self.database)

    def stored(self) -> list[Source]:
        return read_by(self.database, all_sources)

    def asked(self) -> set[tuple[str, str | None]]:
        """Addresses and names of what is polled."""
        return {
            (one.address, one.name)
            for one in self.stored()
            if not one.paused and one.health != "merged"
        }

    def follow(self, *wanted: Source) -> None:
        """What config.yaml names from now on."""
        written_by(self.database, sync_config, wanted)


@pytest.fixture
def desk(tmp_path: Path, server: LoopbackServer, sqlite: Database) -> Desk:
    """On SQLite: where nothing but the rules is asked."""
    return Desk(tmp_path, server, sqlite)


@pytest.fixture
def either(tmp_path: Path, server: LoopbackServer, database: Database) -> Desk:
    """On both databases."""
    return Desk(tmp_path, server, database)


def feed(title: str, entries: int = 1) -> Response:
    body = rss(*(item(f"{title} {n}") for n in range(entries)), title=title)
    return Response(body=body, content_type="application/rss+xml")


def page(*links: str, body: str = "") -> Response:
    return Response(
        body=f"<html><head>{''.join(links)}</head><body>{body}</body></html>",
        content_type="text/html",
    )


def link(href: str, title: str = "", kind: str = "application/rss+xml") -> str:
    return f'<link rel="alternate" type="{kind}" title="{title}" href="{href}">'


# --- which feed of a site ----------------------------------------------------------------------------------

MAIN, SPORT = feed("All news"), feed("Sport")


def served(said: str | list[list[str]]) -> Response:
    """What a table says of a path: the title of a feed, links in a head, a body, or a feed itself."""
    if isinstance(said, list):
        return page(*(link(*one) for one in said))
    if said.startswith("{"):
        return Response(body=said)
    if said.startswith("<"):
        return page(body=said)
    title, _, empty = said.partition(", ")
    return feed(title, 0 if empty else 1)


@pytest.mark.parametrize("site", mapping("sourcing", "the feed of a site"))
def test_the_feed_of_a_site(site: str, desk: Desk) -> None:
    path, routes, feed_path, origin = mapping("sourcing", "the feed of a site")[site]
    desk.server.routes.update({at: served(said) for at, said in routes.items()})
    added = desk.add(path)
    assert (
        added.source.address.removeprefix(desk.server.url("")),
        added.resolved.origin,
    ) == (feed_path, origin)
    assert [one.address for one in desk.stored()] == [added.source.address]


def test_a_site_is_asked_a_bounded_number_of_times(desk: Desk) -> None:
    desk.server.routes["/"] = page(*(link(f"/feed-{n}.xml") for n in range(100)))
    with pytest.raises(UsageError, match="no feed was found"):
        desk.add("/")
    assert 2 < len(desk.server.requests) <= DISCOVERY_TRIES + 1
    assert desk.stored() == []


def test_what_a_page_names_does_not_lead_to_other_ports(desk: Desk) -> None:
    with LoopbackServer({"*": feed("Elsewhere")}) as other:
        desk.server.routes["/"] = page(link(other.url("/rss")))
        with pytest.raises(AggregatorError):
            desk.add("/")
        assert other.requests == []
        assert desk.add(other.url("/rss")).resolved.origin == "typed"


def test_a_host_without_a_scheme_is_enough(desk: Desk) -> None:
    desk.server.routes["/"] = feed("Post")
    added = desk.add(desk.server.url("").removeprefix("http://"))
    assert added.source.address == desk.server.url("").rstrip("/")


@pytest.mark.parametrize(
    "typed",
    [
        "ftp://a.example/",
        "news",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "",
        "./x.y",
    ],
)
def test_what_is_no_address_is_refused(typed: str, desk: Desk) -> None:
    with pytest.raises(UsageError, match="give the address"):
        desk.add(typed)


def test_what_went_wrong_is_said_with_what_to_do(desk: Desk) -> None:
    desk.server.routes["/wall"] = Response(403, body="no", content_type="text/html")
    with pytest.raises(
        AggregatorError, match=r"403.*give the address of the feed itself"
    ):
        desk.add("/wall")
    desk.server.routes["/"] = page(body="nothing here")
    with pytest.raises(
        UsageError,
        match=r"a web page, not a feed; tried .*/feed, .*aggregator ingest http",
    ):
        desk.add("/")


# --- what is kept ------------------------------------------------------------------------------------------


def test_the_configured_interval_holds_for_every_source_without_its_own(
    either: Desk,
) -> None:
    either.server.routes |= {"/rss": MAIN, "/sport": SPORT}
    usual, own = (
        either.add("/rss").source,
        either.add("/sport", interval_seconds=3600).source,
    )
    now = datetime.now(UTC)
    for seconds in (900, 3600, 7200):
        fetch = either.config.fetch.model_copy(update={"interval": seconds})
        written_by(
            either.database,
            follow_config,
            either.config.model_copy(update={"fetch": fetch}),
            now,
        )
        kept = {one.id: one for one in either.stored()}
        assert (kept[usual.id].interval_seconds, kept[own.id].interval_seconds) == (
            seconds,
            3600,
        )
        assert kept[usual.id].next_due_at <= now + timedelta(seconds=seconds)
    assert counted(either.database, entry) == 0


def test_a_feed_is_added_once(desk: Desk) -> None:
    desk.server.routes |= {
        "/": page(link("/rss")),
        "/rss": feed("Post"),
        "/two": feed("Two"),
    }
    kept = desk.add("/", name="post").source
    asked = len(desk.server.requests)
    with pytest.raises(UsageError, match="is a source already"):
        desk.add("/rss")
    assert len(desk.server.requests) == asked, "no need to ask for what is known"
    with pytest.raises(UsageError, match="is a source already"):
        desk.add("/")
    with pytest.raises(UsageError, match="has that name already"):
        desk.add("/two", name="post")
    written_by(desk.database, pause, kept.id)
    with pytest.raises(UsageError, match=f"aggregator sources resume {kept.id}"):
        desk.add("/rss")


def test_a_feed_that_moved_for_ever_is_added_where_it_is_now(desk: Desk) -> None:
    desk.server.routes |= {
        "/old": redirect("/new", 301),
        "/new": feed("Post"),
        "/now": redirect("/new", 302),
    }
    assert desk.add("/old").source.address == desk.server.url("/new")
    for leads_there in ("/old", "/now"):
        with pytest.raises(UsageError, match="is a source already"):
            desk.add(leads_there)


# --- check -------------------------------------------------------------------------------------------------


# --- OPML --------------------------------------------------------------------------------------------------

LIST = """<opml version="1.0"><body>
<outline text="Ports / Harbours"><outline type="rss" text="Gazette" xmlUrl="https://gazette.example/feed"/></outline>
<outline text="World"><outline text="Asia"><outline text="Tide" xmlUrl="https://tide.example/rss"/></outline></outline>
<outline type="rss" text="Herald" xmlUrl="https://herald.example/feed"/></body></opml>"""


@pytest.mark.parametrize(
    "with_login", ["https://me:x@bücher.example/f", "https://@bücher.example/f"]
)
def test_spellings_of_one_address_in_a_list_are_one_source(
    either: Desk, with_login: str
) -> None:
    """A user name or password is none of them: it is refused, and not silently left out."""
    spellings = (
        "https://bücher.example/f", "HTTPS://BÜCHER.example/f", "https://bücher.example:443/f",
        "https://bücher.example./f", "https://xn--bcher-kva.example/f", with_login,
    )  # fmt: skip
    lines = "".join(f'<outline xmlUrl="{one}"/>' for one in spellings)
    done = either.import_list(f"<opml>{lines}</opml>")
    assert (done.added, done.known, len(done.refused), len(either.stored())) == (
        1,
        4,
        1,
        1,
    )


def test_lists_of_feeds_go_in_once_and_come_out_the_same(either: Desk) -> None:
    first = either.import_list(LIST)
    before = either.stored()
    again = either.import_list()
    assert ((first.added, first.known), (again.added, again.known, again.filed)) == (
        (3, 0),
        (0, 3, 0),
    )
    assert either.stored() == before
    assert {one.name: one.folder for one in before} == {
        "Gazette": "Ports/Harbours", "Tide": "World / Asia", "Herald": None,
    }  # fmt: skip
    assert either.import_list(either.export_list()).added == 0
    assert either.stored() == before
    assert either.export_list() == either.list.read_bytes()


def test_the_readers_names_and_home_pages_survive_polls_and_come_out_again(
    either: Desk,
) -> None:
    either.server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    one, two = either.server.url("/one"), either.server.url("/two")
    listed = f"""<opml><body><outline text="World">
        <outline text="Morning paper" title="One" xmlUrl="{one}" htmlUrl="https://one.example/"/></outline>
        <outline text="{two}" xmlUrl="{two}"/></body></opml>"""
    assert either.import_list(listed, allow_private=True).added == 2
    client = Client(ClientSettings(allow_private=("127.0.0.0/8",)), Tuning())
    poller = poller_on(either.database, client, Tuning(), utc_now)
    for listed in either.stored():
        assert poller.poll(listed).succeeded
    client.close()
    written = read_opml(either.export_list()).feeds
    assert {(one.title, one.folder, one.site_url) for one in written} == {
        ("Morning paper", ("World",), "https://one.example/"),
        ("Two", (), None),
    }
    known = either.stored()[0]
    either.follow(replace(known, id="other", address=one, origin="config", name=None))
    assert {item.id for item in either.stored()} == {
        source_id("feed", None, url) for url in (one, two)
    }


def test_a_list_files_what_had_no_folder_and_leaves_what_had_one(desk: Desk) -> None:
    desk.server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    desk.add("/one")
    desk.add("/two", folder="Mine")
    outlines = "".join(
        f'<outline xmlUrl="{desk.server.url(name)}"/>' for name in ("/one", "/two")
    )
    done = desk.import_list(
        f'<opml><body><outline text="Theirs">{outlines}</outline></body></opml>'
    )
    assert (done.added, done.known, done.filed) == (0, 2, 1)
    assert {one.title: one.folder for one in desk.stored()} == {
        "One": "Theirs",
        "Two": "Mine",
    }


def test_a_list_of_private_addresses_says_that_they_are_not_asked(desk: Desk) -> None:
    addresses = ["http://10.0.0.7/a", "http://[fd00::1]/b", "http://localhost/c"]
    addresses.append("https://gazette.example/d")
    outlines = "".join(f'<outline xmlUrl="{address}"/>' for address in addresses)
    listed = f"<opml><body>{outlines}</body></opml>"
    done = desk.import_list(listed)
    assert (done.added, done.private) == (4, 3)
    for private, is_polled in ((3, True), (4, False)):
        told = fill_template(
            "imported_feeds.txt",
            result=replace(done, private=private),
            minutes=1,
        )
        assert ("a running daemon polls" in told) == is_polled, "none if none is asked"
    done = desk.import_list(listed, allow_private=True)
    assert (done.permitted, done.private) == (4, 0)


def test_an_old_list_names_a_feed_by_the_address_that_it_had(desk: Desk) -> None:
    """It moved for ever, and then its new address was written into config.yaml: it is the same source."""
    listed = '<opml><body><outline xmlUrl="https://gazette.example/rss"/></body></opml>'
    assert desk.import_list(listed).added == 1
    (before,) = desk.stored()
    new = "https://gazette.example/feed"
    with desk.database.write() as connection:
        save(connection, replace(before, redirected_url=new))
        sync_config(
            connection,
            [replace(before, id="other", address=new, origin="config")],
        )
    assert [(one.id, one.address) for one in desk.stored()] == [(before.id, new)]
    done = desk.import_list()
    assert (done.added, done.known) == (0, 1)


# --- added by command and named in config.yaml -------------------------------------------------------------


def of_file(address: str, name: str | None = None) -> Source:
    return feed_source(address, name=name, origin="config", next_due_at=utc_now())


def test_a_feed_that_the_file_names_too_is_asked_once(either: Desk) -> None:
    either.server.routes |= {"/one": feed("One")}
    address = either.server.url("/one")
    either.add(address, name="mine")
    either.follow(of_file(address.replace("http://", "HTTP://"), "theirs"))
    assert either.asked() == {(address.replace("http://", "HTTP://"), "theirs")}
    either.follow(of_file(address))
    assert either.asked() == {(address, None)}
    either.follow()
    assert either.asked() == {(address, "mine")}, (
        "what was added by command is asked again"
    )


def test_a_name_that_the_file_gives_to_another_feed_takes_nothing_away(
    either: Desk,
) -> None:
    either.server.routes |= {"/one": feed("One"), "/two": feed("Two")}
    one, two = either.server.url("/one"), either.server.url("/two")
    either.add(one, name="News")
    for _ in range(2):
        either.follow(of_file(two, "News"))
        assert either.asked() == {(one, "News"), (two, "News")}
    either.follow()
    assert either.asked() == {(one, "News")}


def test_two_feeds_that_were_one_are_two(either: Desk) -> None:
    """A source moved from one address to another, and then the file names both, without names."""
    old, new = "https://a.example/old", "https://a.example/new"
    either.follow(of_file(old, "x"))
    (row,) = either.stored()
    written_by(either.database, save, replace(row, redirected_url=new))
    either.follow(of_file(old), of_file(new))
    assert either.asked() == {(old, None), (new, None)}


@pytest.mark.parametrize(
    "feeds", [1_000, pytest.param(50_000, marks=pytest.mark.torture)]
)
def test_a_long_list_does_not_ask_all_at_once(feeds: int, desk: Desk) -> None:
    outlines = "".join(
        numbered('<outline text="F%n" xmlUrl="https://f%n.example/rss"/>', feeds)
    )
    assert desk.import_list(f"<opml><body>{outlines}</body></opml>").added == feeds
    due = sorted(one.next_due_at for one in desk.stored())
    seconds = (due[-1] - due[0]).total_seconds()
    assert (
        min(feeds / 5, desk.config.fetch.interval) * 0.9
        < seconds
        <= desk.config.fetch.interval + 60
    )
    assert len(read_opml(desk.export_list()).feeds) == feeds


def test_a_list_is_stored_in_few_statements(either: Desk) -> None:
    """The writer waits meanwhile. A second spelling of an address adds what the first one does not have."""
    first = "".join(numbered('<outline xmlUrl="https://f%n.example/rss"/>', 200))
    second = "".join(
        numbered('<outline text="F%n" xmlUrl="https://F%n.example:443/rss"/>', 200)
    )
    listed = f'<opml>{first}<outline text="Ports">{second}</outline></opml>'
    for added in (200, 0):
        with overheard(either.database) as sent:
            done = either.import_list(listed)
        assert (done.added, done.known, done.filed) == (added, 400 - added, added)
        assert len(sent) < 10
    assert {(one.name, one.folder) for one in either.stored()} == {
        (f"F{n}", "Ports") for n in range(200)
    }


def test_check_reads_a_file_as_it_is_or_compressed(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("work: {executor: inline}\n")
    config = load(tmp_path / "config.yaml")
    feed = rss(item("T")).encode()
    for pack in (bytes, gzip.compress, zstandard.compress):
        (tmp_path / "feed").write_bytes(pack(feed))
        (checked,) = check_feeds(config, [str(tmp_path / "feed")])
        assert (checked.format, checked.entries, checked.problem) == ("rss20", 1, None)
    (missing, folder) = check_feeds(config, [str(tmp_path / "none"), str(tmp_path)])
    assert "No such file" in (missing.problem or "")
    assert "it is a folder" in (folder.problem or "")
