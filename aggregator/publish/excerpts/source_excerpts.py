"""The owner alone sees the address of a source, and its problem, which may contain one."""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec.structs import replace

from aggregator.config.messages import redact, redact_address
from aggregator.model.read_model import SourcePage, SourceView

if TYPE_CHECKING:  # explanations load what places articles
    from aggregator.store.read.reader import StoryReader
from aggregator.publish.excerpts.access import Access


def bounded_sources(
    reader: "StoryReader", access: Access, limit: int, **wanted: Any
) -> SourcePage:
    """Return a page of sources; only the owner sees their addresses. Raises UsageError."""
    page = reader.sources(limit, **wanted)
    return replace(
        page, sources=tuple(bounded_source(source, access) for source in page.sources)
    )


def bounded_source(source: SourceView, access: Access) -> SourceView:
    """Hide the address and the problem of a source: an address may contain a secret, a problem an address.

    The owner sees them without such secrets, because a token of scope read is not for them.
    """
    if access == "owner":
        return replace(
            source,
            name=redact(source.name),
            site_url=source.site_url and redact(source.site_url),
            url=source.url and redact_address(source.url),
            polled_url=redact_address(source.polled_url),
            problem=source.problem and redact_address(source.problem),
        )
    name = source.name
    if name == source.url or "://" in name:  # the host, or the last part of a path
        try:
            host = urlsplit(name).hostname
        except ValueError:
            host = None
        name = host or name.rstrip("/").rpartition("/")[2] or source.id
    return replace(source, name=name, url=None, polled_url="", cause="", problem=None)
