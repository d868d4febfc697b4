"""Sources that need a login, indexes of sitemaps, and pages without a feed; on both databases."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from aggregator.cli.application import main
from aggregator.config.configured_access import configured_access
from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.intake.manage.adding import SourceOptions, add
from aggregator.intake.manage.configured_sources import configured_sources
from aggregator.intake.manage.feed_check import check_feeds
from aggregator.intake.manage.feed_lists import import_feeds
from aggregator.intake.manage.feed_search import find
from aggregator.intake.polling.poll_result import PollResult
from aggregator.model.clock import utc_now
from aggregator.model.errors import ConfigError, ConflictError, ReadError, UsageError
from aggregator.store.engine.database import Database
from aggregator.store.intake.source_rows import all_sources
from aggregator.store.intake.source_sync import sync_config
from aggregator.store.tables import entry
from tests.support.loopback import LoopbackServer, Request, Response, redirect
from tests.support.polling import poll_configured
from tests.support.rows import queried, read_by, written_by
from tests.support.tables import each_row, rows

HEAD = "fetch: {allow_private: [127.0.0.0/8], host_gap: 0s}\nwork: {executor: inline}\nsources:\n"
ITEM = "<item><title>Levee {n}</title><link>{link}</link></item>"


@pytest.fixture
def other() -> Iterator[LoopbackServer]:
    with LoopbackServer({"*": Response(404)}) as made:
        yield made


class Sources:
    """The sources of a config.yaml, polled once a call."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.file = database, folder / "config.yaml"

    def load(self, sources: str) -> Config:
        if "page: " in sources:
            # An environment made before it became a dependency
            pytest.importorskip("cssselect")
        self.file.write_text(HEAD + sources, encoding="utf-8")
        return load(self.file)

    def poll(self, sources: str) -> dict[str, PollResult]:
        config = self.load(sources)
        written_by(self.database, sync_config, configured_sources(config, utc_now()))
        return poll_configured(self.database, config)

    def paths(self) -> set[str]:
        return {
            urlsplit(row.url)[2] for row in queried(self.database, select(entry.c.url))
        }


@pytest.fixture
def sources(database: Database, tmp_path: Path) -> Sources:
    return Sources(database, tmp_path)


