"""Compares articles with the newest reports of stories: pair model, vetoes, and the history of the stream.

The stream history is divided into periods. A period ends before the first entry that was accepted on a later
day (UTC), so decisions depend on the inbox and not on the moment of placing. After a clock that was wrong by
more than the days of a snapshot, a period ends with the first entry of the right time.
"""

import datetime as dt
import logging
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from aggregator.cluster.events.pair_model import (
    ComparedPair,
    PairArticle,
    PairComparison,
    PairModel,
    PairTuning,
    beside_title,
    combined,
    shared_beside_title,
)
from aggregator.cluster.events.scorer import Candidate
from aggregator.cluster.events.story_index import StoryCache
from aggregator.cluster.events.stream import StreamSnapshot, pack_frequencies
from aggregator.cluster.events.weights import EventModel
from aggregator.cluster.vetoes.vetoes import VetoInput, VetoTuning, objections
from aggregator.config.tuning import Tuning
from aggregator.model.core import OPINION_KINDS, Agreement, Evidence, Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, stream_history
from aggregator.store.stories.articles import ComparedRow, NewArticle
from aggregator.store.stories.stream_history import StreamPeriod

log = logging.getLogger(__name__)

_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PERIODS_KEPT = (
    2  # times the days of a snapshot, so that some entries of a wrong time drop none of its periods
)
_ARTICLES_KEPT = 2_000  # decoded articles in memory, about 10 KB each
_STORIES_KEPT = 2_000  # stories whose newest reports are in memory, about 3 KB each report
_PAIRS_KEPT = 50_000  # comparisons in memory, about 600 bytes each


def _of_all(reason: Reason, compared: int, report_count: int) -> Reason:
    """What speaks for a story counts for its compared reports only: the newest ones may have drifted away."""
    if reason.share <= 0 or report_count <= compared:
        return reason
    return msgspec.structs.replace(reason, share=reason.share * compared / report_count)


class ComparedArticle(NamedTuple):
    """An article as the pair model and the vetoes see it."""

    pair: PairArticle
    veto: VetoInput


class ComparedStory(NamedTuple):
    """A story with which an article is compared."""

    id: str
    newest: Sequence[ComparedArticle]  # reports, the newest first
    report_count: int
    rows: Sequence[ComparedRow]  # of `newest` and, as far as they are in memory, of older ones
    is_own: bool = False  # the article is in it

    def others(self, own: ComparedArticle, tuning: PairTuning) -> Sequence[ComparedArticle]:
        """Return the newest reports besides the article, at most as many as are compared."""
        return [one for one in self.newest if one.pair.inbox != own.pair.inbox][: tuning.compared_reports]


