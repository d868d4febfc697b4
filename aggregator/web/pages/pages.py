"""The common parts of all pages: their template, their ETag, and the page of an error."""

from collections.abc import Collection, Sequence
from typing import cast

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from aggregator.config.story_query import MAX_TEXT_CHARS
from aggregator.model.entry import Enclosure
from aggregator.model.read_model import StoryListItem
from aggregator.publish.excerpts.excerpt_words import count_words, first_words
from aggregator.store.read.marks.mark_rows import ReaderItem
from aggregator.store.read.marks.read_marks import VIEWS, View
from aggregator.web.dependencies import Site, whole_number
from aggregator.web.security.visit import (
    form_value,
    may_edit,
    prefix_of,
    token_of,
    visit_of,
)


class Pages(Site):
    """A site that renders its pages."""

    def not_found(self, request: Request) -> Response:
        """Return the page for an unknown address."""
        return self.problem(
            request,
            404,
            "Page not found",
            "The address may be misspelled, or what it led to no longer exists.",
        )

    def problem(
        self, request: Request, status: int, title: str, detail: str
    ) -> Response:
        """Return a page that shows an error. Its links never contain a token."""
        return self.page(
            request,
            "problem.html",
            status,
            here="",
            heading=title,
            detail=detail,
            prefix=self.settings.base_path,
            signed_in=False,
            may_change=False,
        )

    def view_of(self, request: Request) -> View | None:
        """Return whether a list has only unread or only saved stories; None for all stories, and for strangers."""
        view = request.query_params.get("view", "")
        if view not in VIEWS or self.reader_of_pages(request) is None:
            return None
        return cast("View", view)

    def marks_of(
        self, request: Request, ids: Collection[str]
    ) -> dict[str, ReaderItem] | None:
        """Return which of these stories the owner has read and saved; None for strangers."""
        reader = self.reader_of_pages(request)
        return None if reader is None else self.marks.of_stories(reader, ids)

    def list_items(
        self, request: Request, stories: Sequence[StoryListItem]
    ) -> list[StoryListItem]:
        """Return the stories with texts that this request may read: together, the words of one article.

        Each text of a story takes words from the same limit, because the summary may come from the article that has the
        longest of the other titles.
        """
        access, words = self.limits(request)
        shown = []
        for story in stories:
            if access == "owner":
                shown.append(
                    replace(story, picture=self.picture(request, story.picture))
                )
                continue
            title = first_words(story.title, words)
            left = max(0, words - count_words(title))
            titles = tuple(
                replace(t, title=first_words(t.title, left)) for t in story.titles
            )
            longest = max((count_words(t.title) for t in titles), default=0)
            summary = first_words(story.summary, max(0, left - longest))
            shown.append(
                replace(
                    story, title=title, summary=summary, titles=titles, picture=None
                )
            )
        return shown

    def picture(self, request: Request, picture: Enclosure | None) -> Enclosure | None:
        """Return the picture if the page of this request may show it, by `publish.images`; else None."""
        if picture is None or not self.shows_pictures(request):
            return None
        # The Content-Security-Policy of a page that is read by HTTPS allows only pictures by HTTPS.
        if request.scope["scheme"] == "https" and not picture.url.startswith("https:"):
            return None
        # Imported here, because this module loads lxml. Pictures that were stored before the rule are checked, too.
        from aggregator.extract.html.article_html import is_shown_picture

        return picture if is_shown_picture(picture.url) else None

    def page_tag(
        self, request: Request, query_string: str, story_id: str = ""
    ) -> str | None:
        """Return the ETag of a page; None if it has marks, or forms with the CSRF value of a token."""
        if may_edit(request):
            return None
        if token_of(request) is not None and not prefix_of(request):
            return None
        key = f"{prefix_of(request)}\n{form_value(request)}\n{query_string}"
        return self.tag(request, key, story_id)

    def page(
        self, request: Request, template: str, status: int = 200, /, **values: object
    ) -> Response:
        """Render a template with `values` and the values that every page needs."""
        settings = self.settings
        place = request.url.path
        if request.url.query:
            place += f"?{request.url.query}"
        common = {
            "site_title": settings.title,
            "index": settings.index,
            "prefix": settings.base_path + prefix_of(request),
            "shows_feeds": not visit_of(request).may_not_read,
            "queries": settings.queries,
            "signed_in": token_of(request) is not None and not prefix_of(request),
            "has_digest": settings.digest_stories > 0,
            "may_change": may_edit(request),
            "form": form_value(request),
            "marks": None,
            "place": place,
            # The numbers of corrections that were just made or undone
            "done": typed_number(request, "done"),
            "undone": typed_number(request, "undone"),
            **values,
        }
        return HTMLResponse(self.jinja.get_template(template).render(common), status)


def typed_number(request: Request, name: str) -> int | None:
    """Return a number in the address of a page; None without it, or for anything else."""
    return whole_number(request.query_params.get(name, ""))


def typed_text(request: Request, name: str, most: int = MAX_TEXT_CHARS) -> str:
    """Return a text that was typed into a form."""
    return request.query_params.get(name, "").strip().replace("\x00", "")[:most]
