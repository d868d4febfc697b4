"""Placing: finds the story of each incoming article and stores the decision in one transaction.

This is the only writer of stories. The indexes in memory (live stories, sampled shingles) are derived from
rows; after a failed transaction they are dropped and built again.
"""

import datetime as dt
import logging
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, Self

import msgspec

from aggregator.cluster.copies.shingles import shared_count, shingle_hashes
from aggregator.cluster.entry_identity import content_keys, next_generation_id, story_id, url_key
from aggregator.cluster.events.pair_features import PairArticle, pack_nearest
from aggregator.cluster.events.pair_model import PairTuning
from aggregator.cluster.events.scorer import Decision, decide, is_open, is_within_window
from aggregator.cluster.events.weights import shipped_model
from aggregator.config.messages import counted
from aggregator.config.tuning import Tuning
from aggregator.extract.urls import canonical_url
from aggregator.extract.wire.agencies import copied_wire
from aggregator.model.core import (
    Agreement,
    Article,
    CleanArticle,
    CopyEvidence,
    Entry,
    Evidence,
    FrozenStruct,
    Placement,
    Prepared,
    Role,
)
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.apply_corrections import (
    Constraints,
    CorrectionCommand,
    CorrectionHandler,
    CorrectionResult,
    StoryConstraints,
)
from aggregator.pipeline.placement.boilerplate import BoilerplateLearner, PrepareOptions
from aggregator.pipeline.placement.copy_lookup import CopyFinder, CopyMatch, compared_text
from aggregator.pipeline.placement.erase import (
    BATCH,
    ForgetCommand,
    ForgetHandler,
    ForgetResult,
    finish_index,
    to_forget,
)
from aggregator.pipeline.placement.incoming_article import IncomingArticle
from aggregator.pipeline.placement.outlet_names import OutletNames
from aggregator.pipeline.placement.reassess import SecondLook
from aggregator.pipeline.placement.report_comparison import ReportComparison
from aggregator.pipeline.placement.retention import Retention, RetentionPlan
from aggregator.pipeline.placement.story_options import StoryOptions
from aggregator.pipeline.placement.story_writer import StoryWriter, live_story
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.pipeline.placement.stream import Stream
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, rejected, tombstones
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.intake.sources import Source, all_sources
from aggregator.store.maintenance import erase as erasing
from aggregator.store.search import index as search
from aggregator.store.stories import articles, commands, samples, stories
from aggregator.store.stories.articles import NewArticle, StoredArticle
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.stories.stories import StoryRow
from aggregator.store.tables import counter_value, set_counter
from aggregator.stories.tuning import StoryTuning

log = logging.getLogger(__name__)

