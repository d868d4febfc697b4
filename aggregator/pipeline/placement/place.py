"""Placing: one article after the other gets its home, each decision with its evidence in one transaction.

This is the only writer of stories. What it keeps in memory (the index of live stories, the sampled shingles)
is derived from rows; after a failed transaction it is dropped and built again.
"""

import datetime as dt
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import msgspec

from aggregator.cluster.copies.shingles import shared_count, shingle_hashes
from aggregator.cluster.entry_identity import next_generation_id, story_id, url_key
from aggregator.cluster.events.scorer import Article, Candidate, Decision, Scorer, decide, is_within_window
from aggregator.cluster.events.weights import shipped_model
from aggregator.cluster.fingerprint import LinkRules
from aggregator.cluster.vetoes.vetoes import Telling, VetoRules, objections
from aggregator.config.messages import counted
from aggregator.config.tuning import RuleBook
from aggregator.extract.urls import canonical_url
from aggregator.extract.wire.agencies import copied_wire
from aggregator.model.core import (
    CleanArticle,
    CopyEvidence,
    Evidence,
    Noun,
    Placement,
    Prepared,
    Reason,
    Role,
)
from aggregator.model.errors import DatabaseAwayError, UsageError
from aggregator.pipeline.placement.apply_corrections import Corrected, Correcting, Wish
from aggregator.pipeline.placement.boilerplate import Repeating, Wanted
from aggregator.pipeline.placement.constraints import Bonds, Ties
from aggregator.pipeline.placement.copy_lookup import Held, Twins
from aggregator.pipeline.placement.cross_language import Across, Own
from aggregator.pipeline.placement.erase import (
    BATCH,
    Forgetting,
    ForgetWish,
    Forgotten,
    finish_index,
    to_forget,
)
from aggregator.pipeline.placement.incoming_article import Coming, as_article
from aggregator.pipeline.placement.live_blog_links import Linking
from aggregator.pipeline.placement.reassess import TELLINGS, SecondLook
from aggregator.pipeline.placement.repair import Repaired, Repairing, RepairWish
from aggregator.pipeline.placement.retention import Plan, Retaining
from aggregator.pipeline.placement.story_writer import BUMPS, Desk, Homes
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import inbox, rejected, tombstones
from aggregator.store.intake.inbox import Outcome, Waiting
from aggregator.store.maintenance import erase as erasing
from aggregator.store.search import index as search
from aggregator.store.stories import articles, commands, stories
from aggregator.store.stories.articles import NewArticle, Stored
from aggregator.store.stories.placement_batch import Ledger
from aggregator.store.stories.stories import StoryRow
from aggregator.stories.tuning import StoryRules

log = logging.getLogger(__name__)


class PlacingRules(msgspec.Struct, frozen=True, kw_only=True):
    """Section `placing` of config/tuning.yaml."""

    batch_articles: int
    sweep_every: int
    revision_containment: float
    wire_confidence: float


class Placed(Noun, frozen=True, kw_only=True):
    """What became of one waiting entry."""

    n: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None


