"""Records of articles as entries: the program's own, and those that the usual tools write.

Nothing is lost in silence. Readers of files report the keys that were read, with their fields, and the keys that
were not, and refuse a record whose text seems to be under an unknown key.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import get_args

from aggregator.config.messages import pluralise
from aggregator.extract.language import unicode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.sites import is_address
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError, UsageError
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.records.record_keys import (
    CONTENT,
    MOST_DEPTH,
    RECORD_KEYS,
    Chosen,
    Field,
    Record,
    RecordFields,
    fields_of,
    plain_name,
    value_at,
)
from aggregator.sources.source_limits import KEY_CHARS
from aggregator.text.lines import word_set

_OWN_KEYS = word_set(
    "id url outlet source title text html published author language lang cluster saga copy_of kind sure"
)
_OTHER_OWN_NAMES = (("source", "outlet"), ("lang", "language"))
# A longer text under an unknown key is neither a list of keywords nor a credit (chosen)
_LONG_TEXT_CHARS = 200
# Only this many different keys are counted, since records may have random keys
_KEYS_COUNTED = 1000
# A message names at most this many keys or examples
_KEYS_NAMED = 20
_KEY_CHARS_SHOWN = 100
_PAGE = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
# An address, or ASCII without spaces
_DATA = re.compile(r"https?://\S*$|[!-~]*$", re.IGNORECASE)


class KeysRead(FrozenStruct):
    """The keys of other programs in a record: those that were read (key, field), and the others.

    `mapped` are the keys named by `--map` that the record has.
    `losses` are the ids and dates that cannot be read: their key, what they are, what happened to them, and the value.
    """

    read: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
    mapped: tuple[str, ...] = ()
    losses: tuple[tuple[str, str, str, str], ...] = ()
    # A feed reader exported the record, and says that it has no star
    is_unstarred: bool = False


class RecordNotes:
    """Counts the records by their keys of other programs, and the values that are not kept."""

    def __init__(self, chosen: Chosen) -> None:
        """`chosen` has the keys that `--map` names, by field."""
        self._absent = dict.fromkeys(filter(None, chosen.values()))
        self._read: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()
        self._losses: Counter[tuple[str, ...]] = Counter()
        self._examples: dict[tuple[str, ...], list[str]] = {}

    def add(self, keys: KeysRead) -> None:
        """Count the keys of a record."""
        for key in keys.mapped:
            self._absent.pop(key, None)
        if len(self._read) + len(self._unread) < _KEYS_COUNTED:
            self._read.update(f"{show_key(key)} as {field}" for key, field in keys.read)
            self._unread.update(map(show_key, keys.unread))
        for *kind, value in keys.losses:
            loss = tuple(kind)
            if loss in self._losses or len(self._losses) < _KEYS_NAMED:
                self._losses[loss] += 1
                examples = self._examples.setdefault(loss, [])
                if len(examples) < _KEYS_NAMED and value not in examples:
                    examples.append(value)

    def notes(self) -> list[str]:
        """Return notes on the keys that were read, the keys that were not, and the values that were lost."""
        notes = [
            f"no record that was read has {show_key(key)}, which --map names"
            for key in self._absent
        ]
        if self._read:
            notes.append(f"read {list_words(self._read)}")
        unread = [
            f"{key} ({pluralise(count, 'record')})"
            for key, count in self._unread.most_common()
        ]
        if unread:
            notes.append(f"not read: {list_words(unread)}")
        for (key, noun, what), count in self._losses.items():
            examples = ", ".join(self._examples[key, noun, what])
            notes.append(f"{key}: {pluralise(count, noun)} {what}, e.g. {examples}")
        return notes


def read_record(
    record: Record,
    *,
    chosen: Chosen,
    file_name: str,
    seen: datetime | None = None,
    is_row: bool = False,
) -> tuple[Entry, KeysRead]:
    """Return the entry of a record, or of a row of a table, and which keys were read.

    `chosen` has the keys that `--map` names, by field. Raise ReadError for a record without content, with too
    long an id, or without a text while an unread key has a long text.
    """
    fields = fields_of(record, chosen)
    entry = _entry(record, fields, file_name=file_name, seen=seen, is_row=is_row)
    text_key = fields.keys.get("text") or fields.keys.get("html", "")
    has_text = text_key and plain_name(text_key) not in RECORD_KEYS.content.summaries
    if chosen.get("text") != "" and not has_text:
        summary = fields.values.get("text") or fields.values.get("html", "")
        for key, value in fields.unread.items():
            chars = _longest_text(value)
            if chars > max(_LONG_TEXT_CHARS, len(summary)):
                raise ReadError(
                    f"the record has no text, but {show_key(key)} has {chars:,} characters that were not read; "
                    f"if they are its text, add --map text={key}, else --map text= for titles alone"
                )
    return entry, KeysRead(
        read=tuple(
            (key, field)
            for field, key in fields.keys.items()
            if plain_name(key) != field and (key, field) not in _OTHER_OWN_NAMES
        ),
        unread=tuple(key for key in fields.unread if key not in _OWN_KEYS),
        mapped=tuple(
            key for key in chosen.values() if value_at(record, key) is not None
        ),
        losses=tuple(_losses(entry, fields, chosen)),
        is_unstarred=_is_unstarred(record),
    )


def entry_of_record(
    record: Record, *, file_name: str, seen: datetime | None = None
) -> Entry:
    """Return the entry of a decoded record. Raise ReadError if it has no content, or too long an id."""
    return _entry(record, fields_of(record, {}), file_name=file_name, seen=seen)


def _entry(
    record: Record,
    fields: RecordFields,
    *,
    file_name: str,
    seen: datetime | None,
    is_row: bool = False,
) -> Entry:
    values = fields.values
    keys = fields.keys
    if not fields.has_content:
        reason = "the record is empty: it needs at least a title, a text, html or a url"
        if record:
            reason += f"; its keys are {list_words(map(show_key, record))}"
        raise ReadError(reason)
    record_id, url, outlet, html = (
        values.get(field) for field in ("id", "url", "outlet", "html")
    )
    if record_id is not None and len(record_id) > KEY_CHARS:
        raise ReadError(f"the id of the record is longer than {KEY_CHARS:,} characters")
    if outlet and url and keys["outlet"] not in _OWN_KEYS and is_address(outlet):
        outlet = None  # the site of the address is the outlet
    # Other programs count their records, so two of their files may have the same id for two articles.
    is_own = _OWN_KEYS.issuperset(keys.get(field, field) for field in ("id", *CONTENT))
    return Entry(
        source=outlet or file_name,
        guid=record_id if is_own and not is_row else None,
        record_id=record_id,
        url=url,
        title=values.get("title", ""),
        html=html,
        text=values.get("text"),
        is_page=html is not None and _PAGE.search(html, 0, 8192) is not None,
        published=parse_declared(values.get("published", ""), None, seen),
        outlet=outlet,
        author=values.get("author"),
        language=values.get("language"),
    )


def _is_unstarred(record: Record) -> bool:
    """Return whether a record of Miniflux, or of a reader with Google's format, says that it has no star.

    Miniflux writes `starred`; the others list the states of an item among its `categories`.
    """
    categories = record.get("categories")
    states = [
        category.rpartition("/")[2]
        for category in (categories if isinstance(categories, list) else ())
        if isinstance(category, str) and "/state/" in category
    ]
    return record.get("starred") is False or (bool(states) and "starred" not in states)


def _losses(
    entry: Entry, fields: RecordFields, chosen: Chosen
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the ids and dates of a record that cannot be read."""
    for field, noun, what in _LOSSES:
        lost: Record = {}
        if field not in fields.keys:
            names = RECORD_KEYS.content.keys[field]
            for key, value in fields.unread.items():
                is_named = plain_name(key.rpartition(".")[2]) in names
                if is_named or key == chosen.get(field):
                    lost[key] = value
        elif field == "published" and entry.published is None:
            lost[fields.keys[field]] = fields.values[field]  # a date in the future
        for key, value in lost.items():
            # A missing date is blank, or NaN in what pandas writes
            if field == "id" or str(value).strip() not in ("", "nan"):
                yield show_key(key), noun, what, show_key(str(value))


