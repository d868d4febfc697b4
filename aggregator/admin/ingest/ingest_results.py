"""What became of the items of an ingest: their counts, and what was rejected."""

import itertools
from collections import Counter
from collections.abc import Sequence

from aggregator.admin.ingest.inputs import ReadItem
from aggregator.intake.kinds.folder_kind import REJECTED_LISTED
from aggregator.model.structs import FrozenStruct
from aggregator.sources.parse.files.input_items import InputProblem
from aggregator.sources.parse.records.record_entry import RecordNotes
from aggregator.sources.parse.records.record_keys import Chosen
from aggregator.store.engine.database import Database
from aggregator.store.intake import inbox
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.known_entries import AcceptResult
from aggregator.store.stories import story_rows
from aggregator.store.tables import counter_value

_RESULTS_AT_ONCE = 500


class RejectedItem(FrozenStruct):
    """One rejected item and the reason."""

    where: str
    reason: str


class IngestSummary(FrozenStruct, omit_defaults=False):
    """The counts of an ingest. `waiting` entries are accepted, and another process will place them.

    `new` is `stories_created` + `joined` + `copies`, because an article founds a story, joins one, or is a copy.
    `stories_extended` counts the stories that existed before and got an article. `rejected` has the first rejected
    items, and `rejected_count` is the number of all. `notes` say which keys of records were read as which fields, and
    which keys, dates and ids could not be read.
    """

    read: int = 0
    new: int = 0
    known: int = 0
    revised: int = 0
    joined: int = 0
    copies: int = 0
    stories_created: int = 0
    stories_extended: int = 0
    waiting: int = 0
    rejected: tuple[RejectedItem, ...] = ()
    rejected_count: int = 0
    notes: tuple[str, ...] = ()


class IngestResults:
    """The results of one run."""

    def __init__(self, database: Database, chosen: Chosen) -> None:
        self._database = database
        self._notes = RecordNotes(chosen)
        # Where in its file each entry without a result stands, by entry number
        self._waiting: dict[int, str] = {}
        self._counts: Counter[str] = Counter()
        with database.read() as connection:
            # The newest story at the start
            self._newest_before = counter_value(connection, name="story")
        # Stories that existed at the start and have grown
        self._extended: set[str] = set()
        self._rejected: list[RejectedItem] = []
        # Entries without a star in the export of a feed reader
        self._unstarred: set[int] = set()
        # The articles that were read, including known ones
        self.articles: set[str] = set()
        # The articles of records without a star
        self.unstarred: set[str] = set()

    @property
    def waiting(self) -> int:
        """The number of entries that are accepted and, as far as this process knows, not placed yet."""
        return len(self._waiting)

    @property
    def read(self) -> int:
        """The number of items that were read so far."""
        return self._counts["read"]

    @property
    def unlisted(self) -> int:
        """The number of rejected items that may still be listed."""
        return max(0, REJECTED_LISTED - self._counts["refused"])

    def add(self, items: Sequence[ReadItem], accepted: Sequence[AcceptResult]) -> None:
        """Count a chunk of items whose entries were accepted."""
        self._counts["read"] += len(items)
        entries = []
        for item in items:
            if isinstance(item, InputProblem):
                self._reject(item.where, item.reason)
            else:
                entries.append(item)
                self._notes.add(item.keys)
        for result, item in zip(accepted, entries, strict=True):
            if result.outcome == "forgotten":
                self._reject(item.where, tombstones.REASON)
            elif result.entry_no is None:
                self._counts["known"] += 1
                self._add_article(result.article, is_unstarred=item.keys.is_unstarred)
            else:
                self._waiting[result.entry_no] = item.where
                if item.keys.is_unstarred:
                    self._unstarred.add(result.entry_no)

    def collect(self) -> int:
        """Count the results of the entries that were placed since the last call; return how many entries still wait.

        Entries are placed roughly in the order of their numbers, so this stops at the first group with a waiting entry.
        """
        while numbers := list(itertools.islice(self._waiting, _RESULTS_AT_ONCE)):
            with self._database.read() as connection:
                results = inbox.results(connection, numbers)
                stories = {
                    result.story
                    for result in results
                    if result.story and result.outcome in ("joined", "copy")
                }
                self._extended |= story_rows.stories_before(
                    connection, stories - self._extended, self._newest_before
                )
            for result in results:
                if result.outcome is None:
                    continue
                where = self._waiting.pop(result.entry_no)
                self._add_article(
                    result.article, is_unstarred=result.entry_no in self._unstarred
                )
                if result.outcome == "refused":
                    self._reject(where, result.reason or "refused")
                else:
                    self._counts[result.outcome] += 1
            if any(number in self._waiting for number in numbers):
                break
        return len(self._waiting)

    def _add_article(self, article: str, *, is_unstarred: bool) -> None:
        (self.unstarred if is_unstarred else self.articles).add(article)

    def _reject(self, where: str, reason: str) -> None:
        self._counts["refused"] += 1
        if len(self._rejected) < REJECTED_LISTED:
            self._rejected.append(RejectedItem(where=where, reason=reason))

    def summary(self) -> IngestSummary:
        """Return the counts of everything that was read so far."""
        self.collect()
        counts = self._counts
        return IngestSummary(
            read=counts["read"],
            new=counts["founded"] + counts["joined"] + counts["copy"],
            known=counts["known"] + counts["unchanged"],
            revised=counts["revised"],
            joined=counts["joined"],
            copies=counts["copy"],
            stories_created=counts["founded"],
            stories_extended=len(self._extended),
            waiting=len(self._waiting),
            rejected=tuple(self._rejected),
            rejected_count=counts["refused"],
            notes=tuple(self._notes.notes()),
        )
