"""The routes of forms: the address of each form, who may send it, and which threads handle it."""

from functools import partial
from typing import Any

from starlette.routing import Route

from aggregator.web.api.source_routes import MAX_OPML_BYTES
from aggregator.web.dependencies import run_in
from aggregator.web.forms import (
    correction_forms,
    owner_forms,
    sign_in,
    source_forms,
)
from aggregator.web.forms.posted_form import Handler, posted_form
from aggregator.web.pages.pages import Pages
from aggregator.web.security.visit import may_edit


def form_routes(site: Pages) -> list[Route]:
    """Return the routes of forms and of their pages."""

    def page(path: str, show: Any) -> Route:
        return Route(path, partial(show, site))

    def form(path: str, handler: Handler, **options: Any) -> Route:
        return Route(path, posted_form(site, handler, **options), methods=["POST"])

    by_owner = partial(form, may=may_edit)
    changing = partial(by_owner, run=partial(run_in, site.changing))
    searching = partial(by_owner, run=partial(run_in, site.searching))
    opml = {"read": source_forms.read_upload, "most_bytes": MAX_OPML_BYTES}
    return [
        page("/sign-in", sign_in.ask_to_sign_in),
        form("/sign-in", sign_in.sign_in_by_token),
        form("/sign-out", sign_in.sign_out, may=lambda _request: True),
        page("/corrections", correction_forms.list_corrections),
        by_owner("/correct", correction_forms.correct),
        by_owner("/corrections/{number}/undo", correction_forms.undo),
        by_owner("/marks", owner_forms.mark_stories),
        page("/mutes", owner_forms.show_mutes),
        by_owner("/mutes", owner_forms.add_mute),
        by_owner("/mutes/remove", owner_forms.remove_mute),
        searching("/sources/preview", source_forms.preview),
        searching("/sources/add", source_forms.add),
        changing("/sources/opml", source_forms.upload, **opml),
        changing("/sources/{id}", source_forms.save),
    ]
