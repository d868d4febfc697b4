"""The headline of a page: for sharing, from JSON-LD, or a visible headline."""

from html import unescape
from typing import Any

from aggregator.extract.html.declared import PageHead, visible_text
from aggregator.extract.plain.outlet_names import split_title
from aggregator.text.lines import fold_line, one_line


def find_title(head: PageHead, site: str | None) -> str:
    """Return the headline: the shared, else that of JSON-LD, else the only visible headline.

    On 119 news pages the shared headline was exactly right in .85, JSON-LD in .76, the visible headline in
    .71 and <title> in .59 of the cases. If JSON-LD and the visible headline agree against the shared one,
    they are right as often as the shared headline.
    """
    shared = head.first("og:title", "twitter:title", "dc.title") or ""
    headings = [
        text for h in visible_headlines(head.root) if len(text := visible_text(h)) >= 10
    ]
    data = one_line(unescape(head.text("headline")))
    stated = (
        next((text for text in (data, *headings) if _is_framed_by(text, shared)), ""),
        shared,
        data,
        headings[0] if len(headings) == 1 else "",
        next(map(visible_text, head.root.iter("title")), ""),
        *headings,
    )
    named = ((site or "").casefold(), "")
    titles = (
        split_title(title, site)[0] for title in stated if title.casefold() not in named
    )
    return next(titles, "")


def visible_headlines(root: Any) -> list[Any]:
    """Return the first h1 elements; those inside a link belong to other articles."""
    return root.xpath("//h1[not(ancestor::a)]")[:4]  # type: ignore[no-any-return]


def _is_framed_by(text: str, shared: str) -> bool:
    """Return whether `shared` is `text` with a separator and a few words (name of outlet or topic)."""
    inner = fold_line(text)
    outer = fold_line(shared)
    if not inner or len(outer) - len(inner) > _FRAME_CHARS:
        return False
    start = shared.casefold().find(text.casefold())
    if start < 0:
        return False
    before = shared[:start].rstrip()
    after = shared[start + len(text) :].lstrip()
    return (before[-1:] or after[:1]) in _FRAME_MARKS


_FRAME_CHARS = 45
_FRAME_MARKS = frozenset("|-–—•»:：｜")