@pytest.mark.later
def test_secrets_go_to_the_origin_of_the_source_alone(
    sources: Sources,
    server: LoopbackServer,
    other: LoopbackServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def feed(request: Request) -> Response:
        items = ITEM.format(n=1, link=server.url("/page")) + ITEM.format(
            n=2, link=other.url("/page")
        )
        return Response(body=f"<rss><channel><title>T</title>{items}</channel></rss>")

    server.routes |= {
        "/feed": feed,
        "/away": redirect(other.url("/feed")),
        "/on": redirect("/feed"),
    }
    server.routes["/page"] = Response(body="<p>x", content_type="text/html")
    other.routes |= {
        "/feed": feed,
        "/page": Response(body="<p>x", content_type="text/html"),
    }
    (sources.file.parent / "cookie").write_text("session=Kek5\n", encoding="utf-8")
    monkeypatch.setenv("PAPER_TOKEN", "t0ken5ecret")
    typed = server.url("/feed").replace("//", "//anna:s3cr%40t@")
    polled = sources.poll(
        f"- {{feed: '{typed}', name: a, headers: {{X-Key: key5ecret}}, cookie_file: cookie}}\n"
        f"- {{feed: '{server.url('/on')}', name: b, auth: {{token_env: PAPER_TOKEN}}}}\n"
        f"- {{feed: '{server.url('/away')}', name: c, auth: {{user: anna, password: pas5word}}}}\n"
    )
    assert {name: one.problem for name, one in polled.items() if not one.succeeded} == {
        "c": "refused: port "
        f"{other.port} of 127.0.0.1 is in a network of your own: a source from there leads to its own host "
        "and port only; one on the internet never, one of an imported list after `aggregator sources add`, "
        "or if the list is imported again with --allow-private"
    }
    asked = [(one.path, one.headers) for one in server.requests]
    basic = f"Basic {base64.b64encode(b'anna:s3cr@t').decode()}"
    a, b, c = (
        next(headers for path, headers in asked if path == one)
        for one in ("/feed", "/on", "/away")
    )
    assert (a["authorization"], a["cookie"], a["x-key"]) == (
        basic,
        "session=Kek5",
        "key5ecret",
    )
    assert (b["authorization"], "cookie" in b) == ("Bearer t0ken5ecret", False)
    assert c["authorization"] == f"Basic {base64.b64encode(b'anna:pas5word').decode()}"
    assert [headers["authorization"] for path, headers in asked if path == "/page"] == [
        basic
    ]
    assert "authorization" in asked[[path for path, _ in asked].index("/on") + 1][1]
    for request in other.requests:
        assert not {"authorization", "cookie", "x-key"} & set(request.headers)

    checks = ("sources check a", f"sources check {typed}?x")
    for command in ("config show", "sources list", "sources export", *checks):
        with pytest.raises(SystemExit):
            main(["--config", str(sources.file), *command.split()])
    shown = "".join(capfd.readouterr())
    assert shown.count("rss, 2 entries") == 2
    assert server.requests[-1].headers["authorization"] == basic
    for secret in ("s3cr", "Kek5", "key5ecret", "t0ken5ecret", "pas5word"):
        assert secret not in shown
    assert "s3cr" not in repr(read_by(sources.database, all_sources))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        *rows("source_access", "what cannot be used is named"),
        (
            f"page: https://a.example/, list: '{':is(' * 500}a{')' * 500}'",
            "is not a CSS selector",
        ),
    ],
)
def test_what_cannot_be_used_is_named(
    sources: Sources, line: str, problem: str
) -> None:
    def read() -> None:
        config = sources.load(f"- {{{line}}}\n")
        configured_sources(config, utc_now())
        configured_access(config)

    with pytest.raises(ConfigError) as refused:
        read()
    assert problem in str(refused.value)
    assert "5ecret" not in str(refused.value)


def test_an_index_of_sitemaps_is_followed_at_each_poll(
    sources: Sources, server: LoopbackServer
) -> None:
    def sitemap(*names: str) -> Response:
        urls = "".join(
            f"<url><loc>{server.url('/' + name)}</loc></url>" for name in names
        )
        return Response(body=f"<urlset>{urls}</urlset>", content_type="application/xml")

    places = [
        server.url("/1.xml"),
        server.url("/2.xml"),
        server.url("/gone.xml"),
        "http://169.254.169.254/x",
    ]
    server.routes |= {
        "/index.xml": Response(
            body="<sitemapindex>"
            + "".join(f"<sitemap><loc>{place}</loc></sitemap>" for place in places)
            + "</sitemapindex>",
            content_type="application/xml",
            headers={"ETag": '"1"'},
        ),
        "/1.xml": sitemap("a", "b"),
        "/2.xml": sitemap("c"),
    }
    listed = f"- {{feed: '{server.url('/index.xml')}', name: index, pages: never}}\n"
    assert sources.poll(listed)["index"].read == 3
    assert sources.poll(listed)["index"].unchanged
    server.routes["/2.xml"] = sitemap("c", "d")
    assert len(sources.poll(listed)["index"].accepted) == 1
    (checked,) = check_feeds(sources.load(listed), [server.url("/index.xml")])
    assert (checked.format, checked.entries, checked.problem) == (
        "sitemap index",
        4,
        None,
    )
    server.routes |= dict.fromkeys(
        ("/1.xml", "/2.xml", "/gone.xml"), server.routes["/index.xml"]
    )
    asked = len(server.requests)
    (checked,) = check_feeds(sources.load(listed), [server.url("/index.xml")])
    polled = sources.poll(listed)["index"]
    assert all(
        "an index of sitemaps, too" in str(one.problem) for one in (checked, polled)
    )
    assert len(server.requests) - asked == 2 * 4, (
        "an index is not followed from another one"
    )


