"""Pages that stay in their archive until they are prepared."""

from msgspec.structs import replace

from aggregator.extract.entry_identity import identify
from aggregator.extract.language import unicode
from aggregator.extract.urls import canonical_url
from aggregator.model.entry import ArchivedRecord, ArchiveSuffix, Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds.xml_repair import charset_of
from aggregator.sources.parse.files import warc
from aggregator.sources.parse.records.jsonl import (
    as_record,
    decoded_json,
)
from aggregator.sources.parse.records.record_entry import (
    entry_of_record,
)
from aggregator.sources.parse.records.record_keys import records_in
from aggregator.sources.parse.streams.file_stream import Progress, unzipped
from aggregator.sources.parse.streams.remote_files import open_file, shown
from aggregator.sources.source_limits import SourceTuning


def left_in_file(
    entry: Entry, suffix: ArchiveSuffix, number: int, offset: int | None, path: str
) -> Entry:
    """Leave the page of an entry in its file, if its record can be read alone.

    The page may be needed to identify an entry without a GUID.
    """
    if offset is None or entry.guid is None:
        return entry
    return replace(
        entry,
        html=None,
        record=ArchivedRecord(
            path=path,
            format=suffix,
            number=number,
            offset=offset,
            content_hash=_content_hash(entry),
        ),
    )


def with_page(entry: Entry, tuning: SourceTuning) -> Entry:
    """Return an entry with its page, which is in its file.

    Raise ReadError if the file cannot be opened, or has changed.
    """
    record, html, damage = entry.record, None, None
    if record is None:
        return entry
    try:
        with open_file(record.path) as file:
            file.seek(record.offset)
            with unzipped(file, Progress()) as stream:
                if record.format == ".jsonl":
                    (value,) = records_in(
                        decoded_json(stream.readline(tuning.max_article_bytes + 1)), {}
                    )
                    html = entry_of_record(as_record(value), file_name="").html
                else:
                    limit = tuning.max_article_bytes
                    page = next(warc.read_pages(stream, max_page_bytes=limit), None)
                    if isinstance(page, warc.ArchivedPage) and page.body is not None:
                        html = html_of_body(page.body, page.content_type)
    except ReadError as error:
        # The damage may stand further on in the file
        damage = error
    except OSError as error:
        raise ReadError(
            f"{shown(record.path)} cannot be opened ({error.strerror})"
        ) from error
    whole = replace(entry, html=html, record=None)
    if _content_hash(whole) != record.content_hash:
        reason = f"{shown(record.path)} has changed since it was read"
        if damage is not None:
            reason += f", or cannot be read: {damage}"
        raise ReadError(reason)
    return whole


def _content_hash(entry: Entry) -> bytes:
    url = canonical_url(entry.url) if entry.url else None
    return identify(entry, url).content_hash


def html_of_body(body: bytes, content_type: str) -> str:
    return unicode.clean(unicode.decode(body, charset_of(content_type))).strip()
