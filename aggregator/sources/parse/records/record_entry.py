"""Turns records of articles into entries: JSON objects and rows of tables, of this program or of common tools.

A field, such as `text`, is part of an entry. Each tool has its own key for a field, such as `body`, or the user names
the key: `--map text=body`. Nothing is lost silently. Notes tell the user which keys were read as which fields and
which were not read, and a record is refused if its text seems to be under an unknown key.
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

# The keys of records that this program writes, or that are labelled for its evaluation
_OWN_KEYS = word_set(
    "id url outlet source title text html published author language lang cluster saga copy_of kind sure"
)
# Two of these keys differ in name from their field; notes do not mention them.
_OTHER_OWN_NAMES = (("source", "outlet"), ("lang", "language"))
# A longer text under an unknown key is neither a list of keywords nor a credit (chosen)
_LONG_TEXT_CHARS = 200
# About this many different keys are counted, because records may have random keys
_KEYS_COUNTED = 1000
# A message names at most this many keys or examples
_KEYS_NAMED = 20
_KEY_CHARS_SHOWN = 100
_PAGE = re.compile(r"<(?:html|head|body)\b", re.IGNORECASE)
# A value that is data and not a text: an address, or ASCII without spaces
_DATA = re.compile(r"https?://\S*$|[!-~]*$", re.IGNORECASE)


class KeysRead(FrozenStruct):
    """The keys in a record that were read, not read, or whose values were lost, without this program's own keys."""

    # The keys that were read, each with its field
    read: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()
    # The keys that `--map` names, if the record has them
    mapped: tuple[str, ...] = ()
    # Values that were not kept, in the words of messages: ("`day`", "date", "not understood", "`soon`")
    losses: tuple[tuple[str, str, str, str], ...] = ()
    # Whether the record is from a feed reader's export and says that it has no star
    is_unstarred: bool = False


def entry_of_record(
    record: Record, *, file_name: str, seen: datetime | None = None
) -> Entry:
    """Return the entry of a decoded record. Raise ReadError if the record is empty or its id is too long."""
    return _build_entry(record, fields_of(record, {}), file_name=file_name, seen=seen)


def read_record(
    record: Record,
    *,
    chosen: Chosen,
    file_name: str,
    seen: datetime | None = None,
    is_row: bool = False,
) -> tuple[Entry, KeysRead]:
    """Return the entry of a record, or of a row of a table, and the keys of the record.

    `chosen` has the keys that `--map` names, by field. Raise ReadError if the record is empty, if its id is too long,
    or if it has no text except a long text under an unread key.
    """
    fields = fields_of(record, chosen)
    entry = _build_entry(record, fields, file_name=file_name, seen=seen, is_row=is_row)
    text_key = fields.keys.get("text") or fields.keys.get("html", "")
    has_text = text_key and plain_name(text_key) not in RECORD_KEYS.content.summaries
    if chosen.get("text") != "" and not has_text:
        # A summary is shorter than the text of the article, so a longer value may be the text.
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
        losses=tuple(_find_losses(entry, fields, chosen)),
        is_unstarred=_is_unstarred(record),
    )


def _build_entry(
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
        outlet = None  # a host says no more than `url`, whose site becomes the outlet
    # Other programs number their records, so two of their files may have the same id for different articles.
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


def _longest_text(value: object, depth: int = 0) -> int:
    """Return the length of the longest text in a value; data is not text."""
    if isinstance(value, str):
        return 0 if _DATA.match(value) else len(value)
    inner: Iterable[object] = ()
    if depth < MOST_DEPTH and isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
    return max((_longest_text(part, depth + 1) for part in inner), default=0)


# The fields whose values may be lost: the noun, and the verb of a message
_LOSSES: tuple[tuple[Field, str, str], ...] = (
    ("id", "id", "not kept"),
    ("published", "date", "not understood"),
)


def _find_losses(
    entry: Entry, fields: RecordFields, chosen: Chosen
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the ids and dates of a record that were not kept, in the form of `KeysRead.losses`."""
    for field, noun, outcome in _LOSSES:
        lost: Record = {}
        if field not in fields.keys:
            known_names = RECORD_KEYS.content.keys[field]
            for key, value in fields.unread.items():
                name = plain_name(key.rpartition(".")[2])
                if name in known_names or key == chosen.get(field):
                    lost[key] = value
        elif field == "published" and entry.published is None:
            lost[fields.keys[field]] = fields.values[field]  # its date is in the future
        for key, value in lost.items():
            # pandas writes NaN for a missing date.
            if field == "id" or str(value).strip() not in ("", "nan"):
                yield show_key(key), noun, outcome, show_key(str(value))


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


class RecordNotes:
    """Counts the keys and losses of records, and describes them in notes for the user."""

    def __init__(self, chosen: Chosen) -> None:
        """`chosen` has the keys that `--map` names, by field."""
        # The keys that no record has had so far
        self._absent = dict.fromkeys(filter(None, chosen.values()))
        self._read: Counter[str] = Counter()
        self._unread: Counter[str] = Counter()
        # The losses by key, noun and outcome, and examples of the values
        self._losses: Counter[tuple[str, ...]] = Counter()
        self._examples: dict[tuple[str, ...], list[str]] = {}

    def add(self, keys: KeysRead) -> None:
        """Count the keys and losses of a record."""
        for key in keys.mapped:
            self._absent.pop(key, None)
        if len(self._read) + len(self._unread) < _KEYS_COUNTED:
            self._read.update(f"{show_key(key)} as {field}" for key, field in keys.read)
            self._unread.update(map(show_key, keys.unread))
        for *loss_parts, value in keys.losses:
            loss = tuple(loss_parts)
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
        for loss, count in self._losses.items():
            key, noun, outcome = loss
            examples = ", ".join(self._examples[loss])
            notes.append(f"{key}: {pluralise(count, noun)} {outcome}, e.g. {examples}")
        return notes


def show_key(key: str) -> str:
    """Return a key or a value in the form that messages show."""
    return f"`{unicode.clean(key)[:_KEY_CHARS_SHOWN]}`"


def list_words(words: Iterable[str]) -> str:
    """Return the first words as a list for messages, and the number of the others: "title, text and 12 more"."""
    all_words = list(words)
    first = ", ".join(all_words[:_KEYS_NAMED])
    more = len(all_words) - _KEYS_NAMED
    return f"{first} and {more:,} more" if more > 0 else first


def parse_mapping(words: Iterable[str]) -> dict[Field, str]:
    """Return the key of each field in the values of `--map`: `title=headline,text=body`.

    The sides may be exchanged: `headline=title`. "text=" states that records have no text. Raise UsageError if
    neither side is a field.
    """
    fields: dict[str, Field] = {field: field for field in get_args(Field)}
    chosen = {}
    for pair in ",".join(words).split(",") if words else ():
        field, _, key = (part.strip() for part in pair.partition("="))
        if field not in fields:
            field, key = key, field
        if field not in fields or not (key or pair.strip() == "text="):
            raise UsageError(
                f"--map {pair}: write FIELD=KEY, where FIELD is one of {', '.join(fields)}"
            )
        chosen[fields[field]] = key
    return chosen