def test_the_login_goes_to_the_sitemaps_of_an_index(
    sources: Sources, server: LoopbackServer
) -> None:
    def index(request: Request) -> Response:
        place = f"<sitemap><loc>{server.url('/1.xml')}</loc></sitemap>"
        body = (
            f"<sitemapindex>{place}</sitemapindex>"
            if request.path == "/index.xml"
            else "<urlset/>"
        )
        return Response(200 if "authorization" in request.headers else 401, body=body)

    server.routes["*"] = index
    listed = f"- {{feed: '{server.url('/index.xml')}', name: index, auth: {{user: a, password: b}}}}\n"
    (checked,) = check_feeds(sources.load(listed), ["index"])
    assert (checked.format, checked.problem) == ("sitemap index", None)
    typed = server.url("/index.xml").replace("://", "://a:b@")
    (checked,) = check_feeds(sources.load("- {folder: articles}\n"), [typed])
    assert (checked.format, checked.problem) == ("sitemap index", None)


@pytest.mark.parametrize(
    "typed",
    [
        "https://anna:5ec/ret@a.example/",
        "https://anna:5/5ec@a.example/feed",  # a port and a path, or a password
        "anna:5ecret@a.example",
        "https://anna:5ec#@b.example/",
    ],
)
def test_a_password_with_a_slash_is_not_quoted(sources: Sources, typed: str) -> None:
    with pytest.raises((UsageError, ReadError)) as refused:
        find(sources.load("- {folder: articles}\n"), typed)
    assert "5ec" not in str(refused.value)
    if "://" in typed and "#" not in typed:
        with pytest.raises(ConfigError) as read:
            configured_sources(sources.load(f"- {{feed: '{typed}'}}\n"), utc_now())
        assert "5ec" not in str(read.value)
        assert "%2F" in str(read.value)
        listed = f'<opml><outline text="{typed}" xmlUrl="{typed}"/></opml>'.encode()
        result = import_feeds(
            sources.load("- {folder: articles}\n"), sources.database, listed, "it"
        )
        assert (result.added, result.refused) == (0, ("anna",))


@pytest.mark.parametrize("by", ["add", "import"])
def test_an_imported_address_leads_into_no_private_network(
    sources: Sources, server: LoopbackServer, by: str
) -> None:
    """Although `fetch.allow_private` has it; only where it is typed, or the list imported again so."""
    server.routes["/feed"] = Response(body=f"<rss><channel>{ITEM}</channel></rss>")
    config = sources.load(" []\n")

    def polled(allow_private: bool) -> PollResult:
        listed = f'<opml><outline xmlUrl="{server.url("/feed")}"/></opml>'.encode()
        import_feeds(
            config, sources.database, listed, "list", allow_private=allow_private
        )
        (result,) = sources.poll(" []\n").values()
        return result

    refused = polled(allow_private=False)
    assert "one of an imported list after `aggregator sources add`" in str(
        refused.problem
    )
    assert server.requests == []
    if by == "add":
        asked = SourceOptions(name="Mine", folder="News", interval_seconds=60)
        added = add(config, sources.database, server.url("/feed"), asked).source
        assert (added.origin, added.name, added.folder, added.interval_seconds) == (
            "user",
            "Mine",
            "News",
            60,
        )
        assert [one.name for one in read_by(sources.database, all_sources)] == ["Mine"]
        with pytest.raises(ConflictError, match="already"):
            add(config, sources.database, server.url("/feed"), SourceOptions())
    assert polled(allow_private=by == "import").succeeded


