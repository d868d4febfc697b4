"""Compares articles with the newest reports of stories: pair model, guards, and the history of the stream.

The stream history is divided into periods. A period ends before the first entry that was accepted on a later
day (UTC), so decisions depend on the inbox and not on the moment of placing. After a clock that was wrong by
more than the days of a snapshot, a period ends with the first entry of the right time.
"""

import datetime as dt
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import msgspec
import numpy as np

from aggregator.cluster.copies.copy_check import ComparedText, own_words
from aggregator.cluster.events.pair_features import (
    AT,
    Floats,
    PairArticle,
    beside_title,
    shared_beside_title,
)
from aggregator.cluster.events.pair_model import (
    STREAM,
    ComparedPair,
    PairModel,
    PairTuning,
    compare_pairs,
    reasons_of,
    stream_shift,
)
from aggregator.cluster.events.scorer import Candidate, ScoredCandidate
from aggregator.cluster.events.story_index import StoryCache
from aggregator.cluster.events.stream import StreamSnapshot, pack_frequencies
from aggregator.cluster.events.term_codec import HASH_BITS, ids_of, read
from aggregator.cluster.events.terms import TermPacker
from aggregator.cluster.events.title_frames import are_alike
from aggregator.cluster.events.weights import EventModel
from aggregator.config.tuning import Tuning
from aggregator.model.core import Agreement, Evidence, Reason
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, stream_history
from aggregator.store.stories.articles import MemberRow, NewArticle
from aggregator.store.stories.stream_history import StreamPeriod

log = logging.getLogger(__name__)

