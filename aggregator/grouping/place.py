"""Placing: each incoming article gets its place, and the decision is stored in one transaction.

This is the only writer of stories. What is in memory (the window, sampled shingles) is derived from rows;
after a failed transaction it is dropped and read again.
"""

import datetime as dt
import logging
import traceback
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Self

import msgspec

from aggregator.config.tuning import Tuning
from aggregator.extract.entry_identity import next_generation_id
from aggregator.grouping.changes import Copy, Found, Join
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.corrections.apply_corrections import (
    CorrectionCommand,
    CorrectionHandler,
    CorrectionResult,
)
from aggregator.grouping.decide import Decider
from aggregator.grouping.deletion.erase import Eraser, ForgetCommand, ForgetResult
from aggregator.grouping.deletion.retention import Retention, RetentionPlan
from aggregator.grouping.incoming_article import incoming_article
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.revise import (
    Placed,
    Reviser,
    article_of_own_url,
    claimed_elsewhere,
    unchanged,
)
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.story_options import StoryOptions
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.model.core import CleanArticle, FrozenStruct, Prepared
from aggregator.model.errors import UsageError
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, rejected, tombstones
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.intake.sources import Source, all_sources
from aggregator.store.maintenance import erase as erasing
from aggregator.store.stories import articles, commands, samples, stories
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.placement_batch import Ledger

log = logging.getLogger(__name__)


