"""The forms with which the owner marks stories as read or saved, and mutes words, outlets, folders and more.

Each button of the form for marks names an act and the stories that it is for. On the page `/mutes`, the owner sees all
mutes and removes them.
"""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.grouping.mutes import NOUNS
from aggregator.intake.configured import mutes_of
from aggregator.model.prepared import KINDS
from aggregator.publish.excerpts.single_articles import load_sources
from aggregator.store.read.browser_mutes import BrowserMutes
from aggregator.store.read.marks.read_marks import OWNER
from aggregator.web.dependencies import ID
from aggregator.web.forms.posted_form import Fields
from aggregator.web.pages.pages import Pages
from aggregator.web.security.visit import may_edit

_READ = {"read": True, "unread": False}
_STARRED = {"save": True, "unsave": False}


def mark_stories(site: Pages, _request: Request, fields: Fields) -> Response:
    """Mark stories, and lead back to their place on the page. Raises UsageError if too many stories are saved."""
    marks = site.marks
    owner = marks.sign_in(OWNER)
    place = fields.get("back", "")
    if not place.startswith("/") or place.startswith(("//", "/\\")):
        place = "/"
    for act in (*_READ, *_STARRED):
        ids = [id_ for id_ in fields.get(act, "").split() if ID.fullmatch(id_)]
        rows = marks.of_stories(owner, ids)
        if rows:
            numbers = [row.number for row in rows.values()]
            marks.edit(owner, numbers, read=_READ.get(act), starred=_STARRED.get(act))
        if len(ids) == 1:
            place += f"#s-{ids[0]}"
    return RedirectResponse(place, 303)


# The most sources in the list to choose from
_SOURCES_SHOWN = 1000


def show_mutes(site: Pages, request: Request) -> Response:
    """Return the page of all mutes, including those in config.yaml."""
    if not may_edit(request):
        return RedirectResponse("/sign-in", 303)
    config, database, _ = site.sources
    # Loaded without secrets, because a source without a name is listed by its address.
    sources = load_sources(site.reader, "owner", _SOURCES_SHOWN).sources
    return site.page(
        request,
        "mutes.html",
        here="/mutes",
        mutes=BrowserMutes(database).all_mutes(),
        visible_beside=BrowserMutes(database).visible_beside(),
        nouns=NOUNS | {"sources": "source", "storylines": "storyline"},
        configured=mutes_of(config).everywhere,
        sources=[(source.id, source.name) for source in sources],
        kinds=KINDS,
        rest_days=f"{config.effective_tuning.values('events')['window_days']:g}",
    )


def add_mute(site: Pages, _request: Request, fields: Fields) -> Response:
    """Add a mute. Raises UsageError."""
    BrowserMutes(site.sources.database).add(
        fields.get("kind", ""), fields.get("muted", "")
    )
    return RedirectResponse("/mutes", 303)


def remove_mute(site: Pages, _request: Request, fields: Fields) -> Response:
    """Remove the mute of a button on `/mutes`, and show that page again."""
    BrowserMutes(site.sources.database).remove(
        fields.get("kind", ""), fields.get("muted", "")
    )
    return RedirectResponse("/mutes", 303)