_DAY = dt.timedelta(days=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_PERIODS_KEPT = (
    2  # times the days of a snapshot, so that some entries of a wrong time drop none of its periods
)
_ARTICLES_KEPT = 2_000  # decoded articles in memory, about 10 KB each
_STORIES_KEPT = 2_000  # stories whose newest reports are in memory, about 3 KB each report
_PAIRS_KEPT = 100_000  # logits in memory, about 200 bytes each
_WITH_REASONS = 2  # stories of a decision: the best and the runner-up
_TEXTS_READ = 3  # times the compared reports: texts searched for the sentences of a little-known source
_PERIOD_ARTICLES = 100_000  # newest articles of a day that are counted (limit)


def pair_of(row: MemberRow) -> PairArticle:
    """Return a stored article as the pair model sees it."""
    return PairArticle(
        row.as_article(),
        title=row.title,
        outlet=row.outlet,
        source=row.source,
        nearest=row.nearest or b"",
    )


def has_report(rows: Sequence[MemberRow]) -> bool:
    """Return whether a story has a counted report; `rows`: of `newest_reports`."""
    return bool(rows) and not rows[0].is_opinion


def deciding(rows: Sequence[MemberRow]) -> list[MemberRow]:
    """Return those of `newest_reports` that decide what joins: opinions only where there is no report."""
    return [row for row in rows if not row.is_opinion] or list(rows)


def is_foreign_text(
    own: PairArticle,
    reports: Sequence[PairArticle],
    snapshot: StreamSnapshot,
    tuning: PairTuning,
    stub_words: int,
) -> bool:
    """Return whether an article has the headline of a report, but a body whose words are those of none.

    Anyone can publish a headline of others, and "lifts its key rate to 4.25 per cent" may be of two banks.
    Bodies of fewer than `stub_words` words do not count.
    """
    others = [one for one in reports if one.body_words >= stub_words]
    if own.body_words < stub_words or not any(
        are_alike(own.title_pieces, one.title_pieces, tuning.headline_share) for one in others
    ):
        return False
    return shared_beside_title(beside_title(own), others, snapshot) < tuning.agreement


class ReportComparison:
    """Compares articles with stories. Keeps decoded articles and comparisons of the present snapshot."""

    def __init__(self, model: EventModel, all_tuning: Tuning) -> None:
        self.tuning = all_tuning.section("pairs", PairTuning)
        self._event_tuning = model.tuning
        self._model = model
        self._window_days = int(model.tuning.window_days)
        self._snapshot: StreamSnapshot | None = None
        self._latest: list[StreamPeriod | None] = []  # the newest closed period; []: not read yet
        self._undated_from: int | None = None  # see `undated_from`; None: not read yet
        self._inbox_no = -1  # of the article that is being placed
        self._rows: StoryCache[Sequence[MemberRow]] = StoryCache(_STORIES_KEPT)
        self._decoded: OrderedDict[int, PairArticle] = OrderedDict()
        self._pairs: dict[tuple[int, int], float] = {}  # logits by inbox numbers, the lower first
        self._last: deque[str] | None = None  # stories of the last articles; None: not read yet
        self._shared: set[str] = set()  # those of them that have other articles
        self._articles: Counter[str] = Counter()  # not written yet
        self._matches: Counter[str] = Counter()
        self._counted_up_to = -1  # inbox number, see `count_after`

    @cached_property
    def model(self) -> PairModel:
        """The pair model, read with the first article: it takes 8 MB."""
        return PairModel()

    @cached_property
    def _packer(self) -> TermPacker:
        return TermPacker(self._model)

    def forget(self) -> None:
        """Forget what was read in a transaction that failed."""
        self.forget_rows()
        self._articles.clear()
        self._matches.clear()
        self.regrouped()

    def forget_rows(self) -> None:
        """Forget what can be read or computed again."""
        self._forget_periods()
        self._rows.clear()
        self._decoded.clear()

    def regrouped(self) -> None:
        """Forget which of the last articles are alone in their stories."""
        self._last = None

    def _forget_periods(self) -> None:
        self._snapshot = None
        self._latest = []
        self._undated_from = None
        self._pairs.clear()

    # --- stream history -----------------------------------------------------------------------------------

    def before(self, connection: Connection, inbox_no: int, accepted_at: dt.datetime) -> None:
        """Close the present period if the entry with this number was accepted on a later day."""
        self._inbox_no = inbox_no
        day, latest = (accepted_at - _EPOCH) // _DAY, self._newest_period(connection)
        present = -1 if latest is None else latest.day + 1
        if present - self.tuning.stream_days <= day <= present:
            return
        after = -1 if latest is None else latest.last_inbox_no
        after = max(after, inbox_no - _PERIOD_ARTICLES)
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
            first = max(after, period.last_inbox_no + 1 - _PERIOD_ARTICLES)
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

    def count_after(self, inbox_no: int) -> None:
        """Count only articles after this one; those before it are counted already."""
        self._counted_up_to = inbox_no

    def placed(self, new: NewArticle) -> None:
        """Count a new article for the stream and for its source; see `write_counts`."""
        story, has_joined = new.placement.story, not new.placement.founded
        if self._last is not None and new.placement.role != "copy":
            self._last.append(story)
            if has_joined:
                self._shared.add(story)
        if new.outlet is not None and self._inbox_no > self._counted_up_to:
            self._articles[new.source] += 1
            self._matches[new.source] += has_joined

    def write_counts(self, connection: Connection) -> None:
        """Write what `placed` counted in this transaction."""
        counts = {one: (self._articles[one], self._matches[one]) for one in self._articles}
        stream_history.count_sources(connection, counts)
        self._articles.clear()
        self._matches.clear()

    def shift(self, connection: Connection, source: str | None = None) -> float:
        """Return what the stream, and the source of an article, add to a score: see pair_model.py."""
        if self._last is None:
            last = articles.last_stories(connection, self.tuning.stream_articles)
            self._last = deque((story for story, _ in last), maxlen=self.tuning.stream_articles)
            self._shared = {story for story, is_shared in last if is_shared}
        counts = (0, 0) if source is None else self.snapshot(connection).counts_of(source)
        self._shared.intersection_update(self._last)
        shared = sum(story in self._shared for story in self._last)
        return stream_shift(shared, len(self._last), self.tuning, counts)

    # --- comparison ---------------------------------------------------------------------------------------

    def article(self, row: MemberRow) -> PairArticle:
        """Return a stored article, decoded."""
        found = self._decoded.get(row.inbox_no)
        if found is None or not row.terms:  # retention dropped them meanwhile
            found = self._keep(pair_of(row))
        return found

    def _keep(self, article: PairArticle) -> PairArticle:
        self._decoded[article.inbox] = article
        if len(self._decoded) > _ARTICLES_KEPT:
            self._decoded.popitem(last=False)
        return article

    def revised(self, inbox_no: int) -> None:
        """Forget an article whose text has changed."""
        self._decoded.pop(inbox_no, None)
        self._pairs.clear()

    def scored(
        self, connection: Connection, own: PairArticle, candidates: Sequence[Candidate]
    ) -> list[ScoredCandidate]:
        """Compare a new article with the newest reports of each story that is open to it.

        It knows its nearest neighbours then.
        """
        if not candidates:
            return []
        newest = {n: deciding(rows) for n, rows in self.newest_reports(connection, candidates).items()}
        met = {row.inbox_no: self.article(row) for rows in newest.values() for row in rows if row.terms}
        found: dict[int, ComparedPair] = {}
        if len(own.ids):
            reports = [*met.values()]
            pairs, own.nearest = compare_pairs(
                self.model, own, reports, self.snapshot(connection), has_come=True
            )
            found = {one.inbox: pair for one, pair in zip(reports, pairs, strict=True)}
        self._remember(own, found)
        shift = self.shift(connection, own.source)
        stories = []
        for candidate in candidates:
            rows = newest[candidate.number]
            pairs = [found[row.inbox_no] for row in rows if row.inbox_no in found]
            texts = sum(float(pair.features[AT["all"]]) for pair in pairs if pair.is_compared)
            if not texts:
                continue
            score = sum(pair.logit for pair in pairs) / len(pairs) + shift
            if score < self._event_tuning.threshold or self.may_hold(connection, own, rows):
                stories.append(ScoredCandidate(candidate, score, (), texts / len(pairs)))
        return self._with_reasons(stories, newest, found, shift)

    def _with_reasons(
        self,
        scored: list[ScoredCandidate],
        newest: Mapping[int, Sequence[MemberRow]],
        found: Mapping[int, ComparedPair],
        shift: float,
    ) -> list[ScoredCandidate]:
        """Return the stories, best first; the best two, which are named, with the reasons of the score."""
        ranked = sorted(scored, key=lambda one: (-one.score, one.candidate.number))
        for place, one in enumerate(ranked[:_WITH_REASONS]):
            pairs = [found[row.inbox_no] for row in newest[one.candidate.number] if row.inbox_no in found]
            ranked[place] = msgspec.structs.replace(one, reasons=self._reasons(pairs, shift))
        return ranked

    def reasons(
        self, connection: Connection, own: PairArticle, others: Sequence[PairArticle], shift: float
    ) -> tuple[Reason, ...]:
        """Return what adds up to the mean score of an article with others, `shift` of the stream included."""
        return self._reasons(compare_pairs(self.model, own, others, self.snapshot(connection)).pairs, shift)

    def _reasons(self, pairs: Sequence[ComparedPair], shift: float) -> tuple[Reason, ...]:
        return (*reasons_of(self.model, pairs), Reason(name=STREAM, value=shift, share=shift))

    def newest_reports(
        self, connection: Connection, stories: Iterable[Candidate]
    ) -> dict[int, Sequence[MemberRow]]:
        """Return the newest reports of stories by number, then opinions: as many as anything reads."""

        def read(missing: Sequence[Candidate]) -> dict[int, Sequence[MemberRow]]:
            found = articles.compared_rows(
                connection, [one.story for one in missing], self.tuning.compared_reports
            )
            return {one.number: found[one.story] for one in missing}

        return self._rows.get(stories, read)

    def joined(self, new: NewArticle, own: PairArticle, before: Candidate | None, after: Candidate) -> None:
        """Remember that a new article, `own`, joined a story or founded one (`before` is None)."""
        if new.counts_in_centroid:
            self._keep(own)
        known = self._rows.kept(before) if before else []
        if known is not None:
            rows = [articles.member_of(new)] if new.counts_in_centroid else []
            newest = sorted((*rows, *known), key=lambda row: (row.is_opinion, row.is_little_known))
            self._rows.put(after, newest[: self.tuning.compared_reports])

    def logits(
        self, connection: Connection, own: Sequence[PairArticle], others: Sequence[PairArticle]
    ) -> Floats:
        """Return the logit of each article with each other one: a row an article."""
        rows = []
        for one in own:
            missing = [other for other in others if _pair(one.inbox, other.inbox) not in self._pairs]
            if missing:
                compared, _ = compare_pairs(self.model, one, missing, self.snapshot(connection))
                self._remember(one, {each.inbox: pair for each, pair in zip(missing, compared, strict=True)})
            rows.append([self._pairs[_pair(one.inbox, other.inbox)] for other in others])
        return np.array(rows)

    def _remember(self, own: PairArticle, found: Mapping[int, ComparedPair]) -> None:
        if len(self._pairs) >= _PAIRS_KEPT:
            self._pairs.clear()
        for inbox, pair in found.items():
            self._pairs[_pair(own.inbox, inbox)] = pair.logit

    def may_hold(self, connection: Connection, own: PairArticle, rows: Sequence[MemberRow]) -> bool:
        """Return whether a story, of which `rows` are the newest reports, is open to an article.

        A report does not join a story of opinions and explainers only, nor a text that is foreign to it.
        """
        if not own.is_opinion and rows and not has_report(rows):
            return False
        return not self.is_foreign(connection, own, [self.article(row) for row in rows])

    def is_foreign(self, connection: Connection, own: PairArticle, reports: Sequence[PairArticle]) -> bool:
        """Return whether a text stands under a headline of others: see `is_foreign_text`."""
        return is_foreign_text(own, reports, self.snapshot(connection), self.tuning, self._model.stub_words)

    def is_little_known(self, connection: Connection, source: str) -> bool:
        """Return whether a source had published too little before the day to be believed alone."""
        return self.snapshot(connection).counts_of(source)[0] < self.tuning.known_articles

    def agreement(
        self, connection: Connection, own: PairArticle, text: ComparedText, story: str
    ) -> Agreement | None:
        """Return how much an article agrees with the counted reports of others in a story.

        None if its source is known, or nobody else has reported.

        Anyone can publish a headline of others, and the sentences below it. A text that others confirm in
        words of its own is about the event.
        """
        if not self.is_little_known(connection, own.source):
            return None
        newest = articles.vouching_rows(connection, story, _TEXTS_READ * self.tuning.compared_reports + 1)
        counted = [row for row in newest if row.source != own.source]  # nobody vouches for himself
        pairs = [self.article(row) for row in counted[: self.tuning.compared_reports]]
        if not any(len(beside_title(one)) for one in pairs):
            return None  # bare headlines can neither confirm nor deny a text
        texts = articles.compared_texts(connection, [row.id for row in counted])
        words, copied = own_words(text, [*texts.values()])
        packed = self._packer.pack("", words, text.language)
        beside = beside_title(own)
        if copied is not None:
            own_terms = ids_of(read(packed)) & ((1 << HASH_BITS) - 1)
            is_mostly_own = 2 * len(words) > len(text.text)
            beside = np.intersect1d(beside, own_terms if is_mostly_own else own_terms[:0])
        return Agreement(
            shared=shared_beside_title(beside, pairs, self.snapshot(connection)),
            need=self.tuning.agreement,
            source_articles=self.snapshot(connection).counts_of(own.source)[0],
            copied=copied,
        )

    def agreement_of_copy(self, connection: Connection, source: str, original: str) -> Agreement | None:
        """Return the agreement of the original of a copy; None if the source of the copy is known."""
        if not self.is_little_known(connection, source):
            return None
        return articles.evidence_of(connection, original).agreement

    def with_agreement(self, connection: Connection, id: str, story: str, evidence: Evidence) -> Evidence:  # noqa: A002
        """Return the evidence of an article that moves to a story, with its agreement there."""
        row, agreement = articles.member(connection, id), None
        if row.is_polled:
            text = articles.compared_texts(connection, [id])[id]
            agreement = self.agreement(connection, self.article(row), text, story)
        return msgspec.structs.replace(evidence, agreement=agreement)


def _pair(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
