"""Place the entries of a batch: new articles, known articles that come again, and refused entries."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from aggregator.extract.entry_identity import url_key
from aggregator.grouping.grouping_services import GroupingServices
from aggregator.grouping.incoming_article import incoming_article
from aggregator.grouping.placing.decide import Decider
from aggregator.grouping.placing.placement_result import PlacementResult
from aggregator.grouping.placing.revise import Reviser
from aggregator.grouping.placing.which_article import (
    KnownArticle,
    NewArticle,
    WhichArticle,
)
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.storylines import join_near, unite_stories
from aggregator.grouping.write.copy_families import with_copies
from aggregator.grouping.write.story_writer import ChangesStories
from aggregator.model.article import Role
from aggregator.model.evidence import Evidence
from aggregator.model.prepared import CleanArticle, Prepared
from aggregator.store.intake import inbox, rejected
from aggregator.store.intake.identity import tombstones
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.intake.known_entries import look_again
from aggregator.store.intake.source_rows import Source, all_sources
from aggregator.store.maintenance import erased_rows as erasing
from aggregator.store.stories import stored_articles
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.unit_of_work import UnitOfWork


class EntryPlacer(ChangesStories):
    """Places the entries of one batch."""

    def __init__(
        self,
        services: GroupingServices,
        unit_of_work: UnitOfWork,
        batch: Sequence[tuple[InboxEntry, Prepared]],
    ) -> None:
        super().__init__(services, unit_of_work)
        self._decider = Decider(services, unit_of_work)
        self._which = WhichArticle(services, unit_of_work)
        self._second_look = SecondLook(services, unit_of_work)
        # Read the rows for the whole batch at once.
        connection = self._connection
        services.window.current(connection)
        numbers = [waiting.inbox_no for waiting, _ in batch]
        services.copy_finder.cover(connection, numbers[0], numbers[-1])
        # The sources by `entry.source`; {} if mutes do not need them
        self._sources: dict[str, Source] = {}
        if services.options.mutes.needs_sources:
            for source in all_sources(connection):
                self._sources[source.entry_source] = source

    def place(self, waiting: InboxEntry, whole: Prepared) -> PlacementResult:
        """Place an entry, unless it was refused or muted, or its article was forgotten or deleted."""
        prepared = self._services.boilerplate.shown(
            self._unit_of_work, waiting, whole, self._services.copy_finder
        )
        clean = prepared.article
        article = inbox.article_of(self._connection, waiting)
        waiting = replace(waiting, article=article)
        old = self._which.find_by_key(waiting)
        owner = article
        if prepared.fingerprint is not None:
            owner = self._claim_page(waiting)
        erased = tombstones.find_tombstones(self._connection, {article, owner})
        for id_, kind in erased.items():
            if kind == "forgotten":
                return self._reject_forgotten(waiting, id_)
        if prepared.fingerprint is None:
            return self._finish(waiting, clean, "refused", article)
        # The page of the entry belongs to another article, which the site itself submitted.
        is_elsewhere = owner != article and (old is None or not waiting.is_late_page)
        if erased or is_elsewhere:
            return self._finish(waiting, clean, "unchanged", owner)
        if old is None:
            muted = self._services.options.mutes.why(
                waiting.entry, self._sources.get(waiting.entry.source), clean
            )
            if muted is not None:
                # The entry keeps its text, so that it can be queued again.
                rejected.mute_entry(
                    self._connection,
                    waiting.entry_no,
                    at=self._unit_of_work.now,
                    reason=muted,
                )
                return _refuse(waiting, article, muted)
        incoming = incoming_article(
            waiting,
            prepared,
            self._unit_of_work.now,
            wire_confidence=self._services.placing.wire_confidence,
        )
        answer = self._which.decide(waiting, prepared, incoming, old)
        if isinstance(answer, NewArticle):
            if answer.takes_keys_of is not None:
                article_writes.rekey(
                    self._connection, answer.takes_keys_of, answer.article.id
                )
            return self._place_new(waiting, prepared, answer)
        self._write_known(waiting, answer)
        known = answer.article
        outcome: Outcome = "unchanged"
        story = known.story
        if answer.has_news:
            outcome = "revised"
            # A second look may move the article.
            self._second_look.before(waiting.inbox_no)
            story = Reviser(self._services, self._unit_of_work).revise(
                waiting, incoming, answer
            )
            if waiting.is_late_page:
                self._services.boilerplate.note(
                    self._unit_of_work, waiting.entry, known.inbox_no, prepared.lines
                )
        return self._finish(waiting, clean, outcome, known.id, story)

    def _claim_page(self, waiting: InboxEntry) -> str:
        """Claim the address of a fetched page; return the article that has it.

        Another article has the address if the site itself submitted the page meanwhile. That article then gets
        the keys of the entry's article.
        """
        address = self._which.find_page_address(waiting)
        if address is None:
            return waiting.article
        owner = inbox.claim(self._connection, url_key(address), waiting.article)
        if owner != waiting.article:
            article_writes.rekey(self._connection, waiting.article, owner)
        return owner

    def _write_known(self, waiting: InboxEntry, known: KnownArticle) -> None:
        """Write what a decision changes in a known article beside its words."""
        connection = self._connection
        article = known.article
        entry = waiting.entry
        if known.gets_keys:
            article_writes.rekey(connection, waiting.article, article.id)
        if known.left is not None:
            look_again(connection, article.id, known.left)
        if known.changes_source:
            values: dict[str, str | bool] = {"source": entry.source}
            if known.is_taken_over:
                values["is_little_known"] = known.is_little_known
            article_writes.change(connection, [article.id], **values)
            self._services.comparison.forget(article.inbox_no)
        if known.has_moved and entry.url is not None:
            article_writes.move_address(connection, article.id, entry.url)

    def _place_new(
        self, waiting: InboxEntry, prepared: Prepared, new: NewArticle
    ) -> PlacementResult:
        """Find the story of a new article, and write the article and the story.

        Only new articles end stream periods, so that `recluster`, which reads only articles, ends the same periods.
        """
        services = self._services
        unit_of_work = self._unit_of_work
        number = waiting.inbox_no
        match = new.match
        services.stream.before(unit_of_work, number, waiting.accepted_at)
        self._second_look.before(number)
        self._separate_series(match.series, number)
        services.stream.read_last(unit_of_work)
        # Stories that corrections link to the article are merged first.
        while len(linked := self._decider.constraints_of(new.article).must_link) > 1:
            self._writer.merge(linked[:2], number, "correction")
        article, story = self._decider.decide(new.article, match)
        article = services.outlet_names.named(unit_of_work, article)
        article = self._writer.place(article, story)
        # Corrections and affinities give the story its storyline.
        constraints = services.constraints
        same = constraints.same_storyline(self._connection, article.id)
        if same:
            unite_stories(self._connection, {article.story, *same})
        join_near(self._connection, constraints, article, article.affinities)
        services.copy_finder.add(number, match.sketch)
        services.stream.placed(article, has_joined=story is not None)
        outcome: Outcome = "founded" if story is None else "joined"
        if story is not None and article.role == "copy":
            outcome = "copy"
        else:
            # Lines are not learned from a copy, because it repeats its original and not the boilerplate of its outlet.
            services.boilerplate.note(
                unit_of_work, waiting.entry, number, prepared.lines
            )
        return self._finish(
            waiting, prepared.article, outcome, article.id, article.story
        )

    def _finish(
        self,
        waiting: InboxEntry,
        clean: CleanArticle,
        outcome: Outcome,
        article: str,
        story: str | None = None,
    ) -> PlacementResult:
        """Finish an entry in the inbox; return the result of placing it."""
        self._unit_of_work.finish(
            waiting.entry_no,
            outcome=outcome,
            article=article,
            verdict=clean.verdict,
            reason=clean.reason,
            page_verdict=clean.page_verdict,
            declared=waiting.entry,
        )
        return PlacementResult(
            entry_no=waiting.entry_no,
            outcome=outcome,
            article=article,
            story=story,
            reason=clean.reason if outcome == "refused" else None,
        )

    def _reject_forgotten(self, waiting: InboxEntry, article: str) -> PlacementResult:
        """Refuse an entry whose article, or the article of its page, was forgotten while it waited."""
        tombstones.count_refused(self._connection, [article], self._unit_of_work.now)
        erasing.blank_entries(
            self._connection, "entry_no", [waiting.entry_no], self._unit_of_work.now
        )
        return _refuse(waiting, article, tombstones.REASON)

    def _separate_series(self, series: Sequence[str], at_no: int) -> None:
        """Move articles of a series that share a story into stories of their own, except the first of each story."""
        connection = self._connection
        stories = stored_articles.assigned_stories(connection, series)
        counts = Counter(stories.values())
        evidence = Evidence(stage="series", rules_version=self._services.rules_version)
        for story in sorted(story for story, count in counts.items() if count > 1):
            members = stored_articles.read_articles_of(connection, story)
            _, *later = [member for member in members if member.id in stories]
            for member in later:
                # The copies of its text leave with it. If a correction binds one of them, all of them stay.
                leaving = with_copies(connection, [member.id], story)
                if not self._services.constraints.may_leave(connection, leaving):
                    continue
                article_writes.set_evidence(connection, member.id, evidence)
                role: Role = "container" if member.is_container else "report"
                article_writes.set_role(
                    connection, member.id, role, None, reuse=None, version_of=None
                )
                target = self._writer.move(leaving, None, at_no, founder=member.id)
                self._unit_of_work.log(
                    story, "moved", article=member.id, to=target, reason="series"
                )


def _refuse(waiting: InboxEntry, article: str, reason: str) -> PlacementResult:
    return PlacementResult(
        entry_no=waiting.entry_no, outcome="refused", article=article, reason=reason
    )
