"""Encode feeds in their formats.

To add a format, add its names to `Format`, `ENDINGS` and `MEDIA_TYPES` (channel.py), and a template to `web/templates`
or a function to `encode_feed`.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
from jinja2 import Template

from aggregator.publish.sanitise import encode_json
from aggregator.web.feeds.channel import MEDIA_TYPES, Channel, Format
from aggregator.web.feeds.feed_texts import (
    feed_text,
    feed_url,
    mime_type,
    rfc822,
    rfc3339,
)
from aggregator.web.jinja import environment

# `updated` of an empty feed, which must not change
_NEVER = datetime(2026, 1, 1, tzinfo=UTC)


def encode_feed(whole: Channel, form: Format) -> bytes:
    """Encode a feed as UTF-8 bytes.

    RSS 2.0 (https://www.rssboard.org/rss-specification) is extended by two vocabularies: Atom's `updated` has fractions
    of a second, which dates of RFC 822 lack, and Media RSS has the other media, because an item may have only one
    enclosure. Atom 1.0 is RFC 4287.
    """
    if form == "jsonfeed":
        return jsonfeed(whole)
    feed = template(f"{form}.xml")
    return feed.render(feed=whole, media_type=MEDIA_TYPES[form], never=_NEVER).encode()


@cache
def template(name: str) -> Template:
    """Return a template with the filters for feeds; unlike pages, it does not apply `visible` to texts."""
    templates = environment().overlay(finalize=None)
    templates.filters.update(mime_type=mime_type, rfc3339=rfc3339, rfc822=rfc822)
    templates.filters.update(feed_text=feed_text, feed_url=feed_url)
    return templates.get_template(name)


def jsonfeed(channel: Channel) -> bytes:
    """Encode a feed as JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""
    items = []
    for item in channel.items:
        pictures = [medium.url for medium in item.media if medium.is_image]
        attachments = [
            _present(
                url=medium.url,
                mime_type=medium.type,
                title=medium.title,
                size_in_bytes=medium.length_bytes,
            )
            for medium in item.media
            if mime_type(medium.type)
        ]
        items.append(
            _present(
                id=item.id,
                url=item.url,
                external_url=item.external_url,
                title=item.title,
                content_html=item.html,
                summary=item.summary,
                image=pictures[0] if pictures else None,
                date_published=rfc3339(item.published) if item.published else None,
                date_modified=rfc3339(item.updated),
                authors=[{"name": name} for name in item.authors],
                language=item.language,
                attachments=attachments,
                # An extension of JSON Feed must be an object.
                _storyline={"id": item.storyline} if item.storyline else None,
            )
        )
    whole = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": channel.title,
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "description": channel.about,
        "language": channel.language,
        "items": items,
    }
    return msgspec.json.format(encode_json(whole), indent=1) + b"\n"


def _present(**members: Any) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value}
