"""Links from the entries of live blogs to stories (ADR 21).

A live blog is in one story and reports on others. Each timed entry is scored like a short article against the
live stories, and linked to the best one if its score is clearly above the threshold of a report. A link is
not counted.

Stories may appear after the entries that report on them. So entries are linked when the live blog is placed
or revised, and again a few times at growing distances of inbox numbers. These are stored, so a replay of the
same articles gives the same links.
"""

import datetime as dt
from collections.abc import Iterator

from aggregator.cluster.events.scorer import ScoredCandidate, Scorer, ScoringInput, is_open
from aggregator.cluster.fingerprint import LiveBlogLinkTuning, entry_title
from aggregator.cluster.vetoes.vetoes import VetoInput, VetoTuning, objections
from aggregator.model.core import CleanArticle, Fingerprint, TimedEntry, TimedEntryFingerprint
from aggregator.pipeline.placement.story_writer import StoryWriter, UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, live_blog_links
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.live_blog_links import EntryLink, LiveBlog

_VETO_INPUTS = 8  # newest reports of a story that a veto compares with
_RIVALS = 3  # best stories of an entry that vetoes check


class LiveBlogLinker:
    """Links entries. For one thread of the writer."""

    def __init__(
        self, story_writer: StoryWriter, scorer: Scorer, tuning: LiveBlogLinkTuning, veto_tuning: VetoTuning
    ) -> None:
        self._story_writer = story_writer
        self._scorer = scorer
        self._tuning = tuning
        self._veto_tuning = veto_tuning
        self._linked_at = -1  # number of the last period

    def forget(self) -> None:
        """Forget the last run: its transaction failed."""
        self._linked_at = -1

    def placed(self, unit_of_work: UnitOfWork, n: int, fingerprint: Fingerprint, *, at_no: int) -> None:
        """Schedule the links of article `n`, placed or revised at inbox number `at_no`."""
        if fingerprint.entries:
            live_blog_links.keep(unit_of_work.connection, n, fingerprint.entries, due_no=at_no)
            self._link(unit_of_work, n, at_no=at_no, is_first=True)
        elif at_no != n:
            live_blog_links.forget(unit_of_work.connection, n)  # a revision may have taken its entries away

    @staticmethod
    def has_lost_its_page(connection: Connection, old: StoredArticle, clean: CleanArticle) -> bool:
        """Whether a live blog is received again without its entries, because its page could not be read.

        Then it keeps its entries; a page with less text has fewer entries, not none.
        """
        is_less = not clean.timed and len(clean.text) < len(old.text)
        return is_less and live_blog_links.is_live(connection, old.inbox_no)

    def before(self, unit_of_work: UnitOfWork, inbox_no: int) -> None:
        """Link again what is due before the article of this inbox number is placed."""
        period = inbox_no // self._tuning.relink_after
        if period == self._linked_at:
            return
        self._linked_at = period
        at_no = period * self._tuning.relink_after
        for n in live_blog_links.due(unit_of_work.connection, at_no, limit=self._tuning.relink_at_once):
            self._link(unit_of_work, n, at_no=at_no)
        # In the rows, so that a restart within the period links no others than these.
        live_blog_links.postpone(unit_of_work.connection, at_no, due_no=at_no + self._tuning.relink_after)

    def _link(self, unit_of_work: UnitOfWork, n: int, *, at_no: int, is_first: bool = False) -> None:
        blog = live_blog_links.live_blog_of(unit_of_work.connection, n)
        tuning = self._tuning
        links = [
            found
            for fingerprint in blog.entry_fingerprints
            if (found := self._story_of_entry(unit_of_work, blog, fingerprint, at_no))
        ]
        round_ = 0 if is_first else blog.link_round + 1
        wait = tuning.relink_after * tuning.relink_factor**round_
        due_no = at_no + wait if round_ < tuning.relink_rounds else None
        live_blog_links.link(unit_of_work.connection, n, links, times=round_, due_no=due_no)

    def _story_of_entry(
        self, unit_of_work: UnitOfWork, blog: LiveBlog, fingerprint: TimedEntryFingerprint, at_no: int
    ) -> EntryLink | None:
        """Return the story of an entry; None if no story fits, or its own story fits best."""
        if fingerprint.position >= len(blog.timed):
            return None
        entry = blog.timed[fingerprint.position]
        article = ScoringInput(
            terms=fingerprint.terms,
            minutes=_minutes(entry, blog),
            body_words=fingerprint.body_words,
            inbox=at_no,
        )
        best = next(self._fitting(unit_of_work, blog, entry, article), None)
        if best is None or best.candidate.story == blog.story:
            return None
        return EntryLink(position=fingerprint.position, story=best.candidate.story, score=best.score)

    def _fitting(
        self, unit_of_work: UnitOfWork, blog: LiveBlog, entry: TimedEntry, article: ScoringInput
    ) -> Iterator[ScoredCandidate]:
        """Return the stories with reports that an entry fits, the best first."""
        index = self._story_writer.index(unit_of_work.connection)
        model = self._scorer.model
        open_ones = [
            one
            for one in index.candidates(article)
            if is_open(article, one, model) and not one.summary.is_container_only
        ]
        scored = sorted(
            self._scorer.score(article, open_ones), key=lambda one: (-one.score, one.candidate.number)
        )
        for one in scored[:_RIVALS]:
            if one.score < one.need + self._tuning.margin:
                continue
            story = one.candidate.story
            rows = articles.compared_rows(unit_of_work.connection, [story], _VETO_INPUTS)[story]
            others = [row.as_veto_input(model.tuning.bodyless_words) for row in rows]
            veto_input = VetoInput(
                title=entry_title(entry.text),
                lead=entry.text,
                language=blog.language,
                outlet=blog.outlet,
                minutes=article.minutes,
                bodyless=article.bodyless(model),
            )
            after = one.corrected(objections(veto_input, others, self._veto_tuning))
            if after.score >= after.need + self._tuning.margin:
                yield after


def _minutes(entry: TimedEntry, blog: LiveBlog) -> int | None:
    """Return the time of the entry: its own, else the time of day of the live blog, else its date."""
    time = entry.time
    if time is None and entry.day is not None:
        midnight = dt.datetime.combine(entry.day, dt.time(), dt.UTC)
        time = midnight + dt.timedelta(minutes=entry.clock_minutes)
    time = time or blog.published
    return None if time is None else int(time.timestamp() // 60)
