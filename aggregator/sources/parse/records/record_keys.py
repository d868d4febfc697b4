"""Finds the fields of an article in a record of any program, by the table of keys `records.yaml`.

For example, the record {"Headline": "Levee breaks", "byline": "By Jane Doe"} has the title "Levee breaks" and the
author "Jane Doe". Keys are compared by their plain names: `pub_date` and `pubDate` are `pubdate`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from aggregator.config.shipped import ShippedTable
from aggregator.extract.language import unicode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.urls import absolute_url
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.feeds.entry_builder import author_name, plain_title
from aggregator.sources.source_limits import NAME_CHARS
from aggregator.text.language import primary_tag

Field = Literal[
    "id",
    "url",
    "outlet",
    "title",
    "text",
    "html",
    "published",
    "author",
    "language",
    "cluster",
]  # only labelled records have `cluster`
Chosen = Mapping[Field, str]  # the keys that `--map` names, by field
Record = dict[str, Any]  # a JSON object
# Deeper objects and lists are not read. The records of fundus have a depth of 4.
MOST_DEPTH = 6
_EMPTY: tuple[object, ...] = (None, "", [], {})
_SIGNS = re.compile(r"[\W_]+")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_MARKUP = re.compile(
    r"</?(?:p|div|br|h[1-6]|ul|ol|li|a|section|article|span|table|blockquote|figure|img|em|strong|b|i)\b"
    r"[^<>]{0,2000}>",
    re.IGNORECASE,
)
# Markup is searched for in this many characters at the beginning of a text.
_MARKUP_CHARS = 20_000
_QUOTED = re.compile(r"""'([^']*)'|"([^"]*)\"""")
_BY = re.compile(r"by:?\s+(?=\S)", re.IGNORECASE)


CONTENT: tuple[Field, ...] = ("title", "text", "html")


class KeyTable(FrozenStruct):
    """The table `records.yaml`, which describes itself."""

    keys: dict[Field, tuple[str, ...]]
    summaries: frozenset[str]
    inside: dict[str, tuple[str, ...]]
    sections: frozenset[str]
    lists: frozenset[str]


RECORD_KEYS = ShippedTable("aggregator.sources.parse.records", "records.yaml", KeyTable)


class RecordFields(FrozenStruct):
    """The fields of a record."""

    values: dict[Field, str]
    # The key of the record that each value was read from
    keys: dict[Field, str]
    # The other keys, with their values, unless these are empty
    unread: Record

    @property
    def has_content(self) -> bool:
        """Whether the record has an address, or a letter or digit in its title or text."""
        words = "".join(self.values.get(key, "") for key in CONTENT)
        return "url" in self.values or any(map(str.isalnum, words))


def plain_name(key: str) -> str:
    """Return the name of a key in lower case and without signs."""
    return _SIGNS.sub("", key).lower()


def fields_of(record: Record, chosen: Chosen) -> RecordFields:
    """Return the fields of a record. The value of a field comes from the first of its keys that can be read.

    The key, or the path with dots, that `chosen` has for the field is tried before the keys of the table.
    """
    named = _index_by_name(record)
    values = {}
    keys = {}
    for field, names in RECORD_KEYS.content.keys.items():
        candidates = [named[name] for name in names if name in named]
        if field == "text" and "html" in values:
            # Records of this program may have both; in other records, another text is a summary.
            candidates = [(key, raw) for key, raw in candidates if key == "text"]
        if chosen.get(field):
            candidates.insert(0, (chosen[field], value_at(record, chosen[field])))
        for key, raw in candidates:
            if value := _read_field(raw, field):
                values[field], keys[field] = value, key
                break
    if keys.get("text", "text") != "text" and _MARKUP.search(
        values["text"], 0, _MARKUP_CHARS
    ):
        values["html"] = values.pop("text")
    # If a path of `--map` was read, its first part counts as read.
    read = {*keys.values(), *(key.partition(".")[0] for key in keys.values())}
    return RecordFields(
        values=values,
        keys=keys,
        unread={key: raw for key, raw in named.values() if key not in read},
    )


def _index_by_name(record: Record) -> dict[str, tuple[str, Any]]:
    """Return the keys with their values, by plain name, including the keys in sections (objects within the record).

    If two keys have the same plain name, the key that is spelled like the plain name counts, otherwise the first. Keys
    without a value are left out.
    """
    outer = []
    inner = []
    for key in sorted(record, key=lambda key: key != plain_name(key)):
        name = plain_name(key)
        value = record[key]
        # Elasticsearch puts a record into `_source`, which has the same plain name as the key `source`.
        is_section = name in RECORD_KEYS.content.sections or key == "_source"
        if is_section and isinstance(value, dict):
            inner += [
                (plain_name(below), f"{key}.{below}", value[below]) for below in value
            ]
        else:
            outer.append((name, key, value))
    named: dict[str, tuple[str, Any]] = {}
    for name, key, value in outer + inner:
        if value not in _EMPTY:
            named.setdefault(name, (key, value))
    return named


