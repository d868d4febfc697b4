"""What a validator of feeds says about RSS 2.0, Atom 1.0 and JSON Feed 1.1, as far as it can concern ours.

The schemas of tests/data/feeds have the rules of the specifications. Here are the rules that a schema cannot
have, and what validators warn of beyond them: HTML in titles, items that cannot be told apart, times ahead of
the clock, characters that were damaged.
"""

import json
import re
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from html.entities import name2codepoint

import yaml
from jsonschema_rs import Draft202012Validator
from lxml import etree

from aggregator.web.feeds.channel import Format
from tests.conftest import REPOSITORY

ATOM = "{http://www.w3.org/2005/Atom}"
FOLDER = REPOSITORY / "tests" / "data" / "feeds"
_GRAMMARS = {
    name: etree.RelaxNG(file=str(FOLDER / f"{name}.rng"))
    for name in ("rss", "atom", "item_html")
}
_JSON_FEED = Draft202012Validator(
    yaml.safe_load((FOLDER / "jsonfeed.yaml").read_text(encoding="utf-8"))
)
_BAD_CHARACTERS = re.compile("[\x80-\x9f\ufffd]")
_EARLIEST = datetime.fromisoformat("1990-01-01T00:00Z")


def feed_faults(form: Format, feed: bytes, address: str, now: datetime) -> list[str]:
    """Return complaints, errors and warnings alike, about a feed that was read at `address`."""
    if form == "jsonfeed":
        whole = json.loads(feed)
        if broken := [error.message for error in _JSON_FEED.iter_errors(whole)]:
            return broken
        items = whole["items"]
        text = json.dumps(whole, ensure_ascii=False)
        own = [whole["feed_url"]]
        titles = [whole["title"], *(item["title"] for item in items)]
        bodies = [item["content_html"] for item in items]
        ids = [item["id"] for item in items]
        updated = [item["date_modified"] for item in items]
        times = [*updated, *(item.get("date_published", updated[0]) for item in items)]
    else:
        root = etree.fromstring(feed)
        if not _GRAMMARS[form].validate(root):
            return [str(_GRAMMARS[form].error_log)]

        def texts(path: str) -> list[str]:
            found = root.xpath(path, namespaces={"a": ATOM[1:-1]})
            return [element.text or "" for element in found]

        text = etree.tostring(root, encoding="unicode")
        own = root.xpath("//*[@rel = 'self']/@href")
        titles = texts("//title | //a:title | //channel/description")
        titles += texts("//a:subtitle | //a:summary")
        bodies = texts("//item/description | //a:content")
        ids = texts("//guid | //a:entry/a:id")
        updated = texts("//item/a:updated | //a:entry/a:updated")
        times = texts("//pubDate | //lastBuildDate | //a:updated | //a:published")
    faults = [f"it says that it is at {own}"] if own != [address] else []
    faults += ["damaged characters"] if _BAD_CHARACTERS.search(text) else []
    for values in (ids, updated):
        if len(set(values)) < len(values):
            faults.append(f"two items have the same of {values}")
    faults += [f"{title!r} seems to be HTML" for title in titles if _is_html(title)]
    faults += [f"{time} cannot be right" for time in times if not _is_likely(time, now)]
    return faults + [fault for body in bodies for fault in _body_faults(body)]


def _is_html(text: str) -> bool:
    """Whether somebody may take a plain text for HTML: it has a tag or an entity."""
    entities = re.findall(r"&(#?\w+)", text)
    return re.search(r"<[/a-zA-Z!?]", text) is not None or any(
        word in name2codepoint or word == "apos" or not word.isalpha()
        for word in entities
    )


def _is_likely(text: str, now: datetime) -> bool:
    """Whether a time is neither ahead of the clock nor long ago, nor on another day of the week."""
    if text.endswith("GMT"):
        time = parsedate_to_datetime(text)
        if format_datetime(time, usegmt=True) != text:
            return False
    else:
        time = datetime.fromisoformat(text)
    return _EARLIEST <= time <= now + timedelta(minutes=10)


def _body_faults(body: str) -> list[str]:
    """Return what is wrong with the HTML of an item, which is well formed even for XML."""
    try:
        fragment = etree.fromstring(f"<div>{body}</div>")
    except etree.XMLSyntaxError as error:
        return [f"an item's HTML is broken: {error}"]
    grammar = _GRAMMARS["item_html"]
    return [] if grammar.validate(fragment) else [str(grammar.error_log)]