_LOSSES: tuple[tuple[Field, str, str], ...] = (
    ("id", "id", "not kept"),
    ("published", "date", "not understood"),
)


def _longest_text(value: object, depth: int = 0) -> int:
    """Return the length of the longest text in a value; data is not text."""
    if isinstance(value, str):
        return 0 if _DATA.match(value) else len(value)
    inner: Iterable[object] = ()
    if depth < MOST_DEPTH and isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
    return max((_longest_text(part, depth + 1) for part in inner), default=0)


def show_key(key: str) -> str:
    """Return a key or an id as messages name it."""
    return f"`{unicode.clean(key)[:_KEY_CHARS_SHOWN]}`"


def list_words(words: Iterable[str]) -> str:
    """Return the first words as a list for messages, and the number of the others."""
    named = list(words)
    first = ", ".join(named[:_KEYS_NAMED])
    more = len(named) - _KEYS_NAMED
    return f"{first} and {more:,} more" if more > 0 else first


def mapping_of(words: Iterable[str]) -> dict[Field, str]:
    """Return the key of each field that `--map title=headline,text=body` names; `headline=title` is the same.

    Raise UsageError if neither side is a field.
    """
    fields: dict[str, Field] = {field: field for field in get_args(Field)}
    chosen = {}
    for pair in ",".join(words).split(",") if words else ():
        left, _, right = (part.strip() for part in pair.partition("="))
        if left not in fields:
            left, right = right, left
        if left not in fields or not (right or pair.strip() == "text="):
            raise UsageError(
                f"--map {pair}: write FIELD=KEY, where FIELD is one of {', '.join(fields)}"
            )
        chosen[fields[left]] = right
    return chosen
