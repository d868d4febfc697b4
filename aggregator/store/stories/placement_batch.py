"""The serial numbers of a placing transaction, and what it writes at its end: nothing reads that before.

Numbers are read from `counter` once and counted in memory: only the writer takes numbers of stories, bumps and
changes.
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any, Literal

from msgspec.structs import replace
from sqlalchemy import Connection, Text, bindparam, func, insert, update

from aggregator.model.entry import Entry
from aggregator.model.read_model import ChangeKind
from aggregator.store import codecs
from aggregator.store.intake.inbox import Outcome
from aggregator.store.intake.inbox_order import take_numbers
from aggregator.store.stories.article_rows import outlet_rows
from aggregator.store.stories.stories import StoryRow
from aggregator.store.tables import change, counter, entry, execute_each, story_log

# "moved": an article was assigned to another story; "regrouped": by `recluster`; "full": from now on the
# story accepts copies only; "forgotten": one of its articles was erased
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

# Of the text; the row may have one of its page
_REASON = bindparam("entry_reason", type_=Text)
_FINISH = (  # with the other columns of a finished entry
    update(entry)
    .where(entry.c.entry_no == bindparam("entry_n"))
    .values(
        reason=func.coalesce(entry.c.reason + "; " + _REASON, entry.c.reason, _REASON),
        page_verdict=func.coalesce(
            bindparam("entry_page_verdict", type_=Text), entry.c.page_verdict
        ),
        page=None,
    )
)
_COUNT = (
    update(counter)
    .where(counter.c.name == bindparam("counter_name"))
    .values(value=bindparam("number"))
)


class Ledger:
    """Belongs to one transaction; `close` must be called before it is committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.dropped_lines: list[tuple[str, int]] = []  # by outlet and inbox number
        self.lines: dict[tuple[str, int], bytes] = {}  # likewise
        self._numbers: dict[str, int] = {}
        self._logs: list[dict[str, Any]] = []
        self._changes: list[dict[str, Any]] = []
        self._finished: list[dict[str, Any]] = []

    def number(self, name: Literal["story", "bump", "change"]) -> int:
        """Return the next serial number."""
        if name not in self._numbers:
            self._numbers[name] = take_numbers(self._connection, name, 0)
        self._numbers[name] += 1
        return self._numbers[name]

    def log(
        self,
        at: dt.datetime,
        story: str,
        kind: LogKind,
        *,
        article: str | None = None,
        **detail: str | float | None,
    ) -> None:
        """Add a line to the log of a story."""
        text = (
            json.dumps(detail, ensure_ascii=False, sort_keys=True) if detail else None
        )
        self._logs.append(
            {"story": story, "at": at, "kind": kind, "article": article, "detail": text}
        )

    def change(
        self,
        at: dt.datetime,
        story: str,
        before: StoryRow | None,
        after: StoryRow,
        *,
        bump: dt.datetime,
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
                "at": at,
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
        n: int,
        *,
        at: dt.datetime,
        outcome: Outcome,
        article: str,
        verdict: str,
        reason: str | None,
        page_verdict: str | None,
        declared: Entry,
    ) -> None:
        """Finish entry `n`. Its page and text are dropped, its other declarations stay.

        The text is in the article: stored twice, texts were a sixth of the database.
        """
        without_text = replace(declared, html=None, text=None, record=None)
        self._finished.append(
            {
                "entry_n": n,
                "state": "refused" if outcome == "refused" else "done",
                "article": article,
                "done_at": at,
                "outcome": outcome,
                "verdict": verdict,
                "entry_reason": reason,
                "entry_page_verdict": page_verdict,
                "payload": codecs.compress_struct(without_text),
            }
        )
        if outcome == "revised":  # see `inbox.is_revised_since`
            execute_each(self._connection, _FINISH, self._finished)
            self._finished.clear()

    def close(self) -> None:
        """Write lines of outlets, finished entries, log, changes and numbers."""
        outlet_rows.change_outlet_lines(
            self._connection, self.dropped_lines, self.lines
        )
        execute_each(self._connection, _FINISH, self._finished)
        execute_each(self._connection, insert(story_log), self._logs)
        execute_each(self._connection, insert(change), self._changes)
        for name, value in sorted(self._numbers.items()):
            self._connection.execute(_COUNT, {"counter_name": name, "number": value})
