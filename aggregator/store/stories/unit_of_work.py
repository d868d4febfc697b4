"""One placing transaction: its connection, time and serial numbers, and its rows of the log and the change stream.

Numbers are read from `counter` once and counted in memory, because only the writer takes numbers of stories, bumps and
changes.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.entry import Entry
from aggregator.model.read_model import ChangeKind
from aggregator.store import codecs
from aggregator.store.intake.inbox import Outcome, take_numbers
from aggregator.store.stories.article_rows import outlet_rows
from aggregator.store.stories.story_rows import StoryRow
from aggregator.store.tables import (
    Values,
    change,
    insert_rows,
    set_counter,
    story_log,
    write_sql,
)

# "moved": an article was assigned to another story; "regrouped": `recluster` changed the story; "full": from now on
# the story accepts only copies; "forgotten": one of its articles was erased
LogKind = Literal[
    "created",
    "joined",
    "merged",
    "moved",
    "headline",
    "revised",
    "corrected",
    "regrouped",
    "full",
    "forgotten",
]


class UnitOfWork:
    """A placing transaction; `close` must be called before it is committed."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        # Lines of outlets to delete and to add, by outlet and inbox number
        self.dropped_lines: list[tuple[str, int]] = []
        self.lines: dict[tuple[str, int], bytes] = {}
        self._numbers: dict[str, int] = {}
        self._logs: list[Values] = []
        self._changes: list[Values] = []

    def number(self, name: Literal["story", "bump", "change"]) -> int:
        """Return the next serial number."""
        if name not in self._numbers:
            self._numbers[name] = take_numbers(self.connection, name, 0)
        self._numbers[name] += 1
        return self._numbers[name]

    def log(
        self,
        story: str,
        kind: LogKind,
        *,
        article: str | None = None,
        **detail: str | float | None,
    ) -> None:
        """Add a line to the log of a story."""
        text = None
        if detail:
            text = json.dumps(detail, ensure_ascii=False, sort_keys=True)
        self._logs.append(
            {
                "at": self.now,
                "story": story,
                "kind": kind,
                "article": article,
                "detail": text,
            }
        )

    def change(
        self,
        story: str,
        before: StoryRow | None,
        after: StoryRow,
        *,
        bump: datetime,
        article: str | None = None,
        others: Sequence[str] = (),
        kind: ChangeKind | None = None,
    ) -> None:
        """Add a change to the change stream if `before` and `after` differ in a way that counts.

        `bump`: the sort time, to the second. `kind`: given if it does not follow from the two rows.
        """
        if kind is None:
            if before is None:
                kind = "created"
            elif others:
                kind = "merged"
            elif after.report_count > before.report_count:
                kind = "report"
            elif after.title != before.title:
                kind = "headline"
            else:
                return
        n = self.number("change")
        title_before = None
        if before is not None and after.title != before.title:
            title_before = before.title or None
        self._changes.append(
            {
                "change_no": n,
                "story": story,
                "at": self.now,
                # The microseconds order the changes of one second.
                "bumped_at": bump.replace(microsecond=n % 1_000_000),
                "kind": kind,
                "article": article,
                "others": ",".join(others) or None,
                "title": after.title,
                "title_before": title_before,
                "report_count": after.report_count,
            }
        )

    def finish(
        self,
        entry_no: int,
        *,
        outcome: Outcome,
        article: str,
        verdict: str,
        reason: str | None,
        page_verdict: str | None,
        declared: Entry,
    ) -> None:
        """Finish an entry. Its page and text are dropped, and its other declarations stay.

        The article has the text. When texts were stored twice, they took a sixth of the database.
        """
        # `:reason` concerns the text. It is added to a stored reason, which concerns the page.
        write_sql(
            self.connection,
            """
            UPDATE entry SET state = :state, article = :article, done_at = :done_at, outcome = :outcome,
              verdict = :verdict, payload = :payload, page = NULL,
              reason = coalesce(reason || '; ' || CAST(:reason AS TEXT), reason, CAST(:reason AS TEXT)),
              page_verdict = coalesce(CAST(:page_verdict AS TEXT), page_verdict)
            WHERE entry_no = :entry_no
            """,
            entry_no=entry_no,
            state="refused" if outcome == "refused" else "done",
            article=article,
            done_at=self.now,
            outcome=outcome,
            verdict=verdict,
            reason=reason,
            page_verdict=page_verdict,
            payload=codecs.compress_struct(replace(declared, html=None, text=None)),
        )

    def close(self) -> None:
        """Write the lines of outlets, the log, the changes and the numbers."""
        outlet_rows.change_outlet_lines(self.connection, self.dropped_lines, self.lines)
        insert_rows(self.connection, story_log, self._logs)
        insert_rows(self.connection, change, self._changes)
        for name, number in sorted(self._numbers.items()):
            set_counter(self.connection, name, number)
