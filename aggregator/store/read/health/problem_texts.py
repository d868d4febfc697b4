"""The newest texts of a source that could not be used."""

from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import read_rows


class ProblemText(FrozenStruct, kw_only=False, omit_defaults=False):
    """A text that was rejected, is a stub, or lacks its page. `page_verdict` tells why a page was not used."""

    at: datetime
    title: str
    url: str | None
    verdict: str
    page_verdict: str | None
    reason: str | None


def problem_texts(connection: Connection, source: str, limit: int) -> list[ProblemText]:
    """Return the newest texts of `source` that were rejected, are stubs, or lack their page."""
    entries = """
        SELECT * FROM entry WHERE source = :source AND (verdict <> 'ok' OR page_verdict IS NOT NULL)
        ORDER BY entry_no DESC LIMIT :limit
        """
    rejected = """
        SELECT at, item, NULL, verdict, NULL, reason FROM rejected_input WHERE source = :source
        ORDER BY at DESC LIMIT :limit
        """
    texts = []
    for row in read_rows(connection, entries, source=source, limit=limit):
        title = ""
        if row.payload:  # not deleted yet
            title = codecs.decompress_struct(row.payload, Entry).title
        texts.append(
            ProblemText(
                row.accepted_at,
                title,
                row.url,
                row.verdict,
                row.page_verdict,
                row.reason,
            )
        )
    texts += [
        ProblemText(*row)
        for row in read_rows(connection, rejected, source=source, limit=limit)
    ]
    return sorted(texts, key=attrgetter("at"), reverse=True)[:limit]
