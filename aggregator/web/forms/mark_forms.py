"""The form that marks stories as read or saved for the owner; each button names an act and stories."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aggregator.store.read.marks.read_marks import OWNER
from aggregator.web.dependencies import ID
from aggregator.web.forms.posted_form import Fields
from aggregator.web.pages.pages import Pages

_READ = {"read": True, "unread": False}
_STARRED = {"save": True, "unsave": False}


def mark_stories(site: Pages, _request: Request, fields: Fields) -> Response:
    """Mark stories, and lead back to their place on the page. Raises UsageError for too many saved ones."""
    marks = site.read_marks
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
