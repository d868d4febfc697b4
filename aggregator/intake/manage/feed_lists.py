"""Imports and exports sources as OPML."""

from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import redact_address
from aggregator.config.settings import Config
from aggregator.config.source_settings import has_login
from aggregator.extract.urls import address_key
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.manage.adding import (
    SourceOptions,
    is_unread_import,
    new_source,
    permit_private,
    refuse_too_many,
)
from aggregator.model.errors import (
    UsageError,
)
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.connections.public_addresses import is_private_literal
from aggregator.sources.parse.feeds.opml import (
    OpmlFeed,
    SkippedOutline,
    read_opml,
    write_opml,
)
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import source_rows as rows
from aggregator.store.intake.source_rows import (
    Source,
    all_sources,
    source_id,
    update_source,
)

# Separates the names of nested folders, as they are stored and typed.
_FOLDER_SEPARATOR = " / "
# The first polls of imported feeds are spread over at least this time (chosen) ...
_SPREAD_LEAST_SECONDS = 30.0
# ... and at most at this rate (chosen).
_FIRST_POLLS_A_SECOND = 5.0


class OpmlImportResult(FrozenStruct):
    """The result of an import; the entries of the document are `added`, `known` and `skipped`."""

    added: int
    known: int
    # Known sources that got a folder
    filed: int = 0
    # Sources of an earlier import that may be in a private network from now on
    permitted: int = 0
    # New feeds with a private address, which the daemon refuses
    private: int = 0
    # The titles, or else hosts, of our own feeds, and of feeds with a user name or password in the address
    refused: tuple[str, ...] = ()
    # Entries that were not taken, with the reason
    skipped: tuple[SkippedOutline, ...] = ()
    spread_seconds: float = 0.0