class PlacingTuning(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of config/tuning.yaml."""

    batch_articles: int
    sweep_every: int
    revision_containment: float
    wire_confidence: float


class PlacementResult(FrozenStruct, frozen=True, kw_only=True):
    """The outcome of one waiting entry."""

    entry_no: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None


class _KnownArticles(NamedTuple):
    """What the database has of the articles of a batch, read at once."""

    refused: Container[str]  # forgotten or deleted
    placed: set[str]  # also those that this batch has placed
    founders: Container[str]  # of a story, before this batch
    sources: Mapping[str, Source]  # by `entry.source`; {} if mutes do not need them

    @classmethod
    def of(cls, connection: Connection, ids: Collection[str], *, has_sources: bool) -> Self:
        """Read what is known of these articles."""
        sources = all_sources(connection) if has_sources else ()
        return cls(
            tombstones.find_tombstones(connection, ids),
            set(articles.assigned_stories(connection, ids)),
            stories.founders_among(connection, ids),
            {source.entry_source: source for source in sources},
        )


class Placer:
    """Places prepared entries. For one thread of the writer."""

    def __init__(
        self,
        database: Database,
        all_tuning: Tuning,
        now: Callable[[], dt.datetime],
        options: StoryOptions = StoryOptions(),  # noqa: B008 - frozen
    ) -> None:
        self._database = database
        self._now = now
        self._tuning = all_tuning.section("placing", PlacingTuning)
        self._page_words = all_tuning.values("polling")["full_text_words"]
        self._mutes = options.mutes
        self._swept = -1
        self._counted_up_to = -1
        self._make_parts = partial(GroupingParts, all_tuning, options)
        self._begin(self._make_parts())
        self._eraser = Eraser(
            database, parts=lambda: self.parts, now=now, unit_of_work=self.unit_of_work, forget=self.forget
        )

    def _begin(self, parts: GroupingParts) -> None:
        second_look, decider = SecondLook(parts), Decider(parts)
        reviser = Reviser(
            parts,
            decider,
            second_look,
            revision_containment=self._tuning.revision_containment,
            page_words=self._page_words,
        )
        parts.stream.count_after(self._counted_up_to)
        self.parts, self._second_look, self._decider, self._reviser = parts, second_look, decider, reviser

    def count_after(self, inbox_no: int) -> None:
        """Count only articles after this one for their sources; those before it are counted already."""
        self._counted_up_to = inbox_no
        self.parts.stream.count_after(inbox_no)

    def forget(self) -> None:
        """Drop what is in memory; the next batch reads it again."""
        self._begin(self._make_parts())

    def forget_rows(self) -> None:
        """Drop what is read again in no time; window and sampled shingles stay."""
        self.parts.stream.forget_periods()
        self._begin(self._make_parts(kept=self.parts))

    def correct(self, command: CorrectionCommand, request: int | None = None) -> CorrectionResult:
        """Execute a correction and answer its row `request`, in one transaction.

        Raises UsageError if it is not possible; then nothing is changed.
        """

        def unit() -> CorrectionResult:
            with self.unit_of_work() as unit_of_work:
                result = CorrectionHandler(self.parts).carry_out(unit_of_work, command)
                if request is not None:
                    answer = msgspec.json.encode(result).decode()
                    commands.answer(unit_of_work.connection, request, unit_of_work.now, "done", answer)
            return result

        return self._database.again(unit)

    def erase(
        self, command: ForgetCommand, request: int | None = None, step: Callable[[], None] = lambda: None
    ) -> ForgetResult:
        """Erase what a command names; its row `request` is answered and blanked.

        Many articles need many transactions; `step` is called before each and may raise to stop. Erased
        articles stay erased, and a repeated command continues. Raises UsageError if the name is unknown.
        """
        return self._eraser.erase(command, request, step)

    def quarantine(self, n: int, reason: str) -> None:
        """Remove an entry that cannot be placed from the inbox."""
        self._database.transact(
            lambda connection: rejected.quarantine(connection, n, at=self._now(), reason=reason)
        )

    def retention_job(self, plan: RetentionPlan, all_tuning: Tuning, *, is_asked: bool = False) -> Retention:
        """Return the retention job, which shares the indexes in memory."""
        return Retention(
            self._database,
            all_tuning,
            plan,
            now=self._now,
            unit_of_work=self.unit_of_work,
            parts=lambda: self.parts,
            is_asked=is_asked,
        )

    @contextmanager
    def unit_of_work(self, *, keeps_caches: bool = False) -> Iterator[UnitOfWork]:
        """Open a placing transaction; on an error rows are rolled back, and memory is forgotten.

        `keeps_caches`: rows of stories and lines of outlets change through the writer alone.
        """
        if not keeps_caches:
            self.parts.story_writer.growing.forget()
            self.parts.boilerplate.forget()
        try:
            with self._database.write() as connection:
                unit_of_work = UnitOfWork(connection, Ledger(connection), self._now())
                yield unit_of_work
                unit_of_work.ledger.write()
                unit_of_work.ledger.close()
                if samples.rank_last(connection):
                    self.parts.story_writer.growing.forget()
        except UsageError:
            raise  # refused before anything was changed
        except BaseException as error:
            self.forget()
            _release(error)
            raise
        self.parts.copy_finder.written()

    def place(self, batch: Sequence[tuple[InboxEntry, Prepared]]) -> list[PlacementResult]:
        """Place a batch, in the order of its inbox numbers, in one transaction."""
        return self._database.again(partial(self._place, batch))

    def _place(self, batch: Sequence[tuple[InboxEntry, Prepared]]) -> list[PlacementResult]:
        placed: list[PlacementResult] = []
        with self.unit_of_work(keeps_caches=True) as unit_of_work:
            known = self._read(unit_of_work.connection, batch)
            for waiting, prepared in batch:
                shown = self.parts.boilerplate.shown(unit_of_work, waiting, prepared, self.parts.copy_finder)
                placed.append(self._place_one(unit_of_work, waiting, shown, known))
                known.placed.add(waiting.article)
            self.parts.stream.write_counts(unit_of_work.connection)
        last = batch[-1][0].inbox_no
        period = last // self._tuning.sweep_every
        if period != self._swept:
            self._swept = period
            self.parts.window.sweep(period * self._tuning.sweep_every)
        return placed

    def _read(self, connection: Connection, batch: Sequence[tuple[InboxEntry, Prepared]]) -> _KnownArticles:
        """Read at once what a batch needs, while nothing waits to be written."""
        self.parts.window.current(connection)
        bands: set[int] = set()
        for _, prepared in batch:
            if prepared.fingerprint is not None:
                bands.update(prepared.fingerprint.bands)
        first, last = batch[0][0].inbox_no, batch[-1][0].inbox_no
        self.parts.copy_finder.read_bands(connection, bands, first=first, last=last)
        self.parts.boilerplate.read(connection, (waiting.entry for waiting, _ in batch))
        ids = {waiting.article for waiting, _ in batch}
        return _KnownArticles.of(connection, ids, has_sources=self._mutes.needs_sources)

    def _place_one(
        self, unit_of_work: UnitOfWork, waiting: InboxEntry, prepared: Prepared, known: _KnownArticles
    ) -> PlacementResult:
        """Place an entry, unless its article was forgotten or deleted, or is muted."""
        connection, clean = unit_of_work.connection, prepared.article
        if waiting.article in known.refused:
            return _reject_forgotten(unit_of_work, waiting, waiting.article)
        elsewhere = None
        if prepared.fingerprint is None:
            result = Placed("refused", waiting.article, "")
        else:
            elsewhere = claimed_elsewhere(connection, waiting)
            if elsewhere is not None and tombstones.find_tombstones(connection, {elsewhere}):
                return _reject_forgotten(unit_of_work, waiting, elsewhere)
            old = self._known_article(unit_of_work, waiting, known)
            source = known.sources.get(waiting.entry.source)
            if old is None and elsewhere is None and (muted := self._mutes.why(waiting.entry, source, clean)):
                return _mute(unit_of_work, waiting, muted)
            result = self._place_article(unit_of_work, waiting, prepared, known, old=old, elsewhere=elsewhere)
        return _finished(unit_of_work, waiting, clean, result)

    @staticmethod
    def _known_article(
        unit_of_work: UnitOfWork, waiting: InboxEntry, known: _KnownArticles
    ) -> StoredArticle | None:
        """Return the article of an entry if it was placed before.

        Asked of a new entry, too: a later one of its article may have gone before it, while it waited for its
        page.
        """
        is_known = waiting.article in known.placed
        if is_known or waiting.is_revision:
            unit_of_work.ledger.write()
        old = articles.latest(unit_of_work.connection, waiting.article) if is_known else None
        if old is None and waiting.is_revision:
            old = article_of_own_url(unit_of_work.connection, waiting)
        return old

    def _place_article(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        prepared: Prepared,
        known: _KnownArticles,
        *,
        old: StoredArticle | None,
        elsewhere: str | None,
    ) -> Placed:
        """Place an article: `old` if it is known, `elsewhere` if its page is that of another article."""
        incoming = incoming_article(
            waiting, prepared, unit_of_work.now, wire_confidence=self._tuning.wire_confidence
        )
        if old is not None and waiting.is_late_page:
            result = self._reviser.decide_again(unit_of_work, waiting, incoming, old)
        elif elsewhere is not None:
            result = Placed("unchanged", elsewhere, "")
        elif old is not None and not waiting.is_revision and waiting.page is None:
            result = unchanged(old)  # without its page it has nothing to add
        elif old is not None:
            result = self._place_again(unit_of_work, waiting, prepared, incoming, old)
        else:
            has_founded = incoming.id in known.founders
            result = self._place_new(unit_of_work, waiting, incoming, has_founded=has_founded)
        # A copy repeats its original, not the boilerplate of its outlet.
        number = waiting.inbox_no
        is_late = waiting.is_late_page and result.outcome == "revised"
        if is_late and old is not None:
            number = old.inbox_no
        if is_late or result.outcome in ("founded", "joined"):
            self.parts.boilerplate.note(unit_of_work, waiting.entry, number, prepared.lines)
        return result

    def _place_again(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        prepared: Prepared,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Revise a known article, or place another one that has its address now."""
        own_text = "" if prepared.own is None else prepared.own.article.text
        is_page_lost = waiting.has_lost_page or prepared.article.page_verdict is not None
        revised = self._reviser.place_again(
            unit_of_work, waiting, incoming, old, own_text, is_page_lost=is_page_lost
        )
        if revised is not None:
            return revised
        generation = old.generation + 1
        id_ = next_generation_id(old.root_article, generation)
        article_writes.rekey(unit_of_work.connection, old.id, id_, is_authoritative=True)
        other = msgspec.structs.replace(
            incoming, id=id_, root_article=old.root_article, generation=generation
        )
        return self._place_new(unit_of_work, waiting, other, has_founded=True)

    def _place_new(
        self, unit_of_work: UnitOfWork, waiting: InboxEntry, incoming: StoredArticle, *, has_founded: bool
    ) -> Placed:
        """Find original and story of a new article, then write both.

        Only new articles end periods, so that `recluster`, which reads articles, ends the same ones.
        """
        connection, number = unit_of_work.connection, waiting.inbox_no
        page = waiting.entry.url or waiting.page_url
        found = self.parts.copy_finder.find(connection, incoming, page, unit_of_work.ledger.articles)
        if incoming.generation == 0 and found.same_page is not None:
            seen_there = self._reviser.place_there(unit_of_work, waiting, incoming, found.same_page)
            if seen_there is not None:
                return seen_there
        self.parts.stream.before(unit_of_work, number, waiting.accepted_at)
        self._second_look.before(unit_of_work, number)
        self.parts.stream.read_last(unit_of_work)
        change = self._decide(unit_of_work, incoming, found, has_founded=has_founded)
        self.parts.story_writer.apply(unit_of_work, change)
        self.parts.copy_finder.add(number, found.keys)
        is_founded = isinstance(change, Found)
        self.parts.stream.placed(change.article, has_joined=not is_founded)
        outcome: Outcome = "founded" if is_founded else "copy" if isinstance(change, Copy) else "joined"
        return Placed(outcome, change.article.id, change.article.story)

    def _decide(
        self, unit_of_work: UnitOfWork, incoming: StoredArticle, found: CopyMatch, *, has_founded: bool
    ) -> Found | Join | Copy:
        """Decide about a new article; stories to which corrections link it are merged first."""
        while (merge := self._decider.merge_before(unit_of_work, incoming)) is not None:
            self.parts.story_writer.apply(unit_of_work, merge)
        change = self._decider.decide(unit_of_work, incoming, found, has_founded=has_founded)
        article = self.parts.outlet_names.named(unit_of_work, change.article)
        return msgspec.structs.replace(change, article=article)


def _release(error: BaseException | None) -> None:
    """Let go of what the frames of an error hold: it may be kept while the window is read again."""
    released: list[BaseException] = []
    while error is not None and error not in released:
        traceback.clear_frames(error.__traceback__)
        released.append(error)
        error = error.__cause__ or error.__context__


def _finished(
    unit_of_work: UnitOfWork, waiting: InboxEntry, clean: CleanArticle, result: Placed
) -> PlacementResult:
    """Finish an entry in the inbox; return its outcome."""
    unit_of_work.ledger.finish(
        waiting.entry_no,
        at=unit_of_work.now,
        outcome=result.outcome,
        article=result.article,
        verdict=clean.verdict,
        reason=clean.reason,
        page_verdict=clean.page_verdict,
        declared=waiting.entry,
    )
    return PlacementResult(
        entry_no=waiting.entry_no,
        outcome=result.outcome,
        article=result.article,
        story=result.story or None,
        reason=clean.reason if result.outcome == "refused" else None,
    )


def _mute(unit_of_work: UnitOfWork, waiting: InboxEntry, reason: str) -> PlacementResult:
    """Refuse an entry that is not wanted; it keeps its text, to be queued again."""
    n, at = waiting.entry_no, unit_of_work.now
    rejected.quarantine(unit_of_work.connection, n, at=at, reason=reason, verdict=inbox.MUTED)
    return PlacementResult(entry_no=n, outcome="refused", article=waiting.article, reason=reason)


def _reject_forgotten(unit_of_work: UnitOfWork, waiting: InboxEntry, article: str) -> PlacementResult:
    """Refuse an entry whose article, or the article of its page, was erased meanwhile."""
    tombstones.count_refused(unit_of_work.connection, [article], unit_of_work.now)
    erasing.blank_entry(unit_of_work.connection, waiting.entry_no, unit_of_work.now)
    return PlacementResult(
        entry_no=waiting.entry_no, outcome="refused", article=article, reason=tombstones.REASON
    )
