"""The stream: word frequencies of the last days, counts of sources, and the share of articles with a partner.

The end of a period also brings some senders nearer to standing: those whose reports others confirmed later on that day.

The stream history is divided into periods. A period ends before the first new article that was accepted on a later
day (UTC), so decisions depend on the inbox and not on the moment of placing. If the clock was ahead by more than the
days of a snapshot, a period ends before the first new article of the right time.
"""

import logging
from collections import deque
from datetime import UTC, datetime, timedelta

import numpy as np

from aggregator.extract.wire.agencies import is_mail_address
from aggregator.grouping.pairs.pair_article import (
    TEXT,
    TITLE,
    PairArticle,
    beside_title,
    shared_beside_title,
)
from aggregator.grouping.pairs.pair_model import PairTuning, stream_shift
from aggregator.grouping.pairs.snapshot import StreamSnapshot, pack_frequencies
from aggregator.model.article import Article
from aggregator.store.engine.database import Connection
from aggregator.store.stories import stored_articles, stream_history
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.stream_history import StreamPeriod
from aggregator.store.stories.unit_of_work import UnitOfWork
from aggregator.stories.counting.copy_groups import origin_link, sender_of

log = logging.getLogger(__name__)

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# This many times the periods of a snapshot are kept, so that a few entries of a wrong time do not drop its periods
_PERIODS_KEPT = 2
_PERIOD_ARTICLES = 100_000  # newest articles of a day that are counted (limit)


class NewsStream:
    """Reads and writes the stream history while articles are placed. For one thread of the writer."""

    def __init__(self, tuning: PairTuning, window_days: float) -> None:
        self._tuning = tuning
        self._window = timedelta(days=window_days)
        self._snapshot: StreamSnapshot | None = None
        self._standing: frozenset[str] | None = None  # senders; None: not read yet
        # The newest closed period; None: not read yet
        self._latest: StreamPeriod | None = None
        # See the method `undated_from`; None: not read yet
        self._undated_from: int | None = None
        # The inbox number of the article that is being placed
        self._inbox_no = -1
        # The story of each of the last articles, and whether the article was of a backlog; None: not read yet
        self._last: deque[tuple[str, bool]] | None = None
        # The stories of the last articles that have other articles
        self._shared: set[str] = set()
        # Articles by source, and how many of them joined a story, that are not written yet
        self._counts: dict[str, tuple[int, int]] = {}
        self._counted_up_to = -1  # inbox number, see `count_after`

    def forget_periods(self) -> None:
        """Forget the values that can be read again."""
        self._snapshot = self._latest = self._undated_from = self._standing = None

    def regrouped(self) -> None:
        """Forget which of the last articles are alone in their stories."""
        self._last = None

    def before(
        self, unit_of_work: UnitOfWork, inbox_no: int, accepted_at: datetime
    ) -> None:
        """Close the present period if the new article with this number was accepted on another day.

        An earlier day within the snapshot does not count.
        """
        self._inbox_no = inbox_no
        connection = unit_of_work.connection
        latest = self._newest_period(connection)
        day = (accepted_at - _EPOCH) // _DAY
        after = latest.last_inbox_no
        present = latest.day + 1
        if present - self._tuning.stream_days <= day <= present:
            return
        count, packed = self._count_terms(connection, after, inbox_no - 1)
        period = StreamPeriod(latest.number + 1, day - 1, inbox_no - 1, count, packed)
        self.write_counts(connection)
        stream_history.close_period(
            connection, period, keep=_PERIODS_KEPT * self._tuning.stream_days
        )
        stream_history.note_day(
            connection,
            period.number,
            confirmed_senders(
                connection,
                after,
                period.last_inbox_no,
                self.snapshot(connection),
                self._tuning.agreement,
            ),
        )
        self.forget_periods()
        self._latest = period

    def _count_terms(
        self, connection: Connection, after: int, last: int
    ) -> tuple[int, bytes]:
        """Return the number of articles after inbox number `after` up to `last`, and their word frequencies."""
        after = max(after, last + 1 - _PERIOD_ARTICLES)
        return pack_frequencies(
            stream_history.terms_between(
                connection, after, last, self._tuning.period_source_articles
            )
        )

    def restore(self, connection: Connection) -> None:
        """Count the words of periods again if the snapshot needs them and their frequencies were dropped."""
        present = stream_history.latest(connection).day + 1
        first_day = present - self._tuning.stream_days
        for after, period in stream_history.dropped_from(connection, first_day):
            _, packed = self._count_terms(connection, after, period.last_inbox_no)
            stream_history.restore_terms(connection, period.number, packed)
        self.forget_periods()

    def _newest_period(self, connection: Connection) -> StreamPeriod:
        if self._latest is None:
            self._latest = stream_history.latest(connection)
        return self._latest

    def undated_from(self, connection: Connection) -> int:
        """Return the first inbox number that was accepted within the window before the present day."""
        if self._undated_from is None:
            self._undated_from = stream_history.first_accepted(
                connection, self._newest_period(connection).day + 1 - self._window.days
            )
        return self._undated_from

    def snapshot(self, connection: Connection) -> StreamSnapshot:
        """Return the snapshot as of the newest closed period."""
        if self._snapshot is None:
            history = stream_history.snapshot(connection, self._tuning.stream_days)
            try:
                self._snapshot = StreamSnapshot(*history)
            except ValueError as error:
                log.warning(
                    "the word frequencies of the last days are damaged (%s), and are counted again",
                    error,
                    extra={"event": "stream_history_damaged"},
                )
                stream_history.drop_terms(
                    connection, self._newest_period(connection).number
                )
                self.restore(connection)
                return self.snapshot(connection)
        return self._snapshot

    def is_little_known(
        self, connection: Connection, article: Article, *, has_polled: bool
    ) -> bool:
        """Return whether the sender of an article had no standing at the end of the newest closed period.

        An archive that begins a database is believed: articles that are handed in while nobody has standing and
        no feed was read (`has_polled`). Mails that nobody has confirmed are never believed.
        """
        if self._standing is None:
            self._standing = stream_history.senders_with_standing(connection)
        if sender_of(article) in self._standing:
            return False
        is_asked = article.is_polled or has_polled or bool(self._standing)
        return is_asked or is_mail_address(article.outlet_key)

    def is_less_known(self, connection: Connection, article: Article) -> bool:
        """Return whether others have standing and the sender of an article has none."""
        is_little_known = self.is_little_known(connection, article, has_polled=True)
        return is_little_known and bool(self._standing)

    def count_after(self, inbox_no: int) -> None:
        """Count only articles after this inbox number; the earlier articles are counted already."""
        self._counted_up_to = inbox_no

    def placed(self, new: StoredArticle, *, has_joined: bool) -> None:
        """Count a new article for the stream and for its source; see `write_counts`."""
        if self._last is not None and new.role != "copy":
            self._last.append(
                (new.story, new.seen_at - new.effective_at > self._window)
            )
            if has_joined:
                self._shared.add(new.story)
        if new.outlet_key is not None and self._inbox_no > self._counted_up_to:
            articles, matched = self._counts.get(new.source, (0, 0))
            self._counts[new.source] = articles + 1, matched + has_joined

    def write_counts(self, connection: Connection) -> None:
        """Write the counts of `placed` in this transaction."""
        stream_history.count_sources(connection, self._counts)
        self._counts.clear()

    def read_last(self, unit_of_work: UnitOfWork) -> None:
        """Read which of the last articles are alone in their stories, if that is not known."""
        if self._last is not None:
            return
        most = self._tuning.stream_articles
        last = stored_articles.last_articles(unit_of_work.connection, most)
        self._last = deque(
            ((article.story, article.age > self._window) for article in last), most
        )
        self._shared = {article.story for article in last if article.has_others}

    def shift(self, connection: Connection, source: str | None = None) -> float:
        """Return the shift of a score by the stream and the source of an article (pair_model.py)."""
        assert self._last is not None, "`read_last` is called before"
        counts = self.snapshot(connection).sources.get(source or "", (0, 0))
        self._shared.intersection_update(story for story, _ in self._last)
        # The backlog of a feed that is read for the first time does not count, because its old entries have no partner
        # here. If all of the last articles are backlog, all count.
        counted = [last for last in self._last if not last[1]] or self._last
        shared = sum(story in self._shared for story, _ in counted)
        return stream_shift(shared, len(counted), self._tuning, counts)