def import_opml(
    config: Config, database: Database, path: Path, *, allow_private: bool = False
) -> OpmlImportResult:
    """Add the feeds of an OPML file like `import_feeds`. Raises UsageError if the file cannot be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    return import_feeds(config, database, data, str(path), allow_private=allow_private)


def import_feeds(
    config: Config,
    database: Database,
    data: bytes,
    file: str,
    *,
    allow_private: bool = False,
) -> OpmlImportResult:
    """Add the feeds of an OPML document, which is called `file` in messages; a repetition changes nothing.

    With `allow_private`, the feeds may be in the networks of `fetch.allow_private`, like typed addresses. This includes
    feeds that were imported before without `allow_private` and never read.
    A known feed without a name or folder gets those of the document, unless it is in config.yaml.
    Raises UsageError or ReadError if the document has no feed, or if there would be more sources than
    `server.max_sources`.
    """
    listed = read_opml(data)
    feeds = listed.feeds
    if not feeds:
        first = ""
        if listed.skipped:
            outline = listed.skipped[0]
            first = f"; of {outline.name}: {outline.reason}"
        raise UsageError(
            f"{file}: there is no feed in it; a feed is an <outline> with xmlUrl{first}"
        )
    spread = max(_SPREAD_LEAST_SECONDS, len(feeds) / _FIRST_POLLS_A_SECOND)
    spread = min(spread, config.fetch.interval)
    with database.write() as connection:
        feed_import = _FeedImport(config, connection, spread, allow_private)
        for feed in feeds:
            feed_import.take(feed)
        new = [feed_import.sources[id_] for id_ in feed_import.new]
        if new:
            refuse_too_many(config, len(feed_import.sources) - len(new), len(new))
            # They are inserted all at once, because other writers wait for this transaction.
            rows.add(connection, *new)
    refused = feed_import.refused
    return OpmlImportResult(
        added=len(new),
        known=len(feeds) + listed.repeated - len(new) - len(refused),
        filed=feed_import.filed,
        permitted=feed_import.permitted,
        private=feed_import.private,
        refused=tuple(outline.name for outline in refused),
        skipped=(*listed.skipped, *refused),
        spread_seconds=spread,
    )


class _FeedImport:
    """The import of a list, in one transaction."""

    def __init__(
        self,
        config: Config,
        connection: Connection,
        spread_seconds: float,
        allow_private: bool,
    ) -> None:
        self._config = config
        self._connection = connection
        self._spread_seconds = spread_seconds
        self._allow_private = allow_private
        # All sources by id, as they are after the import, and their ids by address
        self.sources = {source.id: source for source in all_sources(connection)}
        self._ids: dict[str, str] = {}
        for source in self.sources.values():
            for address in (source.address, source.polled_url):
                self._ids[address_key(address)] = source.id
        # The ids of new sources
        self.new: list[str] = []
        # The number of known feeds that got a folder
        self.filed = 0
        self.permitted = 0
        self.private = 0
        self.refused: list[SkippedOutline] = []

    def take(self, feed: OpmlFeed) -> None:
        """Add a feed, file a known one, or refuse it."""
        if has_login(feed.url) or self._config.is_own_feed(feed.url):
            reason = "it is our own"
            if has_login(feed.url):
                reason = "its address has a user name or password"
            # Programs write the address of a feed without a title as its title.
            title = "" if has_login(feed.title) else feed.title
            shown = title or urlsplit(feed.url).hostname or ""
            self.refused.append(SkippedOutline(name=shown, reason=reason))
            return
        names = [name.replace(_FOLDER_SEPARATOR, "/").strip() for name in feed.folder]
        folder = _FOLDER_SEPARATOR.join(names) or None
        # The title is the name that the user gave; programs write the address of a feed without a name.
        name = feed.title if feed.title and feed.title != feed.url else None
        id_ = source_id("feed", None, feed.url)
        known = self.sources.get(self._ids.get(address_key(feed.url), id_))
        if known is not None:
            self._file(known, name, folder)
            return
        source = new_source(
            self._config,
            feed.url,
            feed.title or None,
            SourceOptions(folder=folder),
            spread_seconds=self._spread_seconds,
        )
        # The id was made from the address alone, so the name is set afterwards.
        self.sources[id_] = replace(
            source,
            name=name,
            site_url=feed.site_url,
            origin="user" if self._allow_private else "import",
        )
        self._ids[address_key(feed.url)] = id_
        self.new.append(id_)
        if not self._allow_private and is_private_literal(feed.url):
            self.private += 1

    def _file(self, known: Source, name: str | None, folder: str | None) -> None:
        """Give a known source the name and the folder of the list, where it has none, and count it.

        If the import permits private networks, an imported source that was never read may be there, too.
        """
        if known.origin == "config":
            return
        if folder and known.folder is None:
            self.filed += 1
        filed = replace(known, name=known.name or name, folder=known.folder or folder)
        if known.id not in self.new:
            if filed != known:
                update_source(
                    self._connection, known.id, name=filed.name, folder=filed.folder
                )
            if self._allow_private and is_unread_import(known):
                permit_private(self._connection, known)
                filed = replace(filed, origin="user")
                self.permitted += 1
        self.sources[known.id] = filed


def export_opml(
    config: Config,
    database: Database,
    address: Callable[[Source], str] = attrgetter("polled_url"),
    *,
    hides_keys: bool = False,
) -> bytes:
    """Return all feeds as OPML, by default each with the address that is polled.

    `hides_keys`: for those who may not change sources; `address` hides those of the addresses of feeds.
    """
    with database.read() as connection:
        sources = all_sources(connection)
    feeds = []
    for source in sources:
        if source_kind(source.kind).is_in_opml:
            title = source.name or source.title or source.outlet or source.polled_url
            site_url = source.site_url
            if hides_keys:
                title = redact_address(title)
                site_url = site_url and redact_address(site_url)
            folder = source.folder.split(_FOLDER_SEPARATOR) if source.folder else ()
            feeds.append(
                OpmlFeed(
                    url=address(source),
                    title=title,
                    site_url=site_url,
                    folder=tuple(folder),
                )
            )
    return write_opml(feeds, title=config.publish.title)
