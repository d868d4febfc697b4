"""Cuts the items of the last poll out of a feed before it is parsed, because most of a changed feed is known.

A feed is cut only if it is well-formed UTF-8 whose items are siblings, and nothing else in it depends on their
number. Then the other items are parsed to the same entries as in the whole feed. Cutting takes linear time: expat
reads the bytes once, and calls only the two functions here.
"""

import hashlib
import re
from typing import NamedTuple
from xml.parsers import expat

import msgspec

from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.text.lines import word_list

# Two different items of a feed of 2,000 have the same hash in one of 10^13 feeds
_HASH_BYTES = 8
_NAMES = frozenset({"item", "entry"})
# These parts change while the items stay: times, the requested interval, the list of items in RSS 1.0, and comments
# without markup ("generated in 0.31 s"). Comments with markup count, because the repair of a feed may read the markup.
CHANGING = re.compile(
    rb"<((?:\w+:)?(?:lastBuildDate|pubDate|updated|modified|date|updateBase|ttl))>[^<]{0,100}</\1\s*>"
    rb"|<rdf:li\b[^<>]{0,2000}>"
    rb"|<!--[^<>]{0,10000}-->"
)
# Some Atom feeds begin like a page. A feed whose DOCTYPE has entities of its own is not cut.
_DOCTYPE = re.compile(rb"(?:<\?xml [^<>]{0,400}\?>)?\s*<!DOCTYPE[^<>\[\]]{0,400}>")
_SETTINGS = word_list("source url content_type outlet name zone tuning")


Span = tuple[int, int]  # where an item begins and ends, in bytes


class UnknownItems(NamedTuple):
    """A feed without its known items. `items` has the hashes of the other items, in their order.

    `left_out` has the hashes of the known items, and `frame` the hash of the bytes around all items.
    """

    data: bytes
    items: tuple[bytes, ...]
    left_out: tuple[bytes, ...]
    frame: bytes


def cut_feed(data: bytes, context: FeedContext) -> UnknownItems | None:
    """Return the feed without the items in `context.known_items`, or with all items if its frame has changed.

    Return None if the feed cannot be cut.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    spans = _item_spans(data)
    if not 0 < len(spans) <= context.tuning.max_entries:
        return None
    between = _without(data, spans)
    settings = [getattr(context, name) for name in _SETTINGS]
    frame = _hash(
        b"".join(CHANGING.sub(b"", between).split()) + msgspec.msgpack.encode(settings)
    )
    known = context.known_items if frame == context.frame else frozenset()
    items = []
    left_out = []
    known_spans = []
    for start, end in spans:
        item_hash = _hash(data[start:end])
        if item_hash in known:
            left_out.append(item_hash)
            known_spans.append((start, end))
        else:
            items.append(item_hash)
    return UnknownItems(
        _without(data, known_spans), tuple(items), tuple(left_out), frame
    )


def _item_spans(data: bytes) -> list[Span]:
    """Return where the items begin and end; [] for a feed that cannot be cut.

    A DOCTYPE or declaration must be at the very beginning: the repair of a feed would also find one further on, perhaps
    within an item.
    """
    is_declared = data.startswith(b"<?xml ") or b"<?xml" not in data
    small = data.lower()
    is_plain = b"<!doctype" not in small or (
        _DOCTYPE.match(data) is not None and b"<!entity" not in small
    )
    if not (is_declared and is_plain):
        return []
    parser = expat.ParserCreate("utf-8", " ")
    opened = 0  # the number of elements so far
    path = [0]  # the numbers of the elements that are open
    # The parents of items, with the names of these items: more than one means that not all items are siblings
    parents = set()
    begin = 0
    spans = []

    def start(name: str, _: object) -> None:
        nonlocal opened, begin
        if name.rpartition(" ")[2] in _NAMES:
            parents.add((path[-1], name))
            begin = parser.CurrentByteIndex
        opened += 1
        path.append(opened)

    def end(name: str) -> None:
        path.pop()
        if name.rpartition(" ")[2] in _NAMES:
            closing = parser.CurrentByteIndex
            spans.append((begin, data.index(b">", closing) + 1))
            if closing == begin:
                # The end of an empty element is not known: `<item a=">"/>` would end too early.
                parents.add((0, ""))

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        return []
    return spans if len(parents) == 1 else []


def _without(data: bytes, spans: list[Span]) -> bytes:
    """Return the bytes outside of the spans."""
    kept = []
    position = 0
    for start, end in spans:
        kept.append(data[position:start])
        position = end
    kept.append(data[position:])
    return b"".join(kept)


def _hash(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_HASH_BYTES).digest()
