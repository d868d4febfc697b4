"""The page `/mutes`, on which the owner mutes words, outlets, folders and more, and removes mutes."""

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from aggregator.grouping.mutes import NOUNS
from aggregator.intake.configured import mutes_of
from aggregator.model.prepared import KINDS
from aggregator.publish.excerpts.source_excerpts import bounded_sources
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.web.dependencies import Site
from aggregator.web.forms.posted_form import Fields, posted_form
from aggregator.web.pages.pages import Pages
from aggregator.web.security.visit import may_edit

# The most sources in the list to choose from
_SOURCES_SHOWN = 1000


def routes(site: Site) -> list[Route]:
    """Return the routes of mutes, if the site may write."""
    if site.sources is None:
        return []
    forms = MuteForms(site)
    posted = partial(posted_form, Pages(site), may=may_edit)
    return [
        Route("/mutes", forms.show, methods=["GET"]),
        Route("/mutes", posted(forms.add), methods=["POST"]),
        Route("/mutes/remove", posted(forms.remove), methods=["POST"]),
    ]


class MuteForms:
    """The page and its forms."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._pages = Pages(site)
        self._mutes = BrowserMutes(site.source_services.database)

    def show(self, request: Request) -> Response:
        """Return the page of all mutes, also of those in config.yaml."""
        if not may_edit(request):
            return RedirectResponse("/sign-in", 303)
        # Without keys in the addresses of sources that have no name.
        sources = bounded_sources(self._site.reader, "owner", _SOURCES_SHOWN).sources
        return self._pages.page(
            request,
            "mutes.html",
            here="/mutes",
            mutes=self._mutes.all_mutes(),
            nouns=NOUNS | {"sources": "source", "storylines": "storyline"},
            configured=mutes_of(self._site.source_services.config).everywhere,
            sources=[(source.id, source.name) for source in sources],
            kinds=KINDS,
        )

    def add(self, _request: Request, fields: Fields) -> Response:
        """Add a mute. Raises UsageError."""
        self._mutes.add(fields.get("kind", ""), fields.get("muted", ""))
        return RedirectResponse("/mutes", 303)

    def remove(self, _request: Request, fields: Fields) -> Response:
        """Remove a mute."""
        self._mutes.remove(fields.get("kind", ""), fields.get("muted", ""))
        return RedirectResponse("/mutes", 303)