def value_at(record: Record, key: str) -> Any:
    """Return the value of a key, or of a path of keys such as `meta.author`; None without a value."""
    if key in record:
        return record[key]
    value: Any = record
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def texts_in(value: object, field: str, depth: int = 0) -> Iterator[str]:
    """Yield the texts of a value: the value itself if it is a text, else the texts in the list or the object.

    The list `inside` of the table names the keys of an object that have the text of this field. The text of a number
    below 10^30 is its digits, because the number may be an id or a time.
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # Other numbers are not plausible. This is false for NaN, too.
        if -(10**30) < value < 10**30:
            is_whole = value == int(value) and abs(value) < 10**15
            yield str(int(value) if is_whole else value)
    elif isinstance(value, list) and depth < MOST_DEPTH:
        for element in value:
            yield from texts_in(element, field, depth + 1)
    elif isinstance(value, dict) and depth < MOST_DEPTH:
        # The first group with a text counts; in the group "given+family", two keys together have the text.
        named = {plain_name(key): inner for key, inner in reversed(value.items())}
        inside = RECORD_KEYS.content.inside
        for group in inside.get(field, inside["name"]):
            parts = [named[name] for name in group.split("+") if name in named]
            texts = list(texts_in(parts, field, depth))
            if group == "dateparts":
                # CSL writes a date as [[2026, 11, 25]].
                texts = ["-".join(text.zfill(2) for text in texts)]
            elif len(parts) > 1 and field == "author":
                texts = [" ".join(texts)]
            if any(texts):
                yield from texts
                return


def _read_field(raw: object, field: Field) -> str:
    """Return the text of a field in a value: the first text that can be read, or all of these joined; "" without any.

    Several texts are not an id, because another record may have one of them, too.
    """
    texts = list(texts_in(raw, field))
    # pandas writes a list of authors as one text: "['A. Author', 'B. Author']".
    if field == "author" and texts and texts[0].lstrip().startswith("["):
        texts = [single or double for single, double in _QUOTED.findall(texts[0])]
    read = [value for value in map(_READ[field], texts) if value]
    if field == "id" and len(read) > 1:
        return ""
    return _JOINED[field].join(read) if field in _JOINED else "".join(read[:1])


def _author(text: str) -> str | None:
    name = author_name(_BY.sub("", text[:NAME_CHARS].lstrip(), count=1))
    return None if name is None or name.isdigit() else name


def _clean(text: str) -> str:
    return unicode.clean(text).strip()


_READ: dict[Field, Callable[[str], str | None]] = {
    "id": _clean,
    "url": lambda text: absolute_url(text, None),
    "outlet": lambda text: (
        None if _HTTP.match(text.strip()) else plain_title(text)[:NAME_CHARS]
    ),
    "title": plain_title,
    "text": _clean,
    "html": _clean,
    "published": lambda text: text if parse_declared(text, None) else None,
    "author": _author,
    "language": primary_tag,
}
_JOINED: dict[Field, str] = {"text": "\n", "html": "\n", "author": ", "}


def records_in(value: object, chosen: Chosen) -> list[object]:
    """Return the records in the lists of a JSON value; without such a list, return the value itself.

    An object with a text is itself a record. The lists are in the object, or in an object within it. If the object has
    a title or an address, only lists whose names the table has are read. `chosen` is passed to `fields_of`.
    """
    if not isinstance(value, dict) or not any(
        isinstance(inner, dict | list) for inner in value.values()
    ):
        return [value]
    outer = fields_of(value, chosen)
    if not outer.values.keys().isdisjoint(("text", "html")):
        return [value]
    holders = [value]
    if not outer.has_content:
        holders += [inner for inner in value.values() if isinstance(inner, dict)]
    records: list[object] = []
    for holder in holders:
        for key, inner in holder.items():
            if outer.has_content and plain_name(key) not in RECORD_KEYS.content.lists:
                continue
            is_list = isinstance(inner, list) and inner and isinstance(inner[0], dict)
            if is_list and any(
                isinstance(record, dict) and fields_of(record, chosen).has_content
                for record in inner
            ):
                records += inner
    return records or [value]