@pytest.mark.parametrize(
    "path", ["@user.rss", "acct/user@a.example", "?by=u@a.example", "x?by=u@a.example"]
)
def test_an_address_with_a_port_may_have_the_sign_of_mail(
    sources: Sources, path: str
) -> None:
    (listed,) = configured_sources(
        sources.load(f"- {{feed: 'http://nas:8080/{path}'}}\n"), utc_now()
    )
    assert listed.address == f"http://nas:8080/{path}"


def test_a_page_without_a_feed_is_read_by_selectors(
    sources: Sources, server: LoopbackServer
) -> None:
    server.routes["/news"] = Response(
        body="""<title>Sennick &amp; Port</title><nav><a href=/x>Menu</a></nav><div class=all>
        <article class=item><h3>Dockers <b>strike</b></h3><a href="/1?x=1&amp;y=2">read on</a>
          <time datetime=2026-11-20T08:30:00Z>Friday</time></article>
        <article class=item><h3>Levee breaks</h3><a href="javascript:alert(1)">read on</a></article>
        <article class="item last"><h3>Again &lt;script&gt;</h3><a href="//[bad">x</a><a href=2>y</a>
        </article>
        <article class=item><a href=/3>Without a heading</a></article></div>""",
        content_type="text/html",
    )
    listed = f"- {{page: '{server.url('/news')}', name: port, list: 'div.all > .item', title: h3, pages: never}}\n"
    polled = sources.poll(listed)["port"]
    assert (polled.succeeded, polled.read, sources.paths()) == (True, 2, {"/1", "/2"})
    (checked,) = check_feeds(sources.load(listed), ["port"])
    assert (checked.format, checked.title) == ("page", "Sennick & Port")
    assert checked.newest == ("Dockers strike", "Again <script>")
    wrong = listed.replace(".item", ".none")
    assert "no element matches `list:`" in str(
        next(check_feeds(sources.load(wrong), ["port"])).problem
    )
    assert "no element matches `list:`" in str(
        sources.poll(wrong.replace("name: port", "name: p2"))["p2"].problem
    )


