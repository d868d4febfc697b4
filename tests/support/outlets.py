"""Invented outlets with real web servers: each publishes samples of ours as a feed of its kind."""

import html
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from tests.conftest import REPOSITORY
from tests.support.loopback import LoopbackServer, Resource, Response, Route, redirect
from tests.support.rss import item, rss

SAMPLES = REPOSITORY / "examples" / "articles"
# A line of a sample with more words is a paragraph, the others are its head and furniture
_PROSE_WORDS = 12


@dataclass(frozen=True)
class Report:
    """One article as its outlet has it. `path` is its address below the outlet."""

    path: str
    title: str
    paragraphs: tuple[str, ...]
    published: datetime
    guid: str

    @property
    def teaser(self) -> str:
        """The beginning, as short as feeds have it."""
        return " ".join(self.paragraphs[0].split()[:30])

    @property
    def beyond(self) -> str:
        """Words that stand soon after the teaser: who has them has read the page."""
        return " ".join(" ".join(self.paragraphs).split()[32:37])

    @property
    def body(self) -> str:
        """All of it as HTML."""
        return "".join(
            f"<p>{html.escape(paragraph)}</p>" for paragraph in self.paragraphs
        )


def report(sample: str, title: str, *, hours_ago: int) -> Report:
    """A sample of the project (`Outlet/slug`) under its headline, as if published lately."""
    text = (SAMPLES / f"{sample}.txt").read_text(encoding="utf-8")
    paragraphs = tuple(
        line
        for line in text.splitlines()
        if len(line.split()) > _PROSE_WORDS and line != title
    )
    slug = sample.partition("/")[2]
    moment = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=hours_ago)
    return Report(f"/news/{slug}", title, paragraphs, moment, f"id-{slug}")


@dataclass
class Outlet:
    """A server with a feed at /feed. Call `publish` again after a change."""

    name: str
    kind: str  # rss, atom, rdf or json
    reports: list[Report]
    full_text: bool = True
    encoding: str = "utf-8"
    gzip: bool = False
    etag: str | None = ""
    moved: bool = False  # /feed redirects
    server: LoopbackServer = field(default_factory=LoopbackServer)

    def __post_init__(self) -> None:
        self.publish()

    @property
    def feed_path(self) -> str:
        return "/moved/feed" if self.moved else "/feed"

    def settings(self) -> dict[str, str]:
        """The outlet as a source in config.yaml."""
        return {
            "feed": self.server.url("/feed"),
            "outlet": self.name,
            "name": self.name,
        }

    def publish(self) -> None:
        """Serve the feed and the pages as the reports are now."""
        routes: dict[str, Route] = {one.path: self.page(one) for one in self.reports}
        feed = _FEEDS[self.kind](self).encode(self.encoding, "xmlcharrefreplace")
        kind = "application/feed+json" if self.kind == "json" else "application/xml"
        routes[self.feed_path] = Resource(feed, kind, etag=self.etag, gzip=self.gzip)
        if self.moved:
            routes["/feed"] = redirect(self.feed_path)
        self.server.routes = routes

    def page(self, one: Report) -> Response:
        """The page of an article, with what stands around articles."""
        body = (
            f"<html><head><title>{html.escape(one.title)} - {self.name}</title></head><body>"
            f"<nav><a href='/'>Home</a> <a href='/sport'>Sport</a></nav>"
            f"<article><h1>{html.escape(one.title)}</h1>{one.body}</article>"
            "<footer>All rights reserved. Contact. Imprint.</footer></body></html>"
        )
        return Response(200, body=body, content_type="text/html; charset=utf-8")

    def rename_everything(self) -> None:
        """What a new publishing system does: fresh GUIDs, and trackers in every address."""
        self.reports = [
            replace(
                one,
                guid=f"urn:new:{number}:{one.guid}",
                path=f"{one.path}?utm_source=feed&utm_medium=rss",
            )
            for number, one in enumerate(self.reports)
        ]
        self.publish()

    def polls(self) -> int:
        """How often the feed has been asked for."""
        return self.server.paths().count(self.feed_path)


def _shown(outlet: Outlet, one: Report) -> str:
    return one.body if outlet.full_text else f"<p>{html.escape(one.teaser)} ...</p>"


def _rss(outlet: Outlet) -> str:
    of_each = (
        {"guid": one.guid, "link": outlet.server.url(one.path)}
        for one in outlet.reports
    )
    items = (
        item(one.title, _shown(outlet, one), published=one.published, **more)
        for one, more in zip(outlet.reports, of_each, strict=True)
    )
    more = f"<link>{outlet.server.url('/')}</link><description>x</description>"
    return f'<?xml version="1.0" encoding="{outlet.encoding}"?>{rss(*items, title=outlet.name, more=more)}'


def _atom(outlet: Outlet) -> str:
    entries = "".join(
        f"<entry><title>{html.escape(one.title)}</title><id>{one.guid}</id>"
        f'<link href="{html.escape(outlet.server.url(one.path))}"/>'
        f"<updated>{one.published.isoformat()}</updated>"
        f"<published>{one.published.isoformat()}</published>"
        f'<summary type="html">{html.escape(_shown(outlet, one))}</summary></entry>'
        for one in outlet.reports
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{outlet.name}</title><id>urn:{outlet.name}</id>{entries}</feed>"
    )


def _rdf(outlet: Outlet) -> str:
    items = "".join(
        f'<item rdf:about="{one.guid}"><title>{html.escape(one.title)}</title>'
        f"<link>{html.escape(outlet.server.url(one.path))}</link><dc:date>{one.published.isoformat()}</dc:date>"
        f"<description>{html.escape(_shown(outlet, one))}</description></item>"
        for one in outlet.reports
    )
    return (
        '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns="http://purl.org/rss/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f'<channel rdf:about="x"><title>{outlet.name}</title></channel>{items}</rdf:RDF>'
    )


def _json(outlet: Outlet) -> str:
    items = [
        {
            "id": one.guid,
            "url": outlet.server.url(one.path),
            "title": one.title,
            "content_html": _shown(outlet, one),
            "date_published": one.published.isoformat(),
        }
        for one in outlet.reports
    ]
    version = "https://jsonfeed.org/version/1.1"
    return json.dumps({"version": version, "title": outlet.name, "items": items})


_FEEDS = {"rss": _rss, "atom": _atom, "rdf": _rdf, "json": _json}

FIRE = report(
    "Lowland Post/fire-at-halverne-solvent-works", "Sixteen hurt in fire", hours_ago=10
)
DAM = report(
    "Marenholt Courier/kestrow-dam-gives-way", "Kestrow Dam gives way", hours_ago=30
)