class ReportComparison:
    """Compares articles with stories. Keeps decoded articles and comparisons of the present snapshot."""

    def __init__(self, model: EventModel, all_tuning: Tuning) -> None:
        self.tuning = all_tuning.section("pairs", PairTuning)
        self._bodyless_words = model.tuning.bodyless_words
        self._window_days = int(model.tuning.window_days)
        self._veto_tuning = all_tuning.section("vetoes", VetoTuning)
        self._pair_model = PairModel(model, self.tuning)
        self._snapshot: StreamSnapshot | None = None
        self._latest: list[StreamPeriod | None] = []  # the newest closed period; []: not read yet
        self._undated_from: int | None = None  # see `undated_from`; None: not read yet
        self._inbox_no = -1  # of the article that is being placed
        most = max(model.tuning.reassess_members, model.tuning.reassess_veto_checks)
        self._newest = max(most, self.tuning.compared_reports + 1)  # of a story, see `newest_reports`
        self._rows: StoryCache[Sequence[ComparedRow]] = StoryCache(_STORIES_KEPT)
        self._decoded: OrderedDict[int, ComparedArticle] = OrderedDict()
        self._pairs: dict[tuple[int, int], ComparedPair] = {}  # by inbox numbers, in order
        self._articles: Counter[str] = Counter()  # not written yet
        self._matches: Counter[str] = Counter()
        self._counted_up_to = -1  # inbox number, see `count_after`
        self._matched: set[str] = set()  # sources of other outlets that report the same as that article

    def forget(self) -> None:
        """Forget what was read in a transaction that failed."""
        self._forget_periods()
        self._rows.clear()
        self._decoded.clear()
        self._articles.clear()
        self._matches.clear()

    def _forget_periods(self) -> None:
        self._snapshot = None
        self._latest = []
        self._undated_from = None
        self._pairs.clear()

    # --- stream history -----------------------------------------------------------------------------------

    def before(self, connection: Connection, inbox_no: int, accepted_at: dt.datetime) -> None:
        """Close the present period if the entry with this number was accepted on a later day."""
        self._inbox_no = inbox_no
        self._matched.clear()
        day, latest = (accepted_at - _EPOCH) // _DAY, self._newest_period(connection)
        present = -1 if latest is None else latest.day + 1
        if present - self.tuning.stream_days <= day <= present:
            return
        after = -1 if latest is None else latest.last_inbox_no
        after = max(after, inbox_no - self.tuning.period_articles)
        most = self.tuning.period_source_articles
        count, packed = pack_frequencies(stream_history.terms_between(connection, after, inbox_no - 1, most))
        number = 1 if latest is None else latest.number + 1
        period = StreamPeriod(number, day - 1, inbox_no - 1, count, packed)
        self.write_counts(connection)
        stream_history.close_period(connection, period, keep=_PERIODS_KEPT * self.tuning.stream_days)
        self._forget_periods()
        self._latest = [period]

    def restore(self, connection: Connection) -> None:
        """Count the words of periods again that the snapshot needs and whose frequencies were dropped."""
        latest = stream_history.latest(connection)
        if latest is None:
            return
        for after, period in stream_history.dropped_from(
            connection, latest.day + 1 - self.tuning.stream_days
        ):
            first = max(after, period.last_inbox_no + 1 - self.tuning.period_articles)
            most = self.tuning.period_source_articles
            terms = stream_history.terms_between(connection, first, period.last_inbox_no, most)
            _, packed = pack_frequencies(terms)
            stream_history.restore_terms(connection, period.number, packed)
        self.forget()

    def _newest_period(self, connection: Connection) -> StreamPeriod | None:
        self._latest = self._latest or [stream_history.latest(connection)]
        return self._latest[0]

    def undated_from(self, connection: Connection) -> int:
        """Return the first inbox number that was accepted within the window before the present day."""
        if self._undated_from is None:
            latest = self._newest_period(connection)
            day = 0 if latest is None else latest.day + 1 - self._window_days
            self._undated_from = stream_history.first_accepted(connection, day)
        return self._undated_from

    def snapshot(self, connection: Connection) -> StreamSnapshot:
        """Return the snapshot as of the newest closed period."""
        if self._snapshot is None:
            history = stream_history.snapshot(connection, self.tuning.stream_days)
            try:
                self._snapshot = StreamSnapshot(*history)
            except ValueError as error:
                log.warning(
                    "the word frequencies of the last days are damaged (%s), and are counted again",
                    error,
                    extra={"event": "stream_history_damaged"},
                )
                stream_history.drop_terms(connection, history.number)
                self.restore(connection)
                history = stream_history.snapshot(connection, self.tuning.stream_days)
                self._snapshot = StreamSnapshot(*history)
        return self._snapshot

    def copied(self, source: str) -> None:
        """Note that the article being placed is a copy of what this source, of another outlet, published."""
        self._matched.add(source)

    def count_after(self, inbox_no: int) -> None:
        """Count only articles after this one; those before it are counted already."""
        self._counted_up_to = inbox_no

    def placed(self, source: str) -> None:
        """Count a new article of a source, and the sources that reported the same; see `write_counts`."""
        if self._inbox_no <= self._counted_up_to:
            return
        self._articles[source] += 1
        self._matches[source] += bool(self._matched)
        self._matches.update(self._matched)

    def write_counts(self, connection: Connection) -> None:
        """Write what `placed` counted in this transaction."""
        sources = {*self._articles, *self._matches}
        counts = {one: (self._articles[one], self._matches[one]) for one in sources}
        stream_history.count_sources(connection, counts)
        self._articles.clear()
        self._matches.clear()

    # --- comparison ---------------------------------------------------------------------------------------

    def article(self, row: ComparedRow) -> ComparedArticle:
        """Return a stored article, decoded."""
        found = self._decoded.get(row.inbox_no)
        if found is None or not row.terms:  # retention dropped them meanwhile
            article = row.as_article()
            veto = row.as_veto_input(self._bodyless_words)
            pair = PairArticle(article, outlet=row.outlet, title=row.title, source=row.source)
            found = self._decoded[row.inbox_no] = ComparedArticle(pair, veto)
            if len(self._decoded) > _ARTICLES_KEPT:
                self._decoded.popitem(last=False)
        return found

    def revised(self, inbox_no: int) -> None:
        """Forget an article whose text has changed."""
        self._decoded.pop(inbox_no, None)
        self._pairs.clear()

    def corrections_of(
        self, connection: Connection, own: ComparedArticle, candidates: Sequence[Candidate]
    ) -> list[tuple[Reason, ...]]:
        """Return the corrections of the score of a new article in each candidate."""
        newest = self.newest_reports(connection, candidates)
        stories = [
            ComparedStory(one.story, self.compared(rows), one.summary.reports, rows)
            for one in candidates
            for rows in (newest[one.number],)
        ]
        return self.corrections(connection, own, stories)

    def newest_reports(
        self, connection: Connection, stories: Iterable[Candidate]
    ) -> dict[int, Sequence[ComparedRow]]:
        """Return the newest reports of stories by number: as many as anything reads."""

        def read(missing: Sequence[Candidate]) -> dict[int, Sequence[ComparedRow]]:
            found = articles.compared_rows(connection, [one.story for one in missing], self._newest)
            return {one.number: found[one.story] for one in missing}

        return self._rows.get(stories, read)

    def joined(self, new: NewArticle, before: Candidate | None, after: Candidate) -> None:
        """Remember that a new article joined a story or founded one (`before` is None)."""
        known = self._rows.kept(before) if before else []
        if known is not None:
            rows = [articles.compared_row_of(new)] if new.counts_in_centroid else []
            self._rows.put(after, [*rows, *known][: self._newest])

    def compared(self, rows: Sequence[ComparedRow]) -> list[ComparedArticle]:
        """Return those of a story's newest articles with which another is compared, decoded.

        One more than compared, as an article is not compared with itself.
        """
        return [self.article(row) for row in rows[: self.tuning.compared_reports + 1]]

    def compare(
        self, connection: Connection, reports: Sequence[ComparedArticle], story: ComparedStory
    ) -> None:
        """Compare reports of a story with its newest ones at once, as `corrections` of each would.

        One call for each of the newest instead of one for each report: mostly a single one of them is new.
        """
        beside: dict[int, list[PairArticle]] = {}  # by inbox number of one of the newest
        for own in reports:
            for other in story.others(own, self.tuning):
                if len(own.pair.ids) and len(other.pair.ids):
                    beside.setdefault(other.pair.inbox, []).append(own.pair)
        for newest in story.newest:
            one = newest.pair
            missing = [each for each in beside.get(one.inbox, ()) if _pair(one, each) not in self._pairs]
            self._remember_pairs(connection, one, missing)

    def corrections(
        self, connection: Connection, own: ComparedArticle, stories: Sequence[ComparedStory]
    ) -> list[tuple[Reason, ...]]:
        """Return the corrections of an article's score in each story.

        In its own story it is only compared: vetoes would take a report out of a story that it started.
        """
        others = [story.others(own, self.tuning) for story in stories]
        comparisons = self._compare(connection, own.pair, others)
        return [
            self._corrections(connection, own, *each)
            for each in zip(stories, others, comparisons, strict=True)
        ]

    def _corrections(
        self,
        connection: Connection,
        own: ComparedArticle,
        story: ComparedStory,
        others: Sequence[ComparedArticle],
        comparison: PairComparison | None,
    ) -> tuple[Reason, ...]:
        reasons: tuple[Reason, ...] = ()
        if comparison is not None:
            if own.pair.inbox == self._inbox_no:
                self._matched |= comparison.matched
            compared = sum(1 for one in others if len(one.pair.ids))
            reasons = tuple(_of_all(one, compared, story.report_count) for one in comparison.reasons)
        if story.is_own:
            return reasons
        opinions = [one.pair.is_opinion for one in others]
        is_report_among_opinions = bool(opinions) and all(opinions) and not own.pair.is_opinion
        if is_report_among_opinions and not self.has_report(connection, story.id, story.rows):
            share = -self._veto_tuning.headline_logits
            reasons += (Reason(name="story of opinions", value=1.0, share=share),)
        return reasons + objections(own.veto, [one.veto for one in others], self._veto_tuning)

    def has_report(self, connection: Connection, story: str, rows: Sequence[ComparedRow]) -> bool:
        """Return whether a counted article is a report, no opinion; `rows`: of `newest_reports`."""
        is_in_memory = any(row.kind not in OPINION_KINDS for row in rows)
        return is_in_memory or (len(rows) >= self._newest and articles.has_report(connection, story))

    def agreement(self, connection: Connection, own: PairArticle, story: str) -> Agreement | None:
        """Return how much an article agrees with the counted reports of a story; None if its source is known.

        Anyone can publish a headline of others. A text that others confirm is about the event.
        """
        known = self.snapshot(connection).articles_of(own.source)
        if known >= self.tuning.known_articles:
            return None
        newest = articles.vouching_rows(connection, story, self.tuning.compared_reports + 1)
        counted = [row for row in newest if row.inbox_no != own.inbox]
        pairs = [self.article(row).pair for row in counted[: self.tuning.compared_reports]]
        if not any(len(beside_title(one)) for one in pairs):
            return None  # bare headlines can neither confirm nor deny a text
        shared = shared_beside_title(own, pairs, self.snapshot(connection))
        return Agreement(shared=shared, need=self.tuning.agreement, source_articles=known)

    def agreement_of_copy(self, connection: Connection, source: str, original: str) -> Agreement | None:
        """Return the agreement of the original of a copy; None if the source of the copy is known."""
        if self.snapshot(connection).articles_of(source) >= self.tuning.known_articles:
            return None
        return articles.evidence_of(connection, original).agreement

    def with_agreement(self, connection: Connection, id: str, story: str, evidence: Evidence) -> Evidence:  # noqa: A002
        """Return the evidence of an article that moves to a story, with its agreement there."""
        row = articles.compared_row(connection, id)
        agreement = self.agreement(connection, self.article(row).pair, story) if row.is_polled else None
        return msgspec.structs.replace(evidence, agreement=agreement)

    def _compare(
        self, connection: Connection, own: PairArticle, stories: Sequence[Sequence[ComparedArticle]]
    ) -> list[PairComparison | None]:
        """Return the comparison with each story; None for a story without terms."""
        reports = [[one.pair for one in story if len(one.pair.ids)] for story in stories]
        if len(self._pairs) >= _PAIRS_KEPT:
            self._pairs.clear()
        missing = {one.inbox: one for story in reports for one in story if _pair(own, one) not in self._pairs}
        self._remember_pairs(connection, own, [*missing.values()])
        return [
            combined([self._pairs[_pair(own, one)] for one in story], story) if story else None
            for story in reports
        ]

    def _remember_pairs(
        self, connection: Connection, own: PairArticle, others: Sequence[PairArticle]
    ) -> None:
        if others:
            compared = self._pair_model.compare_pairs(own, others, self.snapshot(connection))
            self._pairs |= zip((_pair(own, one) for one in others), compared, strict=True)


def _pair(one: PairArticle, other: PairArticle) -> tuple[int, int]:
    return (one.inbox, other.inbox) if one.inbox < other.inbox else (other.inbox, one.inbox)
