"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from typing import Any

import msgspec

from aggregator.model.core import Enclosure
from aggregator.web.feeds.model import Channel, Item
from aggregator.web.feeds.xml import mime_type, rfc3339
from aggregator.web.sanitise import encode_json

MEDIA_TYPE = "application/feed+json"

_VERSION = "https://jsonfeed.org/version/1.1"


def jsonfeed(channel: Channel) -> bytes:
    """Encode a feed as UTF-8 bytes."""
    whole = {
        "version": _VERSION,
        "title": channel.title,
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "description": channel.about,
        "language": channel.language,
        "items": [_item(item) for item in channel.items],
    }
    return msgspec.json.format(encode_json(whole), indent=1) + b"\n"


def _item(item: Item) -> dict[str, Any]:
    pictures = [one.url for one in item.media if one.type.startswith("image")]
    attachments = [_attachment(one) for one in item.media if mime_type(one.type)]
    members: dict[str, Any] = {
        "id": item.id,
        "url": item.url,
        "external_url": item.external_url,
        "title": item.title,
        "content_html": item.html,
        "summary": item.summary or None,
        "image": pictures[0] if pictures else None,
        "date_published": rfc3339(item.published) if item.published else None,
        "date_modified": rfc3339(item.updated),
        "authors": [{"name": name} for name in item.authors],
        "language": item.language,
        "attachments": attachments,
    }
    return {key: value for key, value in members.items() if value not in (None, [])}


def _attachment(one: Enclosure) -> dict[str, Any]:
    members = {
        "url": one.url,
        "mime_type": one.type,
        "title": one.title or None,
        "size_in_bytes": one.length_bytes,
    }
    return {key: value for key, value in members.items() if value is not None}
