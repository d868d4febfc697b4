"""How often a polled article is read again when its feed entry changes.

A live blog grows under one address; its feed entry shows when (another text, or only a later `updated`).
Other articles are followed, too, but there are feeds whose entries change at every poll: a counter of
comments, the time of the response as their date. A change beyond the limit is neither accepted nor stored
as an observation, so it still counts as a change when the limit allows it.
"""

import datetime as dt
from collections.abc import Collection
from typing import Literal

from sqlalchemy import Connection, func, select

from aggregator.model.entry import Entry
from aggregator.model.structs import FrozenStruct
from aggregator.store.tables import (
    article,
    count_rows,
    entry,
    pairs_with,
    values_with,
)


class RereadTuning(FrozenStruct):
    """Within `hours`, at most `most` readings of a live blog's page and `others` of any other article."""

    most: int
    others: int
    hours: float


AcceptOutcome = Literal["new", "known", "revision", "forgotten"]


class RereadLimits:
    """Limits for some articles, for one transaction before it adds entries."""

    def __init__(
        self,
        connection: Connection,
        articles: Collection[str],
        now: dt.datetime,
        tuning: RereadTuning | None,
    ) -> None:
        """`tuning` None: no limits."""
        self._connection = connection
        self._now = now
        self._tuning = tuning
        # Of live blogs: when the newest entry was accepted
        self._newest: dict[str, dt.datetime] = {}
        if tuning is not None:
            live = select(article.c.id).where(article.c.role == "container")
            ids = values_with(connection, live, article.c.id, articles)
            newest = select(entry.c.article, func.max(entry.c.accepted_at))
            self._newest = pairs_with(
                connection, newest.group_by(entry.c.article), entry.c.article, ids
            )

    def is_read_enough(self, id_: str, judged: AcceptOutcome, *, by_page: bool) -> bool:
        """Whether article `id_` has reached its limit; `by_page`: its page would be fetched."""
        is_live = id_ in self._newest
        if self._tuning is None or not (by_page if is_live else judged == "revision"):
            return False
        since = self._now - dt.timedelta(hours=self._tuning.hours)
        again = entry.c.article == id_, entry.c.is_revision, entry.c.accepted_at > since
        most = self._tuning.others
        if is_live:
            most = self._tuning.most
        return count_rows(self._connection, entry, *again) >= most

    def outcome(self, id_: str, item: Entry, judged: AcceptOutcome) -> AcceptOutcome:
        """Return "revision" also if the feed only states a later `updated` of a live blog."""
        if judged != "known" or item.updated is None or id_ not in self._newest:
            return judged
        return "revision" if item.updated > self._newest[id_] else "known"