class Placing:
    """Places prepared entries. Only the process that holds the writer lock may have one, and one thread."""

    def __init__(
        self,
        database: Database,
        book: RuleBook,
        now: Callable[[], dt.datetime],
        *,
        summary_words: int,
        families: Mapping[str, str] | None = None,
        bumps: Collection[str] = BUMPS,
        prefer: Sequence[str] = (),
    ) -> None:
        """`families`: key of an outlet to its publisher (None: the shipped ones), see stories.counts.

        `bumps`: what puts a known story first again, see homes.BUMPS. `prefer`: outlets whose titles go
        before others.
        """
        self._database = database
        self._now = now
        self._version = book.version
        self._model = shipped_model(book)
        self._scorer = Scorer(self._model)
        self._rules = book.section("placing", PlacingRules)
        self._veto_rules = book.section("vetoes", VetoRules)
        self._twins = Twins(book)
        self._across = Across(book, self._scorer)
        self._bonds = Bonds()
        self._repeating = Repeating(book)
        self._swept = -1
        self.homes = Homes(
            self._model,
            book.section("stories", StoryRules),
            summary_words=summary_words,
            families=families,
            bumps=bumps,
            prefer=prefer,
            has_guests=self._across.is_on,
        )
        self._correcting = Correcting(self.homes, self._bonds, self._version)
        self._forgetting = Forgetting(self.homes, self._twins)
        self._repairing = Repairing(self.homes, self._twins)
        self._second_look = SecondLook(self.homes, self._bonds, self._scorer, self._veto_rules, self._version)
        self._linking = Linking(self.homes, self._scorer, book.section("links", LinkRules), self._veto_rules)

    def forget(self) -> None:
        """Drop what is kept in memory; the next batch builds it again."""
        self._twins.forget()
        self._forget_stories()

    def _forget_stories(self) -> None:
        self.homes.forget()
        self._across.forget()
        self._bonds.forget()
        self._second_look.forget()
        self._linking.forget()
        self._repeating.forget()

    def wanted(self, batch: Sequence[Waiting]) -> list[Wanted]:
        """How these entries are to be prepared, by what is known now."""
        with self._database.read() as connection:
            return [self._repeating.wanted(connection, one.n, one.entry) for one in batch]

    def correct(self, wish: Wish, request: int | None = None) -> Corrected:
        """Carry out what a person asks; `request` is the row that it was left in, which is answered with it.

        Raises UsageError where it cannot be done; then nothing has happened.
        """

        def unit() -> Corrected:
            with self.desk() as desk:
                corrected = self._correcting.carry_out(desk, wish)
                if request is not None:
                    answer = msgspec.json.encode(corrected).decode()
                    commands.answer(desk.connection, request, desk.now, "done", answer)
            return corrected

        return self._database.again(unit)

    def repair(self, wish: RepairWish, request: int | None = None) -> Repaired:
        """Put right a piece of what `db check` found; `request` is the row that it was left in."""

        def unit() -> Repaired:
            with self.desk() as desk:
                repaired = Repaired(rows=self._repairing.carry_out(desk, wish))
                if request is not None:
                    answer = msgspec.json.encode(repaired).decode()
                    commands.answer(desk.connection, request, desk.now, "done", answer)
            return repaired

        repaired = self._database.again(unit)
        if wish.remedy == "bands":
            self._twins.forget()  # its sampled shingles are others now
        return repaired

    def erase(
        self, wish: ForgetWish, request: int | None = None, step: Callable[[], None] = lambda: None
    ) -> Forgotten:
        """Forget what is named; `request` is the row that it was left in, which is answered and blanked.

        Many articles are many transactions, and `step` is called before each: where it raises, what was
        forgotten is, and asked again it goes on with the rest. Raises UsageError where the name is unknown.
        """
        with self._database.read() as connection:
            meant, toll = to_forget(connection, wish.name)
            former = erasing.stories_of(connection, meant.articles)

        def unit(ids: Sequence[str]) -> None:
            with self.desk() as desk:
                self._forgetting.carry_out(desk, ids, former)

        try:
            for start in range(0, len(meant.articles), BATCH):
                step()
                self._database.again(partial(unit, meant.articles[start : start + BATCH]))
        finally:
            self.forget()  # the indexes in memory hold what is gone
        folded = finish_index(self._database, step)
        forgotten = Forgotten(named=len(meant.articles), toll=toll, log_folded=folded)
        named = counted(forgotten.named, "article")
        log.info("forgot %d of %s named by one %s", toll.articles, named, meant.kind)
        if request is not None:
            answer = msgspec.json.encode(forgotten).decode()
            number = request

            def answered(connection: Connection) -> None:
                commands.answer(connection, number, self._now(), "done", answer)
                erasing.blank_request(connection, number)

            self._database.transact(answered)
            if folded:
                self._database.fold_log(self._database.rules.checkpoint_seconds)
        return forgotten

    def set_aside(self, n: int, reason: str) -> None:
        """Take a waiting entry out of the queue that cannot be placed."""
        self._repeating.placed(n)
        self._database.transact(
            lambda connection: rejected.set_aside(connection, n, at=self._now(), reason=reason)
        )

    def retaining(self, plan: Plan, book: RuleBook, *, is_asked: bool = False) -> Retaining:
        """What takes from old articles what they are not to keep, with what is in memory here."""
        return Retaining(
            self._database,
            book,
            plan,
            now=self._now,
            desk=self.desk,
            homes=self.homes,
            twins=self._twins,
            is_asked=is_asked,
        )

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """A placing transaction: all or nothing, in the rows and in memory."""
        done = False
        try:
            with self._database.write() as connection:
                desk = Desk(connection, Ledger(connection), self._now())
                yield desk
                desk.ledger.close()
            done = True
            self._twins.written()
        except UsageError:
            done = True  # refused before anything was changed, in the rows or in memory
            raise
        except DatabaseAwayError as error:
            if error.commit_unknown:
                self._twins.forget()  # what is undone below may be in the rows
            raise
        finally:
            if not done:
                self._twins.undo()  # exact; building that index again would take seconds
                self._forget_stories()

    def place(self, batch: Sequence[tuple[Waiting, Prepared]], *, as_it_is: bool = False) -> list[Placed]:
        """Place a batch, in the order of its inbox numbers, in one transaction.

        Ends before the first entry that is to be prepared in another way than it was: `wanted` says how.
        `as_it_is`: the first one is placed in any case.
        """
        return self._database.again(lambda: self._place(batch, as_it_is=as_it_is))

    def _place(self, batch: Sequence[tuple[Waiting, Prepared]], *, as_it_is: bool) -> list[Placed]:
        placed: list[Placed] = []
        with self.desk() as desk:
            for waiting, prepared in batch:
                is_ready = self._is_ready(desk.connection, waiting, prepared)
                if not is_ready and not (as_it_is and not placed):
                    break
                placed.append(self._one(desk, waiting, prepared))
        if placed:
            last = batch[len(placed) - 1][0].inbox_no
            self._twins.settled(last)
            self._across.settled(last)
            period = last // self._rules.sweep_every
            if period != self._swept:
                self._swept = period
                self.homes.sweep(last)
        return placed

    def _is_ready(self, connection: Connection, waiting: Waiting, prepared: Prepared) -> bool:
        if not self._repeating.is_current(connection, waiting.entry, prepared.lines):
            return False
        mark = prepared.fingerprint
        return mark is None or not self._repeating.finds_wall(
            connection, Coming(waiting, prepared.article, mark), prepared.lines
        )

    def _one(self, desk: Desk, waiting: Waiting, prepared: Prepared) -> Placed:
        self._second_look.before(desk, waiting.inbox_no)
        self._linking.before(desk, waiting.inbox_no)
        if tombstones.among(desk.connection, {waiting.article}):
            return self._forgotten(desk, waiting, waiting.article)
        clean, mark = prepared.article, prepared.fingerprint
        if mark is None:
            placed = Placed(n=waiting.n, outcome="refused", article=waiting.article, reason=clean.reason)
        else:
            coming = Coming(waiting, clean, mark)
            elsewhere = _claimed_elsewhere(desk.connection, waiting)
            if elsewhere is not None and tombstones.among(desk.connection, {elsewhere}):
                return self._forgotten(desk, waiting, elsewhere)
            # Asked of a new entry too: a later one of its article may have gone before it, while it waited
            # for its page. Without that page it has nothing to add.
            old = articles.latest(desk.connection, waiting.article)
            if elsewhere is not None:
                placed = Placed(n=waiting.n, outcome="unchanged", article=elsewhere)
            elif old is not None and not waiting.revises and waiting.page is None:
                placed = Placed(n=waiting.n, outcome="unchanged", article=old.id, story=old.story)
            elif old is not None:
                placed = self._again(desk, coming, old)
            else:
                placed = self._new(desk, coming, waiting.article, waiting.article, 0)
            if placed.outcome in ("founded", "joined"):  # a copy repeats its twin, not its outlet's furniture
                self._repeating.note(desk.connection, waiting.entry, waiting.inbox_no, prepared.lines)
        desk.ledger.finish(
            waiting.n,
            at=desk.now,
            outcome=placed.outcome,
            article=placed.article,
            verdict=clean.verdict,
            reason=placed.reason or clean.reason,
            page_verdict=clean.page_verdict,
            declared=waiting.entry,
        )
        self._repeating.placed(waiting.n)
        return placed

    def _forgotten(self, desk: Desk, waiting: Waiting, article: str) -> Placed:
        """It was accepted while its article was being forgotten, or its page turned out to be that."""
        tombstones.count_refused(desk.connection, [article], desk.now)
        erasing.blank_entry(desk.connection, waiting.n, desk.now)
        self._repeating.placed(waiting.n)
        return Placed(n=waiting.n, outcome="refused", article=article, reason=tombstones.REASON)

    # --- a new article ------------------------------------------------------------------------------------

    def _new(self, desk: Desk, coming: Coming, id_: str, root: str, generation: int) -> Placed:
        """Twin, event, home: decide, then write the article and what its story is now."""
        found = self._twins.find(desk.connection, coming, id_)
        coming = self._as_what_it_copies(desk.connection, coming, found.copy)
        coming = self._with_wire_of_twin(desk.connection, coming, found.copy)
        article = coming.as_article()
        ties = self._bonds.ties(desk.connection, id_)
        decision = self._decision(desk, coming, article, found.copy, ties)
        home = None if decision.story is None else _must(stories.row_of(desk.connection, decision.story))
        story = story_id(id_, stories.foundings(desk.connection, id_)) if home is None else home.id
        evidence = msgspec.structs.replace(
            decision.evidence,
            shared=decision.shared,
            copy=found.copy,
            # They came first and keep their role: a stuffed page must not take it from them.
            excerpts=found.excerpts,
            rules_version=self._version,
        )
        placement = Placement(
            story=story,
            founded=home is None,
            role=decision.role,
            copy_of=found.copy.other if found.copy else None,
            takes_in=decision.takes_in,
            evidence=evidence,
        )
        new = coming.row(
            desk.now,
            placement,
            id_=id_,
            root=root,
            generation=generation,
            weighs=decision.weighs,
            wire_confidence=self._rules.wire_confidence,
        )
        new = self._held(new, found.held)
        losers = [_must(stories.row_of(desk.connection, loser)) for loser in decision.takes_in]
        self.homes.take_in(desk, new, article, home, losers)
        self._twins.add(new.n, found.held.sketch)
        if self._across.is_on:
            self._across.put(desk.connection, new.n, coming.mark.across)
        desk.ledger.log(
            desk.now,
            story,
            "created" if home is None else "joined",
            article=id_,
            role=decision.role,
            score=evidence.score,
        )
        self._linking.placed(desk, new.n, coming.mark, at_no=new.n)
        outcome: Outcome = "founded" if home is None else "copy" if decision.role == "copy" else "joined"
        return Placed(n=coming.waiting.n, outcome=outcome, article=id_, story=story)

    @staticmethod
    def _as_what_it_copies(connection: Connection, coming: Coming, copy: CopyEvidence | None) -> Coming:
        """A copy of a report is no live blog or round-up, whatever its headline says."""
        clean = coming.clean
        if copy is None or copy.kind != "copy" or not clean.is_container or clean.timed:
            return coming
        if articles.role_of(connection, copy.other) == "container":
            return coming
        return coming._replace(clean=msgspec.structs.replace(clean, is_container=False))

    def _with_wire_of_twin(self, connection: Connection, coming: Coming, copy: CopyEvidence | None) -> Coming:
        """A copy of an agency's text is that agency's, also where the print does not say so."""
        wire = coming.clean.wire
        is_sure = wire is not None and wire.agency and wire.confidence >= self._rules.wire_confidence
        if copy is None or copy.kind != "copy" or is_sure:
            return coming
        outlet, agency = articles.voice_of(connection, copy.other)
        copied = copied_wire(copy.other, outlet, agency)
        if copied is None:
            return coming
        return coming._replace(clean=msgspec.structs.replace(coming.clean, wire=copied))

    def _decision(
        self, desk: Desk, coming: Coming, article: Article, copy: CopyEvidence | None, ties: Ties
    ) -> Decision:
        """What a person said, then the story of its twin, then what it tells of."""
        if ties.must:
            return self._bound(desk, article, copy, ties)
        connection = desk.connection
        index = self.homes.index(connection)
        if copy is not None and copy.kind == "copy":
            home = stories.home_of(connection, copy.other)
            # Not "is it in the index": that holds dead stories until it is swept, and a restart sweeps it.
            oldest = article.inbox - self._model.rules.live_reach
            is_live = home is not None and home.last_inbox_no >= oldest and home.id not in ties.barred
            if home and is_live and is_within_window(article, index.story(home.n), self._model):
                role: Role = "container" if article.is_container else "copy"
                return Decision(story=home.id, role=role, weighs=False, evidence=Evidence(stage="copy"))
        decided = decide(
            article,
            index.candidates(article),
            self._scorer,
            objections=lambda candidate: self._objections(connection, coming, article, candidate),
            barred=lambda candidate: candidate.story in ties.barred,
        )
        decided = self._without_kept_apart(connection, decided)
        if copy is not None and copy.kind == "excerpt" and decided.role == "report":
            return msgspec.structs.replace(decided, role="excerpt", weighs=decided.story is None)
        if self._across.is_on and decided.story is None and not decided.takes_in:
            own = Own(article, coming.mark.across, self._telling(coming, article))
            return self._across.decide(connection, own, index, barred=ties.barred, founds=decided)
        return decided

    def _without_kept_apart(self, connection: Connection, decided: Decision) -> Decision:
        """Not taking in the containers that a correction keeps out of the story, or apart from each other."""
        one_story = [] if decided.story is None else [decided.story]
        for container in decided.takes_in:
            if all(self._bonds.may_merge(connection, container, other) for other in one_story):
                one_story.append(container)
        taken = tuple(one for one in one_story if one != decided.story)
        return msgspec.structs.replace(decided, takes_in=taken)

    def _bound(self, desk: Desk, article: Article, copy: CopyEvidence | None, ties: Ties) -> Decision:
        """The home that a correction gives; where it names several stories, they are one from now on."""
        home, *others = ties.must
        for other in others:
            home = self.homes.join(desk, home, other, at_no=article.inbox, reason="correction")
        row = _must(stories.row_of(desk.connection, home))
        is_copy = copy is not None and copy.kind == "copy"
        twin_home = articles.homes(desk.connection, [copy.other]) if copy is not None and is_copy else {}
        is_silent = home in twin_home.values()
        role: Role = "container" if article.is_container else "copy" if is_silent else "report"
        weighs = not is_silent and (not article.is_container or row.container_only)
        return Decision(story=home, role=role, weighs=weighs, evidence=Evidence(stage="correction"))

    def _objections(
        self, connection: Connection, coming: Coming, article: Article, candidate: Candidate
    ) -> tuple[Reason, ...]:
        words = self._model.rules.bodyless_words
        others = articles.tellings(connection, candidate.story, TELLINGS, bodyless_words=words)
        return objections(self._telling(coming, article), others, self._veto_rules)

    def _telling(self, coming: Coming, article: Article) -> Telling:
        return Telling(
            title=coming.clean.title,
            lead=coming.clean.lead,
            language=coming.clean.language,
            outlet=coming.outlet,
            minutes=article.minutes,
            bodyless=article.bodyless(self._model),
        )

    @staticmethod
    def _held(new: NewArticle, held: Held) -> NewArticle:
        """The article with what it is to be found by as a twin."""
        return msgspec.structs.replace(new, bands=held.bands, sketch=held.sketch, is_indexed=held.is_indexed)

    # --- revisions ----------------------------------------------------------------------------------------

    def _again(self, desk: Desk, coming: Coming, old: Stored) -> Placed:
        """A known article with other words: the same, a revision, or another text under a reused address."""
        n = coming.waiting.n
        if coming.mark.text_hash == old.text_hash or old.is_gone:
            return Placed(n=n, outcome="unchanged", article=old.id, story=old.story)
        if self._linking.has_lost_its_page(desk.connection, old, coming.clean):
            return Placed(n=n, outcome="unchanged", article=old.id, story=old.story)
        if self._resembles(old, coming.clean):
            self._revise(desk, coming, old)
            return Placed(n=n, outcome="revised", article=old.id, story=old.story)
        generation = old.generation + 1
        id_ = next_generation_id(old.root, generation)
        articles.hand_over(desk.connection, old.id, id_, gives=True)
        return self._new(desk, coming, id_, old.root, generation)

    def _resembles(self, old: Stored, clean: CleanArticle) -> bool:
        if old.role == "container" or not old.text or not clean.text:
            return True
        before, after = shingle_hashes(old.text), shingle_hashes(clean.text)
        smaller = min(len(before), len(after))
        return shared_count(before, after) >= self._rules.revision_containment * smaller

    def _revise(self, desk: Desk, coming: Coming, old: Stored) -> None:
        """New words over old ones: the article keeps its id, its number, its role and its home."""
        coming = coming.with_date_of(old)
        before = as_article(old)
        after = msgspec.structs.replace(coming.as_article(), is_container=before.is_container)
        home = _must(stories.row_of(desk.connection, old.story))
        placement = Placement(story=old.story, founded=False, role=old.role, evidence=_REVISED)
        new = coming.row(
            desk.now,
            placement,
            id_=old.id,
            root=old.root,
            generation=old.generation,
            weighs=old.weighs,
            wire_confidence=self._rules.wire_confidence,
        )
        revised = self._twins.revised(desk.connection, old, coming)
        new = self._held(msgspec.structs.replace(new, n=old.n, outlet=old.outlet or new.outlet), revised.held)
        articles.keep_revision(desk.connection, old, desk.now)
        was_searchable = search.take_out(desk.connection, old.n)
        articles.replace_text(desk.connection, new, self._twins.keys(old.signature), is_packed=old.is_packed)
        self._twins.replace(new.n, revised)
        if self._across.is_on:
            self._across.put(desk.connection, new.n, coming.mark.across)
        if was_searchable:
            search.put_back(desk.connection, old.n)
        self.homes.revise(desk, home, new, before, after, at_no=coming.waiting.inbox_no)
        self._linking.placed(desk, new.n, coming.mark, at_no=coming.waiting.inbox_no)
        desk.ledger.log(desk.now, home.id, "revised", article=old.id)


_REVISED = Evidence(stage="revision")  # never stored: a revised article keeps the evidence of its placing


def _claimed_elsewhere(connection: Connection, waiting: Waiting) -> str | None:
    """The article of the page that a foreign source linked to, where its own site gave it meanwhile.

    With the page in hand the entry speaks for its address, and claims it where nobody did.
    """
    entry = waiting.entry
    canonical = canonical_url(entry.url) if entry.url and entry.authority == "foreign" else None
    if canonical is None or waiting.page is None:
        return None
    owner = inbox.claim(connection, url_key(canonical), waiting.article)
    if owner == waiting.article:
        return None
    articles.hand_over(connection, waiting.article, owner, gives=False)
    return owner


def _must(row: StoryRow | None) -> StoryRow:
    assert row is not None, "a story that the index or an article's row names"
    return row
