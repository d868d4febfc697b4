"""The pictures that pages show to a client: those of the owner, from public hosts, by `publish.images`."""

from starlette.requests import Request

from aggregator.model.entry import Enclosure
from aggregator.web.dependencies import Site


def picture_for(
    site: Site, request: Request, picture: Enclosure | None
) -> Enclosure | None:
    """Return the picture if the page of this request may show it, else None."""
    if picture is None or not site.shows_pictures(request):
        return None
    # The Content-Security-Policy of a page that is read by HTTPS allows no other.
    if request.scope["scheme"] == "https" and not picture.url.startswith("https:"):
        return None
    # lxml is loaded with it. Pictures that were stored before this rule are judged here.
    from aggregator.extract.html.article_html import is_shown_picture

    return picture if is_shown_picture(picture.url) else None