_FORGET_UNFINISHED = "forget_unfinished"  # counter


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
        found = all_sources(connection) if has_sources else ()
        return cls(
            tombstones.find_tombstones(connection, ids),
            set(articles.assigned_stories(connection, ids)),
            stories.founders_among(connection, ids),
            {one.entry_source: one for one in found},
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
        self._version = all_tuning.version
        self._model = shipped_model(all_tuning)
        self._tuning = all_tuning.section("placing", PlacingTuning)
        self._page_words: int = all_tuning.values("polling")["full_text_words"]
        pair_tuning = all_tuning.section("pairs", PairTuning)
        self.stream = Stream(pair_tuning, self._model.tuning.window_days)
        self._comparison = ReportComparison(self._model, pair_tuning, self.stream)
        self._copy_finder = CopyFinder(all_tuning)
        self._constraints = Constraints()
        self._boilerplate = BoilerplateLearner(all_tuning)
        self._outlet_names = OutletNames()
        self._swept = -1
        self._mutes = options.mutes
        self.story_writer = StoryWriter(
            self._model, all_tuning.section("stories", StoryTuning), options, self.stream
        )
        self._correction_handler = CorrectionHandler(self.story_writer, self._constraints, self._version)
        self._forget_handler = ForgetHandler(self.story_writer, self._copy_finder)
        self._second_look = SecondLook(
            self.story_writer,
            self._constraints,
            self._model.tuning,
            self._comparison,
            self.stream,
            self._version,
        )

    def forget(self) -> None:
        """Drop the indexes in memory; the next batch builds them again."""
        self._copy_finder.forget()
        self.story_writer.forget()
        self._constraints.forget()
        self.stream.forget()
        self._comparison.forget()
        self._second_look.forget()
        self._boilerplate.forget()
        self._outlet_names.forget()

    def forget_rows(self) -> None:
        """Drop what is read again in no time; the indexes stay."""
        self.story_writer.forget_rows()
        self.stream.forget_periods()
        self._comparison.forget()
        self._boilerplate.forget()
        self._outlet_names.forget()

    def prepare_options(self, batch: Sequence[InboxEntry]) -> list[PrepareOptions]:
        """Return the current options for these entries."""
        with self._database.read() as connection:
            return [self._boilerplate.prepare_options(connection, one.entry_no, one.entry) for one in batch]

    def correct(self, command: CorrectionCommand, request: int | None = None) -> CorrectionResult:
        """Execute a correction and answer its row `request`, in one transaction.

        Raises UsageError if it is not possible; then nothing is changed.
        """

        def unit() -> CorrectionResult:
            with self.unit_of_work() as unit_of_work:
                result = self._correction_handler.carry_out(unit_of_work, command)
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
        with self._database.read() as connection:
            is_interrupted = counter_value(connection, _FORGET_UNFINISHED) > 0
            meant, summary = to_forget(connection, command, may_be_gone=is_interrupted)
            former = erasing.stories_of(connection, meant.articles)

        def unit(ids: Sequence[str]) -> None:
            with self.unit_of_work() as unit_of_work:
                set_counter(unit_of_work.connection, _FORGET_UNFINISHED, 1)
                self._forget_handler.carry_out(unit_of_work, ids, former)

        try:
            for start in range(0, len(meant.articles), BATCH):
                step()
                self._database.again(partial(unit, meant.articles[start : start + BATCH]))
        finally:
            self.forget()  # the indexes in memory have erased articles
        folded = finish_index(self._database, step)
        forgotten = ForgetResult(named=len(meant.articles), summary=summary, log_folded=folded)
        named = counted(forgotten.named, "article")
        log.info(
            "erased %d of %s, selected by %s",
            summary.articles,
            named,
            meant.kind,
            extra={"event": "articles_erased"},
        )

        def answered(connection: Connection) -> None:
            set_counter(connection, _FORGET_UNFINISHED, 0)
            if request is not None:
                commands.answer(
                    connection, request, self._now(), "done", msgspec.json.encode(forgotten).decode()
                )
                erasing.blank_command(connection, request)

        self._database.transact(answered)
        if request is not None and folded:
            self._database.checkpoint_log(self._database.tuning.short_wait_seconds)
        return forgotten

    def quarantine(self, n: int, reason: str) -> None:
        """Remove an entry that cannot be placed from the inbox."""
        self._boilerplate.placed(n)
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
            story_writer=self.story_writer,
            copy_finder=self._copy_finder,
            is_asked=is_asked,
        )

    @contextmanager
    def unit_of_work(self, *, only_places: bool = False) -> Iterator[UnitOfWork]:
        """Open a placing transaction; on an error rows are rolled back, and memory is forgotten."""
        if not only_places:
            self.story_writer.forget_rows()
            self._boilerplate.forget()
        try:
            with self._database.write() as connection:
                unit_of_work = UnitOfWork(connection, Ledger(connection), self._now())
                yield unit_of_work
                unit_of_work.ledger.close()
                if samples.rank_last(connection):
                    self.story_writer.forget_rows()
        except UsageError:
            raise  # refused before anything was changed
        except BaseException:
            self.forget()
            raise
        self._copy_finder.written()

    def place(
        self, batch: Sequence[tuple[InboxEntry, Prepared]], *, is_final: bool = False
    ) -> list[PlacementResult]:
        """Place a batch, in the order of its inbox numbers, in one transaction.

        It ends before the first entry whose `prepare_options` have changed. `is_final`: the first entry is
        placed in any case.
        """
        return self._database.again(partial(self._place, batch, is_final=is_final))

    def _place(
        self, batch: Sequence[tuple[InboxEntry, Prepared]], *, is_final: bool
    ) -> list[PlacementResult]:
        placed: list[PlacementResult] = []
        with self.unit_of_work(only_places=True) as unit_of_work:
            self.story_writer.window(unit_of_work.connection)  # while nothing waits to be written
            ids = {inbox_entry.article for inbox_entry, _ in batch}
            known = _KnownArticles.of(unit_of_work.connection, ids, has_sources=self._mutes.needs_sources)
            made = [prepared.fingerprint for _, prepared in batch if prepared.fingerprint]
            self._copy_finder.read_bands(
                unit_of_work.connection, {band for one in made for band in one.bands}
            )
            for inbox_entry, prepared in batch:
                is_ready = self._is_ready(unit_of_work, inbox_entry, prepared)
                if not is_ready and not (is_final and not placed):
                    break
                placed.append(self._place_one(unit_of_work, inbox_entry, prepared, known))
                known.placed.add(inbox_entry.article)
            self.stream.write_counts(unit_of_work.connection)
        if placed:
            last = batch[len(placed) - 1][0].inbox_no
            self._copy_finder.commit_batch(last)
            period = last // self._tuning.sweep_every
            if period != self._swept:
                self._swept = period
                self.story_writer.sweep(period * self._tuning.sweep_every)
        return placed

    def _is_ready(self, unit_of_work: UnitOfWork, inbox_entry: InboxEntry, prepared: Prepared) -> bool:
        if not self._boilerplate.is_current(unit_of_work.connection, inbox_entry.entry, prepared.lines):
            return False
        fingerprint = prepared.fingerprint
        return fingerprint is None or not self._boilerplate.is_outlet_notice(
            unit_of_work,
            IncomingArticle(inbox_entry, prepared.article, fingerprint),
            prepared.lines,
            self._copy_finder,
        )

    def _place_one(
        self,
        unit_of_work: UnitOfWork,
        inbox_entry: InboxEntry,
        prepared: Prepared,
        known: _KnownArticles,
    ) -> PlacementResult:
        """Place an entry, unless its article was forgotten or deleted."""
        if inbox_entry.article in known.refused:
            return self._reject_forgotten(unit_of_work, inbox_entry, inbox_entry.article)
        clean, fingerprint = prepared.article, prepared.fingerprint
        if fingerprint is None:
            placed = PlacementResult(
                entry_no=inbox_entry.entry_no,
                outcome="refused",
                article=inbox_entry.article,
                reason=clean.reason,
            )
        else:
            incoming = IncomingArticle(inbox_entry, clean, fingerprint)
            elsewhere = _claimed_elsewhere(unit_of_work.connection, inbox_entry)
            if elsewhere is not None and tombstones.find_tombstones(unit_of_work.connection, {elsewhere}):
                return self._reject_forgotten(unit_of_work, inbox_entry, elsewhere)
            # Asked of a new entry too: a later one of its article may have gone before it, while it waited
            # for its page. Without that page it has nothing to add.
            is_known = inbox_entry.article in known.placed
            if is_known or inbox_entry.is_revision:
                unit_of_work.ledger.write()
            old = articles.latest(unit_of_work.connection, inbox_entry.article) if is_known else None
            if old is None and inbox_entry.is_revision:
                old = _article_of_own_url(unit_of_work.connection, inbox_entry)
            if old is not None and inbox_entry.is_late_page:
                placed = self._decide_again(unit_of_work, incoming, old)
            elif elsewhere is not None:
                placed = PlacementResult(
                    entry_no=inbox_entry.entry_no, outcome="unchanged", article=elsewhere
                )
            elif old is not None and not inbox_entry.is_revision and inbox_entry.page is None:
                placed = PlacementResult(
                    entry_no=inbox_entry.entry_no, outcome="unchanged", article=old.id, story=old.story
                )
            elif old is not None:
                placed = self._place_again(unit_of_work, incoming, old, prepared.own_text)
            elif muted := self._mutes.why(
                inbox_entry.entry, known.sources.get(inbox_entry.entry.source), clean
            ):
                return self._mute(unit_of_work, inbox_entry, muted)
            else:
                id_ = inbox_entry.article
                placed = self._place_new(
                    unit_of_work, incoming, id_, id_, 0, has_founded=id_ in known.founders
                )
            is_late = inbox_entry.is_late_page and placed.outcome == "revised"
            # A copy repeats its original, not the boilerplate of its outlet.
            if is_late or placed.outcome in ("founded", "joined"):
                number = old.inbox_no if is_late and old is not None else inbox_entry.inbox_no
                self._boilerplate.note(unit_of_work, inbox_entry.entry, number, prepared.lines)
        unit_of_work.ledger.finish(
            inbox_entry.entry_no,
            at=unit_of_work.now,
            outcome=placed.outcome,
            article=placed.article,
            verdict=clean.verdict,
            reason=placed.reason or clean.reason,
            page_verdict=clean.page_verdict,
            declared=inbox_entry.entry,
        )
        self._boilerplate.placed(inbox_entry.entry_no)
        return placed

    def _mute(self, unit_of_work: UnitOfWork, inbox_entry: InboxEntry, reason: str) -> PlacementResult:
        """Refuse an entry that is not wanted; it keeps its text, to be queued again."""
        n, connection = inbox_entry.entry_no, unit_of_work.connection
        rejected.quarantine(connection, n, at=unit_of_work.now, reason=reason, verdict=inbox.MUTED)
        self._boilerplate.placed(n)
        return PlacementResult(entry_no=n, outcome="refused", article=inbox_entry.article, reason=reason)

    def _reject_forgotten(
        self, unit_of_work: UnitOfWork, inbox_entry: InboxEntry, article: str
    ) -> PlacementResult:
        """Refuse an entry whose article, or the article of its page, was erased meanwhile."""
        tombstones.count_refused(unit_of_work.connection, [article], unit_of_work.now)
        erasing.blank_entry(unit_of_work.connection, inbox_entry.entry_no, unit_of_work.now)
        self._boilerplate.placed(inbox_entry.entry_no)
        return PlacementResult(
            entry_no=inbox_entry.entry_no, outcome="refused", article=article, reason=tombstones.REASON
        )

    # --- a new article ------------------------------------------------------------------------------------

    def _place_new(
        self,
        unit_of_work: UnitOfWork,
        incoming: IncomingArticle,
        id_: str,
        root: str,
        generation: int,
        *,
        has_founded: bool,
    ) -> PlacementResult:
        """Find original and story of a new article, then write both. `has_founded`: it may have, earlier.

        Only new articles end periods and cause second looks, so that `recluster`, which reads articles, does
        the same at the same numbers.
        """
        connection, inbox_entry = unit_of_work.connection, incoming.inbox_entry
        found = self._copy_finder.find(connection, incoming, id_, unit_of_work.ledger.articles)
        if generation == 0 and found.same_page is not None:
            seen_there = self._place_there(unit_of_work, incoming, found.same_page)
            if seen_there is not None:
                return seen_there
        self.stream.before(unit_of_work, inbox_entry.inbox_no, inbox_entry.accepted_at)
        self._second_look.before(unit_of_work, inbox_entry.inbox_no)
        self.stream.read_last(unit_of_work)
        incoming = self._with_wire_of_original(unit_of_work, incoming, found.copy)
        article = incoming.as_article(id_)
        own = PairArticle(article)
        if self._constraints.has_article(connection, id_):
            unit_of_work.ledger.write()
        story_constraints = self._constraints.story_constraints(connection, id_)
        decision = self._decision(unit_of_work, article, own, found.copy, story_constraints)
        assigned_story = (
            None if decision.story is None else self.story_writer.live(unit_of_work, decision.story)
        )
        if assigned_story is None:
            story = story_id(id_, stories.foundings(connection, id_) if has_founded else 0)
        else:
            story = assigned_story.id
        agreement = self._agreement(unit_of_work, incoming, own, decision, found.copy)
        if found.copy is None and agreement and agreement.copied and not agreement.is_enough:
            decision = msgspec.structs.replace(decision, role="excerpt", is_compared=False)
        evidence = msgspec.structs.replace(
            decision.evidence,
            shared=decision.shared,
            copy=found.copy,
            # They came first and keep their role: a stuffed page must not take it from them.
            excerpts=found.excerpts,
            reuse=found.reuse,
            agreement=agreement,
            rules_version=self._version,
        )
        placement = Placement(
            story=story,
            founded=assigned_story is None,
            role=decision.role,
            copy_of=evidence.copied,
            follows=decision.follows if assigned_story is None else None,
            is_little_known=incoming.is_polled and self.stream.is_little_known(connection, incoming.source),
            evidence=evidence,
        )
        new = incoming.row(
            unit_of_work.now,
            placement,
            id_=id_,
            root=root,
            generation=generation,
            is_compared=decision.is_compared,
            wire_confidence=self._tuning.wire_confidence,
        )
        new = msgspec.structs.replace(new, nearest=decision.nearest, **found.held.columns())
        self._write(unit_of_work, new, own, assigned_story)
        self._copy_finder.add(new.inbox_no, found.held)
        self.stream.placed(new)
        unit_of_work.ledger.log(
            unit_of_work.now,
            story,
            "created" if assigned_story is None else "joined",
            article=id_,
            role=decision.role,
            score=evidence.score,
        )
        outcome: Outcome = (
            "founded" if assigned_story is None else "copy" if decision.role == "copy" else "joined"
        )
        return PlacementResult(
            entry_no=incoming.inbox_entry.entry_no, outcome=outcome, article=id_, story=story
        )

    def _write(
        self, unit_of_work: UnitOfWork, new: NewArticle, own: PairArticle, joined: StoryRow | None
    ) -> None:
        """Write the article and its story, `joined` or a new one; the next comparison finds it in memory."""
        new = self._outlet_names.named(unit_of_work, new)
        self.story_writer.place(unit_of_work, new, joined)
        if new.is_compared:
            self._comparison.keep(own)

    def _agreement(
        self,
        unit_of_work: UnitOfWork,
        incoming: IncomingArticle,
        own: PairArticle,
        decision: Decision,
        copy: CopyEvidence | None,
    ) -> Agreement | None:
        """Return how much the text agrees with its story, if that decides whether it counts as a report."""
        connection = unit_of_work.connection
        if not incoming.is_polled or decision.story is None or decision.evidence.stage == "correction":
            return None
        if not self.stream.is_little_known(connection, incoming.source):
            return None
        if copy is not None and decision.role == "copy":
            unit_of_work.ledger.write()
            return self._comparison.agreement_of_copy(connection, incoming.source, copy.other)
        if not decision.is_compared or decision.role != "report":
            return None  # not counted anyway; of another language, with other words
        text = compared_text(incoming, incoming.inbox_entry.article)
        number = self.story_writer.live(unit_of_work, decision.story).story_no
        story = self.story_writer.window(connection).story(number)
        return self._comparison.agreement(connection, own, text, story, unit_of_work.ledger.articles)

    def _place_there(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, other: str
    ) -> PlacementResult | None:
        """Make a new entry an observation of article `other`, which has its URL and its text.

        The feed of the article's own site becomes the authority over the text. None if different entries
        share the URL, or if the source had the article before: within one source GUIDs tell entries apart.
        """
        unit_of_work.ledger.write()
        connection, inbox_entry = unit_of_work.connection, incoming.inbox_entry
        there, canonical = articles.latest(connection, other), canonical_url(inbox_entry.entry.url or "")
        if there is None or there.id != other or canonical is None:
            return None
        owner = inbox.owner(connection, url_key(canonical))
        if owner not in (None, inbox_entry.article, other):
            return None
        is_repeated = articles.is_observed(connection, other, inbox_entry.entry.source)
        if is_repeated and not inbox_entry.is_revision:
            return None
        is_own = inbox_entry.entry.authority in ("own", "page") and owner == inbox_entry.article
        if is_own:
            articles.withdraw_authority(connection, other)
        articles.rekey(connection, inbox_entry.article, other, is_authoritative=is_own)
        if is_own and (taken := self._taken_over(connection, incoming, there)):
            return self._decide_again(unit_of_work, incoming, taken)
        is_revised = is_own and incoming.fingerprint.text_hash != there.text_hash
        if is_revised:
            self._revise(unit_of_work, incoming, there)
        outcome: Outcome = "revised" if is_revised else "unchanged"
        return PlacementResult(
            entry_no=inbox_entry.entry_no, outcome=outcome, article=other, story=there.story
        )

    def _taken_over(
        self, connection: Connection, incoming: IncomingArticle, old: StoredArticle
    ) -> StoredArticle | None:
        """Give an article of a little-known source to the known one of its own site; None if it stays there.

        Who lists the address of an outlet before it, with other words, must not keep its report out.
        """
        entry = incoming.inbox_entry.entry
        is_own = entry.authority in ("own", "page") and old.is_little_known and not old.is_gone
        has_other_words = incoming.fingerprint.text_hash != old.text_hash
        if not (is_own and has_other_words) or self.stream.is_little_known(connection, entry.source):
            return None
        articles.set_source(connection, old.id, entry.source, is_little_known=False)
        self._comparison.revised(old.inbox_no)
        return msgspec.structs.replace(old, source=entry.source, outlet_key=None, outlet_name=None)

    def _with_wire_of_original(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, copy: CopyEvidence | None
    ) -> IncomingArticle:
        """A copy of an agency text has the same agency, even if it does not name it."""
        wire = incoming.clean.wire
        is_sure = wire is not None and wire.agency and wire.confidence >= self._tuning.wire_confidence
        if copy is None or copy.kind != "copy" or is_sure:
            return incoming
        unit_of_work.ledger.write_article(copy.other)
        original = articles.member(unit_of_work.connection, copy.other)
        copied = copied_wire(copy.other, original.outlet_key, original.wire)
        if copied is None:
            return incoming
        return incoming._replace(clean=msgspec.structs.replace(incoming.clean, wire=copied))

    def _decision(
        self,
        unit_of_work: UnitOfWork,
        article: Article,
        own: PairArticle,
        copy: CopyEvidence | None,
        story_constraints: StoryConstraints,
    ) -> Decision:
        """Decide by corrections, then by the story of the original, then by score."""
        if story_constraints.must_link:
            return self._constrained_decision(unit_of_work, article, copy, story_constraints)
        connection = unit_of_work.connection
        if copy is not None and copy.kind == "copy":
            assigned_story = self._story_of_original(unit_of_work, article, copy, story_constraints.barred)
            if assigned_story is not None:
                role: Role = "container" if article.is_container else "copy"
                return Decision(
                    story=assigned_story.id,
                    role=role,
                    is_compared=False,
                    evidence=Evidence(stage="copy"),
                )
        candidates = [
            story
            for story in self.story_writer.window(connection).candidates(article)
            if story.id not in story_constraints.barred and is_open(article, story, self._model.tuning)
        ]
        scored = self._comparison.scored(connection, own, candidates)
        decided = decide(article, scored, self._model, self._comparison.model.bias)
        decided = msgspec.structs.replace(decided, nearest=pack_nearest(own.nearest))
        if copy is not None and copy.kind == "excerpt" and decided.role == "report":
            return msgspec.structs.replace(decided, role="excerpt", is_compared=decided.story is None)
        return decided

    def _story_of_original(
        self, unit_of_work: UnitOfWork, article: Article, copy: CopyEvidence, barred: Collection[str]
    ) -> StoryRow | None:
        """Return the story of the original of a copy, if the copy may join it."""
        connection = unit_of_work.connection
        unit_of_work.ledger.write_article(copy.other)
        assigned_story = stories.assigned_story(connection, copy.other)
        window = self.story_writer.window(connection)
        if assigned_story is None or assigned_story.id in barred:
            return None
        if not window.is_live(assigned_story.story_no, article.inbox_no):
            return None
        story = window.story(assigned_story.story_no)
        return assigned_story if is_within_window(article, story, self._model.tuning) else None

    def _constrained_decision(
        self,
        unit_of_work: UnitOfWork,
        article: Article,
        copy: CopyEvidence | None,
        story_constraints: StoryConstraints,
    ) -> Decision:
        """Return the story that a correction requires; several of them are merged."""
        assigned_story, *others = story_constraints.must_link
        for other in others:
            pair = assigned_story, other
            assigned_story = self.story_writer.unite(
                unit_of_work, pair, at_no=article.inbox_no, reason="correction"
            )
        row = live_story(unit_of_work.connection, assigned_story)
        is_copy = copy is not None and copy.kind == "copy"
        original_story = (
            articles.assigned_stories(unit_of_work.connection, [copy.other])
            if copy is not None and is_copy
            else {}
        )
        is_silent = assigned_story in original_story.values()
        role: Role = "container" if article.is_container else "copy" if is_silent else "report"
        is_compared = not is_silent and (not article.is_container or row.container_only)
        return Decision(
            story=assigned_story,
            role=role,
            is_compared=is_compared,
            evidence=Evidence(stage="correction"),
        )

    # --- revisions ----------------------------------------------------------------------------------------

    def _place_again(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, old: StoredArticle, own_text: str
    ) -> PlacementResult:
        """Handle a known article again: unchanged, a revision, or another text under a reused address.

        `own_text`: of the entry besides its page. If the article has that text, it had no page yet.
        """
        n = incoming.inbox_entry.entry_no
        is_same = incoming.fingerprint.text_hash == old.text_hash
        if is_same or old.is_gone or self._has_lost_page(incoming, old):
            return PlacementResult(entry_no=n, outcome="unchanged", article=old.id, story=old.story)
        entry = incoming.inbox_entry.entry
        is_first_page = bool(own_text) and self._shares(old.text, own_text, max)
        if (
            is_first_page
            or self._resembles(old, incoming.clean)
            or _is_same_item(unit_of_work.connection, old, entry)
        ):
            if taken := self._taken_over(unit_of_work.connection, incoming, old):
                return self._decide_again(unit_of_work, incoming, taken)
            self._revise(unit_of_work, incoming, old)
            return PlacementResult(entry_no=n, outcome="revised", article=old.id, story=old.story)
        generation = old.generation + 1
        id_ = next_generation_id(old.root_article, generation)
        articles.rekey(unit_of_work.connection, old.id, id_, is_authoritative=True)
        return self._place_new(unit_of_work, incoming, id_, old.root_article, generation, has_founded=True)

    def _has_lost_page(self, incoming: IncomingArticle, old: StoredArticle) -> bool:
        """Whether the article has the text of its page, and now there are only the words of the feed."""
        is_lost = incoming.inbox_entry.has_lost_page or incoming.clean.page_verdict is not None
        return is_lost and incoming.fingerprint.body_words < self._page_words <= old.body_words

    def _resembles(self, old: StoredArticle, clean: CleanArticle) -> bool:
        if old.role == "container" or not old.text or not clean.text:
            return True
        return self._shares(old.text, clean.text, min)

    def _shares(self, before: str, after: str, of: Callable[[int, int], int]) -> bool:
        """Whether two texts share enough shingles, of the smaller (`min`) or larger one (`max`)."""
        one, other = shingle_hashes(before), shingle_hashes(after)
        return shared_count(one, other) >= self._tuning.revision_containment * of(len(one), len(other))

    def _revise(self, unit_of_work: UnitOfWork, incoming: IncomingArticle, old: StoredArticle) -> None:
        """Replace the text of an article, which keeps its id, number, role and story."""
        incoming = incoming.with_date_of(old)
        if incoming.clean.is_container != old.is_container:
            kept = msgspec.structs.replace(incoming.clean, kind=old.kind, kind_evidence=old.kind_evidence)
            incoming = incoming._replace(clean=kept)
        new = self._replace_text(unit_of_work, incoming, old)
        if old.role == "report":
            self._agree_again(unit_of_work.connection, old, old.role)
        self.story_writer.restate(unit_of_work, old.story, at_no=incoming.inbox_entry.inbox_no, revised=new)
        unit_of_work.ledger.log(unit_of_work.now, old.story, "revised", article=old.id)

    def _replace_text(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, old: StoredArticle
    ) -> NewArticle:
        """Write the text of a revision into the row of an article, and what is found by it."""
        placement = Placement(story=old.story, founded=False, role=old.role, evidence=_REVISED)
        new = incoming.row(
            unit_of_work.now,
            placement,
            id_=old.id,
            root=old.root_article,
            generation=old.generation,
            is_compared=old.is_compared,
            wire_confidence=self._tuning.wire_confidence,
        )
        revised = self._copy_finder.revised(unit_of_work.connection, old, incoming)
        is_same_page = old.url and new.url and canonical_url(old.url) == canonical_url(new.url)
        new = msgspec.structs.replace(
            new,
            inbox_no=old.inbox_no,
            outlet=old.outlet_key or new.outlet,
            # Another spelling of the same URL (tracking parameters) replaces nothing.
            url=old.url if is_same_page else new.url,
            outlet_name=new.outlet_name if old.outlet_key in (None, new.outlet) else old.outlet_name,
            **revised.held.columns(),
        )
        new = self._outlet_names.named(unit_of_work, new)
        was_searchable = search.take_out(unit_of_work.connection, old.inbox_no)
        articles.replace_text(unit_of_work.connection, new, self._copy_finder.keys(old.signature))
        self._copy_finder.replace(new.inbox_no, revised)
        self._comparison.revised(new.inbox_no)
        if was_searchable:
            search.put_back(unit_of_work.connection, old.inbox_no)
        return new

    # --- late pages ---------------------------------------------------------------------------------------

    def _decide_again(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, old: StoredArticle
    ) -> PlacementResult:
        """Replace the words of an article by those of its page or its own site, and decide the story again.

        A copy joins the story of its original; a report moves by the rule of the second look.
        """
        connection, n = unit_of_work.connection, incoming.inbox_entry.entry_no
        if (
            incoming.fingerprint.text_hash == old.text_hash
            or old.is_gone
            or inbox.is_revised_since(connection, old.id, n)
        ):
            return PlacementResult(entry_no=n, outcome="unchanged", article=old.id, story=old.story)
        at_no = incoming.inbox_entry.inbox_no
        self._second_look.before(unit_of_work, at_no)
        # The second look may have moved it.
        old = msgspec.structs.replace(old, story=articles.assigned_stories(connection, [old.id])[old.id])
        incoming = incoming.with_date_of(old)
        found = self._copy_finder.find(connection, incoming, old.id, unit_of_work.ledger.articles)
        if found.copy is not None and any(
            id_ == old.id for _, id_ in articles.copy_ancestors(connection, found.copy.other)
        ):
            found = found._replace(copy=None)  # it is the original of what was found
        incoming = self._with_wire_of_original(unit_of_work, incoming, found.copy)
        self._replace_text(unit_of_work, incoming, old)
        is_container = incoming.clean.is_container
        role: Role = "container" if is_container else found.copy.kind if found.copy else "report"
        copied = found.copy.other if found.copy else None
        articles.set_role(connection, old.id, role, copied, found.reuse)
        self._agree_again(connection, old, role)
        self.story_writer.restate(unit_of_work, old.story, at_no=at_no)
        unit_of_work.ledger.log(unit_of_work.now, old.story, "revised", article=old.id)
        story = self._join_original(unit_of_work, incoming, old, found)
        if story is None:
            story = self._second_look.look_at(unit_of_work, old.id, at_no=at_no)
        return PlacementResult(entry_no=n, outcome="revised", article=old.id, story=story)

    def _agree_again(self, connection: Connection, old: StoredArticle, role: Role) -> None:
        """Ask anew whether an article with another text agrees with the story that it joined."""
        evidence = articles.evidence_of(connection, old.id)
        is_no_copy_now = evidence.stage == "copy" and role == "report"
        if evidence.agreement is not None or is_no_copy_now:
            evidence = self._comparison.with_agreement(connection, old.id, old.story, evidence)
            articles.set_evidence(connection, old.id, evidence)

    def _join_original(
        self, unit_of_work: UnitOfWork, incoming: IncomingArticle, old: StoredArticle, found: CopyMatch
    ) -> str | None:
        """Move an article whose page came late to the story of its original and return it; None: it stays."""
        connection = unit_of_work.connection
        if found.copy is None or found.copy.kind != "copy":
            return None
        barred = self._constraints.story_constraints(connection, old.id).barred
        target = self._story_of_original(unit_of_work, incoming.as_article(old.id), found.copy, barred)
        if target is None:
            return None
        if target.id == old.story:
            return target.id
        leaving = self.story_writer.with_copies(connection, [old.id], old.story)
        if not self._constraints.may_leave(connection, leaving):
            return None
        agreement = None
        if incoming.is_polled:
            agreement = self._comparison.agreement_of_copy(connection, old.source, found.copy.other)
        evidence = Evidence(
            stage="copy",
            copy=found.copy,
            excerpts=found.excerpts,
            agreement=agreement,
            rules_version=self._version,
        )
        articles.set_evidence(connection, old.id, evidence)  # before the move, which counts it
        return self.story_writer.move(
            unit_of_work, leaving, target.id, at_no=incoming.inbox_entry.inbox_no, silent={old.story}
        )


