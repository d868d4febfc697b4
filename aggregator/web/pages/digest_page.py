"""The page of the last digest."""

from functools import partial

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aggregator.web.dependencies import Site
from aggregator.web.feeds.digest_feeds import digest_html, digest_title
from aggregator.web.pages.pages import Pages


def routes(site: Site) -> list[Route]:
    """Return the route of the digest."""
    return [Route("/digest", partial(show_digest, site, Pages(site)))]


def show_digest(site: Site, pages: Pages, request: Request) -> Response:
    """Answer with the last digest; an unknown address without `digest:` in config.yaml."""
    settings = site.settings
    if not settings.digest_stories:
        return pages.not_found(request)
    heading = "Digest"
    html = Markup()
    wanted = partial(settings.digest_filter, mutes=site.mutes(request))
    for digest in site.reader.digests(wanted, 1):
        heading = digest_title(digest, settings)
        html = Markup(digest_html(digest, settings))  # noqa: S704 - escaped by the feed
    return pages.page(
        request, "digest.html", here="/digest", heading=heading, html=html
    )
