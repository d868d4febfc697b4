"""The newest texts of a source that could not be used."""

import datetime as dt
from operator import attrgetter

from sqlalchemy import Connection, or_, select

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store import codecs
from aggregator.store.tables import entry, rejected_input


class ProblemText(FrozenStruct, kw_only=False, omit_defaults=False):
    """A rejected text, a stub, or one whose page failed, with `page_verdict`."""

    at: dt.datetime
    title: str
    url: str | None
    verdict: str
    page_verdict: str | None
    reason: str | None


def problem_texts(connection: Connection, source: str, limit: int) -> list[ProblemText]:
    """Return the newest texts of `source` that were rejected, are stubs, or whose page failed."""
    entries = (
        select(entry)
        .where(entry.c.source == source)
        .where(or_(entry.c.verdict != "ok", entry.c.page_verdict.is_not(None)))
        .order_by(entry.c.entry_no.desc())
    )
    rejected = (
        select(rejected_input)
        .where(rejected_input.c.source == source)
        .order_by(rejected_input.c.at.desc())
    )
    texts = []
    for row in connection.execute(entries.limit(limit)):
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
        ProblemText(row.at, row.item, None, row.verdict, None, row.reason)
        for row in connection.execute(rejected.limit(limit))
    ]
    return sorted(texts, key=attrgetter("at"), reverse=True)[:limit]
