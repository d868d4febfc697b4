"""An RSS feed as outlets on loopback have it."""

from datetime import datetime
from email.utils import format_datetime
from html import escape


def item(
    title: str,
    text: str = "",
    *,
    guid: object = None,
    link: str = "",
    published: datetime | None = None,
    more: str = "",
) -> str:
    """An entry of a feed; what is empty is left out. `more` is XML."""
    parts = {
        "guid isPermaLink='false'": "" if guid is None else str(guid),
        "title": title,
        "link": link,
        "description": text,
        "pubDate": format_datetime(published) if published else "",
    }
    elements = (
        f"<{name}>{escape(words)}</{name.split()[0]}>"
        for name, words in parts.items()
        if words
    )
    return f"<item>{''.join(elements)}{more}</item>"


def rss(*items: str, title: str = "Gazette", more: str = "") -> str:
    """A feed of these entries."""
    return f"<rss version='2.0'><channel><title>{title}</title>{more}{''.join(items)}</channel></rss>"