def test_other_selectors_apply_to_an_unchanged_page(
    sources: Sources, server: LoopbackServer
) -> None:
    def page(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"1"':
            return Response(304)
        body = "<ul><li class=top><a href=/1>Dockers strike</a><li><a href=/2>Levee breaks</a></ul>"
        return Response(body=body, content_type="text/html", headers={"ETag": '"1"'})

    server.routes["/news"] = page
    listed = (
        f"- {{page: '{server.url('/news')}', name: port, list: li.top, pages: never}}\n"
    )
    sources.poll(listed)
    assert sources.paths() == {"/1"}
    assert sources.poll(listed)["port"].unchanged
    sources.poll(listed.replace("li.top", "li"))
    assert sources.paths() == {"/1", "/2"}
    assert sources.poll(listed.replace("li.top", "li"))["port"].unchanged
    conditions = [request.headers.get("if-none-match") for request in server.requests]
    assert conditions == [None, '"1"', None, '"1"'], (
        "a condition only if the selectors are the same"
    )


@pytest.mark.parametrize(
    ("base", "found"), [("/archive/", "/archive/1"), ("javascript:x", "/in/1")]
)
def test_relative_links_of_a_page_are_relative_to_its_base(
    sources: Sources, server: LoopbackServer, base: str, found: str
) -> None:
    server.routes["/in/news"] = Response(
        body=f"<head><base target=_top><base href='{base}'></head><ul><li><a href=1>Dockers strike</a></ul>",
        content_type="text/html",
    )
    listed = (
        f"- {{page: '{server.url('/in/news')}', name: port, list: li, pages: never}}\n"
    )
    sources.poll(listed)
    assert sources.paths() == {found}


def test_the_link_of_an_item_of_a_page_leads_to_another_page_and_has_a_text(
    sources: Sources, server: LoopbackServer
) -> None:
    server.routes["/news"] = Response(
        body="""<ul><li><a href="#top">Up</a><a href=/1><img src=x></a><a href=/1>Dockers
        <script>var x = 1</script><style>a {}</style>strike</a><a href=/x>more</a></li>
        <li><a href=/news>All news</a></li><li><a href=/2><img src=y></a></li></ul>""",
        content_type="text/html",
    )
    listed = (
        f"- {{page: '{server.url('/news')}', name: port, list: li, pages: never}}\n"
    )
    (checked,) = check_feeds(sources.load(listed), ["port"])
    assert checked.newest == ("Dockers strike",)
    (checked,) = check_feeds(
        sources.load(listed.replace("list: li", "list: 'li + li'")), ["port"]
    )
    assert "`list:` matches 2 elements, none with a link and a title" in str(
        checked.problem
    )


def test_a_proxy_gets_every_request_and_private_addresses_stay_refused(
    database: Database, tmp_path: Path, server: LoopbackServer
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(
        f"fetch: {{proxy: 'http://anna:s3cr%40t@127.0.0.1:{server.port}', host_gap: 0s}}\n"
    )
    server.routes |= {
        "http://news.example/feed": Response(
            body="<rss><channel><title>T</title></channel></rss>"
        ),
        "http://news.example/away": redirect("http://127.1/secret"),
    }
    config = load(file)
    addresses = ("http://news.example/feed", "http://news.example/away", "http://10.0.0.7/", "http://[::1]/",
                 "http://0x7f.1/", "http://localhost/", "https://news.example/")  # fmt: skip
    found = [str(one.problem) for one in check_feeds(config, addresses)]
    assert found[0] == "None"
    assert all("public internet" in one for one in found[1:6]), found
    assert found[6].startswith("connect:")
    assert {
        request.path for request in server.requests if request.method == "GET"
    } == set(addresses[:2])
    basic = f"Basic {base64.b64encode(b'anna:s3cr@t').decode()}"
    assert {request.headers["proxy-authorization"] for request in server.requests} == {
        basic
    }
    assert "s3cr" not in "".join(found) + config.model_dump_json()


@pytest.mark.later
def test_a_source_and_its_pages_go_through_its_own_proxy(
    database: Database, tmp_path: Path, server: LoopbackServer
) -> None:
    secret = tmp_path / "proxy"
    secret.write_text(f"http://anna:s3cr%40t@127.0.0.1:{server.port}\n")
    file = tmp_path / "config.yaml"
    file.write_text(
        "fetch: {proxy: 'http://127.0.0.1:1', host_gap: 0s}\n"
        "sources: [{feed: 'http://news.example/feed', proxy_file: proxy}]\n"
    )
    server.routes |= {
        "http://news.example/feed": Response(
            body="<rss><channel><title>T</title><item><title>Levee breaks</title>"
            "<link>http://news.example/1</link></item></channel></rss>"
        ),
        "http://news.example/robots.txt": Response(404),
        "http://news.example/1": Response(body="<p>Levee", content_type="text/html"),
    }
    config = load(file)
    assert [
        result.problem for result in check_feeds(config, ["http://news.example/feed"])
    ] == [None]
    (elsewhere,) = check_feeds(config, ["http://other.example/feed"])
    assert str(elsewhere.problem).startswith("connect:")
    written_by(database, sync_config, configured_sources(config, utc_now()))
    (polled,) = poll_configured(database, config, robots=True).values()
    assert polled.succeeded
    assert {request.path for request in server.requests} == set(server.routes)


@each_row(
    "source_access",
    "a proxy that cannot be used is named without its password",
    "line",
    "words",
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, words: str
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"sources:\n  - {{feed: 'http://news.example/feed', {line}}}\n")
    with pytest.raises(SystemExit):
        main(["--config", str(file), "config", "check"])
    said = "".join(capsys.readouterr())
    assert re.search(words, said)
    assert "config.yaml:2: " in said
    assert "s3cr3t" not in said
