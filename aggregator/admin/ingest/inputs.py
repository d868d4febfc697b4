"""What `aggregator ingest` reads: the entries and problems of files, folders, standard input and addresses."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.language.unicode import decode
from aggregator.extract.urls import registrable_domain
from aggregator.intake.jobs import feed_job, parse_feed, parse_mail
from aggregator.intake.kinds.folder_kind import (
    CHARS_A_TRANSACTION,
    ENTRIES_A_TRANSACTION,
    entries_of,
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
from aggregator.sources.parse.files.sort_by_time import in_order_of_time
from aggregator.sources.parse.records.record_keys import Chosen
from aggregator.sources.parse.streams.file_stream import Progress
from aggregator.sources.parse.streams.remote_files import (
    is_address,
    is_remote,
    show_address,
)
from aggregator.sources.source_limits import source_tuning
from aggregator.store.engine.database import Database
from aggregator.store.intake.folder_names import known_as, known_folder
from aggregator.store.intake.source_rows import source_at, source_id

log = logging.getLogger(__name__)

ReadItem = InputEntry | InputProblem

MISSING = "there is no such file or folder"


class IngestServices(NamedTuple):
    """What files are read with. `fetcher` opens the HTTP client at its first call, since files need none."""

    database: Database
    executor: Executor
    all_tuning: Tuning
    now: Clock
    fetcher: Callable[[], PageFetcher]


class InputReader:
    """Reads the arguments of the command. For one run."""

    def __init__(
        self,
        services: IngestServices,
        *,
        chosen: Chosen,
    ) -> None:
        """`chosen`: keys of records that `--map` names, by field."""
        self._services = services
        self._tuning = source_tuning(services.all_tuning)
        self._chosen = chosen
        # The folders that identify files, by the names of the files
        self._folders: dict[str, Path | None] = {}
        self._folder_names: dict[Path, str] = {}

    def chunks(
        self, what: Sequence[str], progress: Progress, *, as_one: bool
    ) -> Iterator[list[ReadItem]]:
        """Yield the items of these arguments in parts, each for one transaction; `as_one`: sorted together."""
        chunk: list[ReadItem] = []
        chars = 0
        for item in self._items(what, progress, as_one=as_one):
            chunk.append(item)
            if isinstance(item, InputEntry):
                chars += len(item.entry.html or "") + len(item.entry.text or "")
            if len(chunk) == ENTRIES_A_TRANSACTION or chars >= CHARS_A_TRANSACTION:
                yield chunk
                chunk = []
                chars = 0
        if chunk:
            yield chunk

    def _items(
        self, what: Sequence[str], progress: Progress, *, as_one: bool
    ) -> Iterator[ReadItem]:
        files = []
        for path in what:
            if is_address(path) and not is_remote(path):
                yield from self._fetch_items(path)
            else:
                files.append(path)
        items: Iterator[ReadItem] = chain.from_iterable(
            self._read(path, progress) for path in files
        )
        # A pipe may never end, so it is not sorted by itself
        if as_one or files != ["-"]:
            items = in_order_of_time(items, progress, as_one_file=as_one)
        # The source of an entry is the stored name of its folder, so files are known again after the folder has moved.
        for item in items:
            folder = self._folders.get(_shown_name(item.file))
            if isinstance(item, InputEntry) and folder is not None:
                if folder not in self._folder_names:
                    self._folder_names[folder] = self._services.database.transact(
                        partial(known_folder, path=folder, is_there=os.path.isdir)
                    )
                named = known_as(item.entry, folder, self._folder_names[folder])
                yield replace(item, entry=named)
            else:
                yield item

    def _read(self, what: str, progress: Progress) -> Iterator[ReadItem]:
        """Yield the contents of one argument, and note the folder that identifies each file."""
        if not exists(what):
            yield InputProblem(where=what, reason=MISSING, file=what)
            return
        try:
            inputs = open_source(
                what,
                ReadOptions(
                    tuning=self._tuning,
                    progress=progress,
                    seen=self._services.now(),
                    parse_mail=partial(parse_mail, self._services.executor),
                    chosen=self._chosen,
                ),
            )
        # A folder that cannot be listed, or a file that was deleted
        except AggregatorError as error:
            where = show_address(what) if is_remote(what) else what
            yield InputProblem(where=where, reason=str(error), file=where)
            return
        if what == "-" or is_address(what):
            folder = None
        else:
            path = Path(os.path.abspath(what))  # noqa: PTH100 - Path.resolve follows links
            folder = path if path.is_dir() else path.parent
        services = self._services
        for item in inputs:
            self._folders[_shown_name(item.file)] = folder
            yield from entries_of(
                [item], services.now(), services.executor, services.all_tuning
            )

    def _fetch_items(self, url: str) -> Iterator[ReadItem]:
        """Fetch an address; yields the entries of a feed, under its source, or the article of a page."""
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
            yield InputProblem(
                where=url,
                file=url,
                reason=parsed.problem or "neither a feed nor the page of an article",
            )


def _shown_name(file: str) -> str:
    """Return the name as sorting may return it: bytes of a name that are not UTF-8 become question marks."""
    return file.encode("utf-8", "replace").decode()


def exists(what: str) -> bool:
    """Return whether there is such a file or folder; an address is taken to exist."""
    if what == "-" or is_address(what):
        return True
    return os.path.exists(what)  # noqa: PTH110 - Path.exists raises for impossible names


def size(what: str) -> int:
    """Return the size of a file in bytes; 0 for anything else, whose size is known when it is read."""
    try:
        return os.path.getsize(what) if os.path.isfile(what) else 0  # noqa: PTH113, PTH202 - as in `exists`
    except OSError:
        return 0
