"""The place of each entry of a batch: a new article, one that comes again, or one that is refused."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from aggregator.extract.entry_identity import next_generation_id
from aggregator.grouping.changes import Copy, Found, Join, Move
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.decide import Decider
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
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.core import (
    Article,
    CleanArticle,
    Evidence,
    FrozenStruct,
    Prepared,
    Role,
)
from aggregator.store.intake import inbox, rejected
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.intake.sources import Source, all_sources
from aggregator.store.maintenance import erase as erasing
from aggregator.store.stories import articles, stories
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.articles import StoredArticle


class PlacementResult(FrozenStruct):
    """The outcome of one waiting entry."""

    entry_no: int
    outcome: Outcome
    article: str
    story: str | None = None
    reason: str | None = None


class EntryPlacer:
    """Places the entries of one batch, in its transaction."""

    def __init__(
        self,
        parts: GroupingParts,
        unit_of_work: UnitOfWork,
        batch: Sequence[tuple[InboxEntry, Prepared]],
    ) -> None:
        """Read at once what the batch needs, while nothing waits to be written."""
        self._parts = parts
        self._unit_of_work = unit_of_work
        self._batch = batch
        self._decider = Decider(parts)
        self._second_look = SecondLook(parts)
        self._reviser = Reviser(parts, self._decider, self._second_look)
        self._read_ahead()
        connection = unit_of_work.connection
        ids = {waiting.article for waiting, _ in batch}
        # Forgotten or deleted
        self._refused = tombstones.find_tombstones(connection, ids)
        # Also those of this batch
        self._placed = set(articles.assigned_stories(connection, ids))
        self._founders = stories.founders_among(connection, ids)  # before this batch
        # By `entry.source`; {} if mutes do not need them
        self._sources: dict[str, Source] = {}
        if parts.options.mutes.needs_sources:
            self._sources = {
                source.entry_source: source for source in all_sources(connection)
            }

    def _read_ahead(self) -> None:
        """Let the parts read what they need of the batch."""
        parts, batch, connection = (
            self._parts,
            self._batch,
            self._unit_of_work.connection,
        )
        parts.window.current(connection)
        first, last = batch[0][0].inbox_no, batch[-1][0].inbox_no
        parts.copy_finder.cover(connection, first, last)
        parts.boilerplate.read(connection, (waiting.entry for waiting, _ in batch))

    def place(self) -> list[PlacementResult]:
        """Place the entries in order."""
        parts, results = self._parts, []
        for waiting, prepared in self._batch:
            shown = parts.boilerplate.shown(
                self._unit_of_work, waiting, prepared, parts.copy_finder
            )
            results.append(self._place(waiting, shown))
            self._placed.add(waiting.article)
        return results

    def _place(self, waiting: InboxEntry, prepared: Prepared) -> PlacementResult:
        """Place an entry, unless its article was forgotten or deleted, or is muted."""
        connection, clean = self._unit_of_work.connection, prepared.article
        if waiting.article in self._refused:
            return self._reject_forgotten(waiting, waiting.article)
        if prepared.fingerprint is None:
            return self._finished(
                waiting, clean, Placed("refused", waiting.article, "")
            )
        elsewhere = claimed_elsewhere(connection, waiting)
        if elsewhere is not None and tombstones.find_tombstones(
            connection, {elsewhere}
        ):
            return self._reject_forgotten(waiting, elsewhere)
        old = self._known_article(waiting)
        if old is None and elsewhere is None:
            muted = self._why_muted(waiting, clean)
            if muted is not None:
                return self._mute(waiting, muted)
        return self._finished(
            waiting, clean, self._place_article(waiting, prepared, old, elsewhere)
        )

    def _known_article(self, waiting: InboxEntry) -> StoredArticle | None:
        """Return the article of an entry if it was placed before.

        Asked of a new entry, too: a later one of its article may have gone before it, while it waited for its
        page.
        """
        connection = self._unit_of_work.connection
        is_known = waiting.article in self._placed
        if is_known or waiting.is_revision:
            self._unit_of_work.ledger.write()
        old = articles.latest(connection, waiting.article) if is_known else None
        if old is None and waiting.is_revision:
            old = article_of_own_url(connection, waiting)
        return old

    def _place_article(
        self,
        waiting: InboxEntry,
        prepared: Prepared,
        old: StoredArticle | None,
        elsewhere: str | None,
    ) -> Placed:
        """Place an article: `old` if it is known, `elsewhere` if its page is that of another article."""
        unit_of_work = self._unit_of_work
        incoming = incoming_article(
            waiting,
            prepared,
            unit_of_work.now,
            wire_confidence=self._parts.placing.wire_confidence,
        )
        if old is not None and waiting.is_late_page:
            result = self._reviser.decide_again(unit_of_work, waiting, incoming, old)
        elif elsewhere is not None:
            result = Placed("unchanged", elsewhere, "")
        elif old is None:
            result = self._place_new(waiting, incoming)
        elif not waiting.is_revision and waiting.page is None:
            result = unchanged(old)  # without its page it has nothing to add
        else:
            result = self._place_again(waiting, prepared, incoming, old)
        # A copy repeats its original, not the boilerplate of its outlet.
        is_late = waiting.is_late_page and result.outcome == "revised"
        if is_late or result.outcome in ("founded", "joined"):
            number = old.inbox_no if is_late and old is not None else waiting.inbox_no
            self._parts.boilerplate.note(
                unit_of_work, waiting.entry, number, prepared.lines
            )
        return result

    def _place_again(
        self,
        waiting: InboxEntry,
        prepared: Prepared,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Revise a known article, or place another one that has its address now."""
        own_text = "" if prepared.own is None else prepared.own.article.text
        is_page_lost = (
            waiting.has_lost_page or prepared.article.page_verdict is not None
        )
        revised = self._reviser.place_again(
            self._unit_of_work,
            waiting,
            incoming,
            old,
            own_text,
            is_page_lost=is_page_lost,
        )
        if revised is not None:
            return revised
        generation = old.generation + 1
        id_ = next_generation_id(old.root_article, generation)
        article_writes.rekey(
            self._unit_of_work.connection, old.id, id_, is_authoritative=True
        )
        other = replace(
            incoming, id=id_, root_article=old.root_article, generation=generation
        )
        return self._place_new(waiting, other)

    def _place_new(self, waiting: InboxEntry, incoming: StoredArticle) -> Placed:
        """Find original and story of a new article, then write both.

        Only new articles end periods, so that `recluster`, which reads articles, ends the same ones.
        """
        parts, unit_of_work, number = self._parts, self._unit_of_work, waiting.inbox_no
        page = waiting.entry.url or waiting.page_url
        found = parts.copy_finder.find(
            unit_of_work.connection, incoming, page, unit_of_work.ledger.articles
        )
        if incoming.generation == 0 and found.same_page is not None:
            seen_there = self._reviser.place_there(
                unit_of_work, waiting, incoming, found.same_page
            )
            if seen_there is not None:
                return seen_there
        parts.stream.before(unit_of_work, number, waiting.accepted_at)
        self._second_look.before(unit_of_work, number)
        self._separate(found.series, number)
        parts.stream.read_last(unit_of_work)
        change = self._decide(incoming, found)
        parts.story_writer.apply(unit_of_work, change)
        parts.copy_finder.add(number, found.sketch)
        outcome = _outcome_of(change)
        parts.stream.placed(change.article, has_joined=outcome != "founded")
        return Placed(outcome, change.article.id, change.article.story)

    def _separate(self, series: Sequence[str], at_no: int) -> None:
        """Give each article of a series its own story: two alone were like copies of one text."""
        unit_of_work = self._unit_of_work
        assigned = articles.assigned_stories(unit_of_work.connection, series)
        assigned |= {
            new.id: new.story
            for new in unit_of_work.ledger.articles
            if new.id in series
        }
        shared = [
            story for story, count in Counter(assigned.values()).items() if count > 1
        ]
        if shared:
            unit_of_work.ledger.write()
        for story in sorted(shared):
            members = articles.members(unit_of_work.connection, story)
            _, *later = [member for member in members if member.id in assigned]
            for member in later:
                self._take_out(member, at_no)

    def _take_out(self, member: Article, at_no: int) -> None:
        """Let an article begin a story, with the copies of its own text, unless a correction binds one."""
        connection, parts, ledger = (
            self._unit_of_work.connection,
            self._parts,
            self._unit_of_work.ledger,
        )
        leaving = with_copies(connection, [member.id], member.story)
        if not parts.constraints.may_leave(connection, leaving):
            return
        evidence = Evidence(stage="series", rules_version=parts.rules_version)
        article_writes.set_evidence(connection, member.id, evidence)
        role: Role = "container" if member.is_container else "report"
        article_writes.set_role(
            connection, member.id, role, None, reuse=None, version_of=None
        )
        move = Move(
            articles=tuple(leaving), target=None, at_no=at_no, founder=member.id
        )
        story = parts.story_writer.apply(self._unit_of_work, move)
        now = self._unit_of_work.now
        ledger.log(
            now, member.story, "moved", article=member.id, to=story, reason="series"
        )

    def _decide(self, incoming: StoredArticle, found: CopyMatch) -> Found | Join | Copy:
        """Decide about a new article; stories to which corrections link it are merged first."""
        unit_of_work = self._unit_of_work
        while (merge := self._decider.merge_before(unit_of_work, incoming)) is not None:
            self._parts.story_writer.apply(unit_of_work, merge)
        has_founded = incoming.generation > 0 or incoming.id in self._founders
        change = self._decider.decide(
            unit_of_work, incoming, found, has_founded=has_founded
        )
        article = self._parts.outlet_names.named(unit_of_work, change.article)
        return replace(change, article=article)

    def _finished(
        self, waiting: InboxEntry, clean: CleanArticle, result: Placed
    ) -> PlacementResult:
        """Finish an entry in the inbox; return its outcome."""
        self._unit_of_work.ledger.finish(
            waiting.entry_no,
            at=self._unit_of_work.now,
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

    def _why_muted(self, waiting: InboxEntry, clean: CleanArticle) -> str | None:
        source = self._sources.get(waiting.entry.source)
        return self._parts.options.mutes.why(waiting.entry, source, clean)

    def _mute(self, waiting: InboxEntry, reason: str) -> PlacementResult:
        """Refuse an entry that is not wanted; it keeps its text, to be queued again."""
        connection, n, at = (
            self._unit_of_work.connection,
            waiting.entry_no,
            self._unit_of_work.now,
        )
        rejected.quarantine(connection, n, at=at, reason=reason, verdict=inbox.MUTED)
        return PlacementResult(
            entry_no=n, outcome="refused", article=waiting.article, reason=reason
        )

    def _reject_forgotten(self, waiting: InboxEntry, article: str) -> PlacementResult:
        """Refuse an entry whose article, or the article of its page, was erased meanwhile."""
        connection, n, at = (
            self._unit_of_work.connection,
            waiting.entry_no,
            self._unit_of_work.now,
        )
        tombstones.count_refused(connection, [article], at)
        erasing.blank_entry(connection, n, at)
        return PlacementResult(
            entry_no=n, outcome="refused", article=article, reason=tombstones.REASON
        )


def _outcome_of(change: Found | Join | Copy) -> Outcome:
    match change:
        case Found():
            return "founded"
        case Join():
            return "joined"
        case Copy():
            return "copy"
