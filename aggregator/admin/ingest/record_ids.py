"""Ids of records that do not name one article of their own, so that none is lost without a word.

Records that share an address, for example, are one article, and it has one id. An id that stands beside
several texts of a file may be a mistake in the file.
"""

from collections.abc import Sequence

from aggregator.model.entry import Entry
from aggregator.sources.parse.records.record_entry import RecordNotes, shown
from aggregator.store.intake.inbox import Outcome
from aggregator.store.intake.known_entries import AcceptOutcome

_REMEMBERED = 100_000  # articles, and ids: more than wait to be placed, some 20 MB


class RecordIds:
    """The ids of the records of one run, with the articles that they became."""

    def __init__(self, notes: RecordNotes) -> None:
        self._notes = notes
        # The ids of the newest articles' records, by article
        self._ids: dict[str, str] = {}
        # Hashes of texts by the hash of file and id
        self._texts: dict[int, int] = {}

    def read(self, file: str, entry: Entry) -> None:
        """Note the text of an id in a file."""
        key = hash((file, entry.record_id))
        page = entry.record and entry.record.content_hash
        text = hash((entry.title, entry.text, entry.html, page))
        if entry.record_id is None or (
            len(self._texts) >= _REMEMBERED and key not in self._texts
        ):
            return
        if self._texts.setdefault(key, text) != text:
            self._notes.add_loss(
                "",
                "record",
                "with the id of another text of the file",
                shown(entry.record_id),
            )

    def became(
        self,
        article: str,
        record_id: str | None,
        outcome: AcceptOutcome | Outcome,
        stored: Sequence[str] = (),
    ) -> None:
        """Note the outcome of a record: an article of its own, or a part of one that has another id.

        `stored` are the ids of the article that are kept so far; the last was kept by itself.
        """
        if record_id is None or record_id in stored:
            return
        kept = self._ids.setdefault(article, stored[-1] if stored else record_id)
        if len(self._ids) > _REMEMBERED:
            del self._ids[next(iter(self._ids))]
        # Placing decides about a revision.
        if outcome == "revision":
            return
        # A revised article has the newest id.
        if outcome == "revised":
            kept, record_id = record_id, kept
            self._ids[article] = kept
        if kept != record_id:
            self._notes.add_loss(
                "",
                "id",
                "not kept, as several records are one article",
                f"{shown(record_id)} (as {shown(kept)})",
            )