_REVISED = Evidence(stage="revision")  # never stored: a revised article keeps the evidence of its placing


def _claimed_elsewhere(connection: Connection, inbox_entry: InboxEntry) -> str | None:
    """Return the article of the fetched page, if the site itself submitted it meanwhile.

    With its page the entry has its address as an identity key, unless another article has it.
    """
    entry = inbox_entry.entry
    canonical = canonical_url(entry.url) if entry.url and entry.authority == "foreign" else None
    if canonical is None or inbox_entry.page is None:
        return None
    owner = inbox.claim(connection, url_key(canonical), inbox_entry.article)
    if owner == inbox_entry.article:
        return None
    articles.rekey(connection, inbox_entry.article, owner, is_authoritative=False)
    return owner


def _article_of_own_url(connection: Connection, inbox_entry: InboxEntry) -> StoredArticle | None:
    """Return the article that took the URL of a revised entry over while the revision waited."""
    canonical = canonical_url(inbox_entry.entry.url or "")
    if canonical is None or inbox_entry.entry.authority not in ("own", "page"):
        return None
    owner = inbox.owner(connection, url_key(canonical))
    return articles.latest(connection, owner) if owner else None


def _is_same_item(connection: Connection, old: StoredArticle, entry: Entry) -> bool:
    """Whether another source delivered this entry before: with its title and minute, or its words."""
    canonical = canonical_url(entry.url or "")
    if canonical is None or old.source == entry.source:
        return False
    return any(inbox.owner(connection, key) == old.id for key in content_keys(entry, canonical))