# The number of oldest articles of a story that are read (limit: a story may have thousands)
_READ = 256


def confirmed_senders(
    connection: Connection,
    after: int,
    last: int,
    snapshot: StreamSnapshot,
    agreement: float,
) -> set[str]:
    """Return the senders without standing that others confirmed, from inbox number `after` up to `last`.

    `agreement` is the least likeness of words that confirm each other, see `shared_beside_title`.
    """
    senders: set[str] = set()
    reported = stream_history.reported_before_others(connection, after, last)
    for story, ids in reported.items():
        members = [
            member
            for member in stored_articles.read_articles_of(connection, story)
            if member.inbox_no <= last
        ][:_READ]
        words = {member.id: PairArticle(member) for member in members if member.terms}
        for article in members:
            if (
                article.id in ids
                and article.id in words
                and sender_of(article) not in senders
                and _is_confirmed(article, members, words, snapshot, agreement)
            ):
                senders.add(sender_of(article))
    return senders


def _is_confirmed(
    article: Article,
    members: list[Article],
    words: dict[str, PairArticle],
    snapshot: StreamSnapshot,
    agreement: float,
) -> bool:
    """Return whether later reports of others have the words that an article reported first.

    If the story has reports with standing, only these may confirm the article.
    """
    own = words[article.id]
    reported = beside_title(own) if own.body_words else own.parts[TITLE]
    has_standing = any(not other.is_little_known for other in members)
    reports = []
    for other in members:
        if other.id not in words or sender_of(other) == own.sender:
            continue
        if other.inbox_no < own.inbox:
            reported = np.setdiff1d(reported, words[other.id].parts[TEXT])
        elif (
            other.role == "report"
            and other.counts_as_report
            and origin_link(other) is None
            and other.version_of is None
            and other.outlet_key != own.outlet
            and not is_mail_address(other.outlet_key)
            and not (has_standing and other.is_little_known)
        ):
            reports.append(words[other.id])
    return shared_beside_title(reported, reports, snapshot) >= agreement
