"""The items read from a file: entries, feeds and problems, and the options of reading it."""

from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec import field

from aggregator.model.entry import Entry
from aggregator.model.prepared import Verdict
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse import mail
from aggregator.sources.parse.records.record_entry import (
    KeysRead,
)
from aggregator.sources.parse.records.record_keys import Chosen
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.source_limits import SourceTuning

# The beginning of a file shows its format
SNIFFED_BYTES = 65_536


class InputEntry(FrozenStruct, tag="entry"):
    """An article. `where` is for messages: the file, and the line or URL in it.

    `archived_at` is when a web archive fetched the article. This time is used only for sorting, not as its date.
    """

    entry: Entry
    where: str
    file: str = ""
    archived_at: datetime | None = None
    # The keys of other programs in a record, for notes to the user
    keys: KeysRead = KeysRead()


class InputFeed(FrozenStruct, tag="feed"):
    """A whole feed that a worker must parse (`read_feed.read_feed`), with the identity of its source."""

    data: bytes
    source: str
    where: str
    file: str = ""


class InputProblem(FrozenStruct, tag="problem"):
    """Input that cannot be read, with a message for the user, and a `verdict` if one applies."""

    where: str
    reason: str
    verdict: Verdict | None = None
    file: str = ""


InputItem = InputEntry | InputFeed | InputProblem
InputItems = Iterator[InputItem]


class FileIdentity(FrozenStruct):
    """The identity of a file, for messages (`where`) and for the keys of its entries (the other fields)."""

    where: str
    source: str
    guid: str | None
    name: str
    outlet: str | None = None


class ReadOptions(FrozenStruct):
    """The options of every reader of files. `seen` limits declared times, if known.

    `parse_mail` parses a message, or has a worker parse it. `chosen` has the keys of records that `--map` names, by
    field. `path` is the file on this machine that is read, for readers that read it twice; None for other input.
    """

    tuning: SourceTuning
    progress: Progress = field(default_factory=Progress)
    seen: datetime | None = None
    parse_mail: Callable[..., Entry] = mail.entry_of_mail
    chosen: Chosen = field(default_factory=dict)
    path: str | None = None


def whole_file_problem(place: FileIdentity, reason: str) -> InputProblem:
    return InputProblem(where=place.where, reason=reason, file=place.where)


def empty_input(where: str) -> InputProblem:
    return InputProblem(where=where, reason="there is nothing in it", verdict="empty")


def too_long_input(where: str, limit_bytes: int, advice: str = "") -> InputProblem:
    return InputProblem(
        where=where,
        reason=f"longer than {limit_bytes / 2**20:.0f} MiB{advice}",
        verdict="too_long",
    )
