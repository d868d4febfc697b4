"""Reads the arguments of `aggregator ingest`: files, folders, archives, addresses, and "-" for standard input.

Each argument yields entries, which are articles as their source delivers them, and problems, which tell the user
what could not be read.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.language.charsets import decode
from aggregator.extract.urls import registrable_domain
from aggregator.intake.jobs import feed_job, parse_feed, parse_mail
from aggregator.intake.kinds.folder_kind import (
    CHARS_A_TRANSACTION,
    ENTRIES_A_TRANSACTION,
    unpack_feeds,
)
from aggregator.intake.polling.page_fetch import PageFetcher
from aggregator.intake.workers.executor import Executor
from aggregator.model.clock import Clock
from aggregator.model.entry import Entry
from aggregator.model.errors import AggregatorError, FetchError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputProblem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import open_source
from aggregator.sources.parse.files.sort_by_time import sort_by_time
from aggregator.sources.parse.records.record_keys import Chosen
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.parse.streams.remote_files import (
    is_address,
    is_remote,
    show_address,
)
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database
from aggregator.store.intake.folder_names import name_folder, with_folder_name
from aggregator.store.intake.source_rows import source_at, source_id

log = logging.getLogger(__name__)

ReadItem = InputEntry | InputProblem

MISSING = "there is no such file or folder"


class IngestServices(NamedTuple):
    """The services that reading needs. `fetcher` opens the HTTP client at its first call, because files need none."""

    database: Database
    executor: Executor
    all_tuning: Tuning
    now: Clock
    fetcher: Callable[[], PageFetcher]


class InputReader:
    """Reads the arguments of one run of the command."""

    def __init__(self, services: IngestServices, *, chosen: Chosen) -> None:
        """`chosen` has the keys of records that `--map` names, by field ("title": "headline")."""
        self._services = services
        self._tuning = source_tuning(services.all_tuning)
        self._chosen = chosen
        # The folder of each file that was read (None: not a file of this machine)
        self._folder_of_file: dict[str, Path | None] = {}
        # The names under which these folders are stored as sources
        self._folder_names: dict[Path, str] = {}

    def chunks(
        self, arguments: Sequence[str], progress: Progress, *, as_one: bool
    ) -> Iterator[list[ReadItem]]:
        """Yield the items of `arguments` in chunks, each for one transaction.

        The items of each file are sorted by time; with `as_one`, the items of all files together.
        """
        chunk: list[ReadItem] = []
        chars = 0
        for item in self._read_items(arguments, progress, as_one=as_one):
            chunk.append(item)
            if isinstance(item, InputEntry):
                chars += len(item.entry.html or "") + len(item.entry.text or "")
            if len(chunk) == ENTRIES_A_TRANSACTION or chars >= CHARS_A_TRANSACTION:
                yield chunk
                chunk = []
                chars = 0
        if chunk:
            yield chunk

    def _read_items(
        self, arguments: Sequence[str], progress: Progress, *, as_one: bool
    ) -> Iterator[ReadItem]:
        files = []
        for argument in arguments:
            # An archive at an address ("s3://...", "....jsonl.gz") is read like a file.
            if is_address(argument) and not is_remote(argument):
                yield from self._fetch_items(argument)
            else:
                files.append(argument)
        items: Iterator[ReadItem] = chain.from_iterable(
            self._read_file(argument, progress) for argument in files
        )
        # If standard input is the only argument, it may be a pipe that never ends, so it is not sorted.
        if as_one or files != ["-"]:
            items = sort_by_time(items, progress, as_one_file=as_one)
        for item in items:
            folder = self._folder_of_file.get(_sortable_name(item.file))
            if isinstance(item, InputEntry) and folder is not None:
                yield replace(item, entry=self._with_folder(item.entry, folder))
            else:
                yield item

    def _with_folder(self, entry: Entry, folder: Path) -> Entry:
        """Return an entry with the stored name of its folder as its source.

        The name stays when the folder is moved, so that its files are still known.
        """
        if folder not in self._folder_names:
            self._folder_names[folder] = self._services.database.transact(
                partial(name_folder, path=folder, is_there=os.path.isdir)
            )
        return with_folder_name(entry, folder, self._folder_names[folder])

    def _read_file(self, argument: str, progress: Progress) -> Iterator[ReadItem]:
        """Yield the items of a file or folder, and note the folder of each file."""
        if not exists(argument):
            yield InputProblem(where=argument, reason=MISSING, file=argument)
            return
        services = self._services
        try:
            inputs = open_source(
                argument,
                ReadOptions(
                    tuning=self._tuning,
                    progress=progress,
                    seen=services.now(),
                    parse_mail=partial(parse_mail, services.executor),
                    chosen=self._chosen,
                ),
            )
        except AggregatorError as error:
            # The folder cannot be listed, or the file was deleted meanwhile.
            where = show_address(argument) if is_remote(argument) else argument
            yield InputProblem(where=where, reason=str(error), file=where)
            return
        folder = None
        if argument != "-" and not is_address(argument):
            path = Path(os.path.abspath(argument))  # noqa: PTH100 - Path.resolve follows links
            folder = path if path.is_dir() else path.parent
        for item in inputs:
            self._folder_of_file[_sortable_name(item.file)] = folder
            yield from unpack_feeds(
                [item], services.now(), services.executor, services.all_tuning
            )

    def _fetch_items(self, url: str) -> Iterator[ReadItem]:
        """Fetch an address; yield the entries of a feed, the last first, or the article of a page.

        If the feed is already a source, its entries get this source, so that the next poll knows them.
        """
        services = self._services
        with services.database.read() as connection:
            source = source_at(connection, url)
        try:
            fetched = services.fetcher().services.client.fetch(url)
            job = feed_job(
                fetched,
                services.all_tuning,
                source=source.id if source else source_id("feed", None, url),
                seen=services.now(),
                outlet=source.outlet if source else None,
                name=source.name if source else None,
                zone=source.timezone if source else None,
            )
            parsed = parse_feed(services.executor, job)
        except FetchError as error:
            yield InputProblem(where=url, file=url, reason=str(error))
            return
        entries = parsed.entries[::-1]
        if not entries and "html" in fetched.content_type:
            page = Entry(
                source=registrable_domain(url) or url,
                url=url,
                html=decode(fetched.body, fetched.charset),
                is_page=True,
                authority="page",
                robots=fetched.robots,
            )
            entries = (page,)
        for entry in entries:
            yield InputEntry(entry=entry, where=url, file=url)
        if not entries:
            reason = parsed.problem or "neither a feed nor the page of an article"
            yield InputProblem(where=url, file=url, reason=reason)


def _sortable_name(file: str) -> str:
    """Return the name of a file as sorting returns it: bytes that are not UTF-8 become question marks."""
    return file.encode("utf-8", "replace").decode()


def exists(argument: str) -> bool:
    """Return whether there is such a file or folder. Standard input and addresses are assumed to exist."""
    if argument == "-" or is_address(argument):
        return True
    return os.path.exists(argument)  # noqa: PTH110 - Path.exists raises for impossible names


def size(argument: str) -> int:
    """Return the size of a file in bytes; 0 for folders and addresses, whose size is not known before they are read."""
    try:
        return os.path.getsize(argument) if os.path.isfile(argument) else 0  # noqa: PTH113, PTH202 - as in `exists`
    except OSError:
        return 0
