"""The page `/mutes`, on which the owner mutes words, outlets, folders and more, and removes mutes."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.grouping.mutes import NOUNS
from aggregator.intake.configured import mutes_of
from aggregator.model.prepared import KINDS
from aggregator.publish.excerpts.single_articles import bounded_sources
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.web.forms.posted_form import Fields
from aggregator.web.pages.pages import Pages
from aggregator.web.security.visit import may_edit

# The most sources in the list to choose from
_SOURCES_SHOWN = 1000


def show_mutes(site: Pages, request: Request) -> Response:
    """Return the page of all mutes, also of those in config.yaml."""
    if not may_edit(request):
        return RedirectResponse("/sign-in", 303)
    config, database, _ = site.source_services
    # Without keys in the addresses of sources that have no name.
    sources = bounded_sources(site.reader, "owner", _SOURCES_SHOWN).sources
    return site.page(
        request,
        "mutes.html",
        here="/mutes",
        mutes=BrowserMutes(database).all_mutes(),
        nouns=NOUNS | {"sources": "source", "storylines": "storyline"},
        configured=mutes_of(config).everywhere,
        sources=[(source.id, source.name) for source in sources],
        kinds=KINDS,
    )


def add_mute(site: Pages, _request: Request, fields: Fields) -> Response:
    """Add a mute. Raises UsageError."""
    mutes = BrowserMutes(site.source_services.database)
    mutes.add(fields.get("kind", ""), fields.get("muted", ""))
    return RedirectResponse("/mutes", 303)


def remove_mute(site: Pages, _request: Request, fields: Fields) -> Response:
    """Remove the mute of a button on `/mutes`, and show that page again."""
    mutes = BrowserMutes(site.source_services.database)
    mutes.remove(fields.get("kind", ""), fields.get("muted", ""))
    return RedirectResponse("/mutes", 303)
