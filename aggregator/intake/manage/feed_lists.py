"""Imports and exports sources as OPML."""

from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.settings import (
    Config,
    has_login,
)
from aggregator.extract.urls import address_key
from aggregator.intake.kinds.source_kind import source_kind
from aggregator.intake.manage.adding import (
    SourceOptions,
    is_unread_import,
    new_source,
    permit_private,
    refuse_too_many,
)
from aggregator.model.core import FrozenStruct
from aggregator.model.errors import (
    UsageError,
)
from aggregator.sources.parse.feeds.opml import (
    OpmlFeed,
    SkippedOutline,
    read_opml,
    write_opml,
)
from aggregator.store.engine.database import Database
from aggregator.store.intake import sources as rows
from aggregator.store.intake.sources import (
    Source,
    all_sources,
    choose,
    source_id,
)

_FOLDER_SEPARATOR = " / "  # between the names of nested folders, as stored and typed
_SPREAD_LEAST_SECONDS = 30.0
_FIRST_POLLS_A_SECOND = 5.0  # of many feeds imported at once (chosen)


class OpmlImportResult(FrozenStruct):
    """The result of an import. `filed`: known sources that got a folder, `permitted`: private networks.

    `refused`: titles, or else hosts, of feeds with a user name or password in the address, or of our own.
    `skipped`: all entries that were not taken, with the reason; the entries of the document are `added`,
    `known` and these.
    """

    added: int
    known: int
    filed: int = 0
    permitted: int = 0
    refused: tuple[str, ...] = ()
    skipped: tuple[SkippedOutline, ...] = ()
    spread_seconds: float = 0.0


def import_opml(
    config: Config, database: Database, path: Path, *, allow_private: bool = False
) -> OpmlImportResult:
    """Add the feeds of an OPML file as `import_feeds`. Raises UsageError if it cannot be read."""
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
    """Add the feeds of an OPML document; repeating it changes nothing. `file` names it in messages.

    Only with `allow_private` they may be in the networks of `fetch.allow_private`, as typed addresses may;
    then those that were imported without it and never read may, too.
    A known feed that was added by command gets the name and the folder of the document where it has none.
    Raises UsageError or ReadError if it has no feed, or if there would be more sources than
    `server.max_sources`.
    """
    listed = read_opml(data)
    feeds, skipped = listed.feeds, list(listed.skipped)
    if not feeds:
        first = f"; of {skipped[0].name}: {skipped[0].reason}" if skipped else ""
        raise UsageError(
            f"{file}: there is no feed in it; a feed is an <outline> with xmlUrl{first}"
        )
    filed = 0
    permitted: set[str] = set()
    refused: list[str] = []
    # By id; stored together, since other writers wait meanwhile
    new: dict[str, Source] = {}
    spread = min(
        max(_SPREAD_LEAST_SECONDS, len(feeds) / _FIRST_POLLS_A_SECOND),
        config.fetch.interval,
    )
    with database.write() as connection:
        sources = all_sources(connection)
        by_address = {
            address_key(url): source
            for source in sources
            for url in (source.address, source.polled_url)
        }
        by_id = {source.id: source for source in sources}
        for feed in feeds:
            folder = _FOLDER_SEPARATOR.join(
                name.replace(_FOLDER_SEPARATOR, "/").strip() for name in feed.folder
            )
            existing = by_address.get(address_key(feed.url)) or by_id.get(
                source_id("feed", None, feed.url)
            )
            if has_login(feed.url) or config.is_own_feed(feed.url):
                # Programs write the address where there is no title.
                named = "" if has_login(feed.title) else feed.title
                name = named or urlsplit(feed.url).hostname or ""
                refused.append(name)
                reason = (
                    "its address has a user name or password"
                    if has_login(feed.url)
                    else "it is our own"
                )
                skipped.append(SkippedOutline(name=name, reason=reason))
            elif existing is None:
                options = SourceOptions(folder=folder or None)
                imported = new_source(
                    config, feed.url, feed.title or None, options, spread_seconds=spread
                )
                # Its id is that of its address.
                imported = replace(
                    imported,
                    name=_given_name(feed),
                    site_url=feed.site_url,
                    origin="user" if allow_private else "import",
                )
                by_address[address_key(feed.url)] = new[imported.id] = imported
            elif existing.origin != "config":
                known = new.get(existing.id, existing)
                filed_as = {
                    "name": known.name or _given_name(feed),
                    "folder": known.folder or folder or None,
                }
                if known.id in new:
                    new[known.id] = replace(known, **filed_as)
                elif (known.name, known.folder) != tuple(filed_as.values()):
                    choose(connection, known.id, **filed_as)
                filed += bool(folder and known.folder is None)
                if (
                    allow_private
                    and known.id not in {*new, *permitted}
                    and is_unread_import(known)
                ):
                    permit_private(connection, known)
                    permitted.add(known.id)
        if new:
            refuse_too_many(config, len(sources), len(new))
            rows.add(connection, *new.values())
    return OpmlImportResult(
        added=len(new),
        known=len(feeds) + listed.repeated - len(new) - len(refused),
        filed=filed,
        permitted=len(permitted),
        refused=tuple(refused),
        skipped=tuple(skipped),
        spread_seconds=spread,
    )


def _given_name(feed: OpmlFeed) -> str | None:
    """Return the reader's name of a feed; programs write the address where there is none."""
    return feed.title if feed.title and feed.title != feed.url else None


def export_opml(config: Config, database: Database) -> bytes:
    """Return all feeds as OPML, each with the address that is polled."""
    with database.read() as connection:
        feeds = [
            source
            for source in all_sources(connection)
            if source_kind(source.kind).is_in_opml
        ]
    return write_opml(
        (
            OpmlFeed(
                url=source.polled_url,
                title=source.name or source.title or source.outlet or source.polled_url,
                site_url=source.site_url,
                folder=tuple(source.folder.split(_FOLDER_SEPARATOR))
                if source.folder
                else (),
            )
            for source in feeds
        ),
        title=config.publish.title,
    )
