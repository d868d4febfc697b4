"""Decides what becomes of a new article: it founds a story, joins one, or is a copy in one.

Corrections decide first, then the story of the original of a copy, then the score. The rows of stories and
articles are read, and what waits of them is written before; nothing is changed.
"""

import datetime as dt
from collections.abc import Collection, Sequence

from msgspec.structs import replace

from aggregator.extract.entry_identity import story_id
from aggregator.extract.wire.agencies import copied_wire
from aggregator.grouping.changes import Copy, Found, Join, Merge
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.copies.series import is_kept_apart
from aggregator.grouping.pairs.pair_article import PairArticle, pack_nearest
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.scorer import Decision, decide, is_open, is_within_window
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.window import LiveStory
from aggregator.grouping.write.growing_stories import live_row
from aggregator.model.core import Agreement, CopyEvidence, Evidence, Role
from aggregator.store import codecs
from aggregator.store.stories import articles, stories
from aggregator.store.stories.article_rows import compared_articles
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.stories import StoryRow
from aggregator.stories.counting.copy_groups import COUNTED_ROLES

# Between two states of a text (chosen: a verdict, a count and a rescue take a night or two).
_UPDATED_WITHIN = dt.timedelta(days=3)


class Decider:
    """Decides about new articles, in a placing transaction."""

    def __init__(self, parts: GroupingParts) -> None:
        self._parts = parts

    def merge_before(
        self, unit_of_work: UnitOfWork, article: StoredArticle
    ) -> Merge | None:
        """Return the merge of two stories to which corrections link a new article, and so each other."""
        if not self._parts.constraints.has_article(unit_of_work.connection, article.id):
            return None
        unit_of_work.ledger.write()
        linked = self._parts.constraints.story_constraints(
            unit_of_work.connection, article.id
        ).must_link
        if len(linked) < 2:
            return None
        return Merge(stories=linked[:2], at_no=article.inbox_no, reason="correction")

    def decide(
        self,
        unit_of_work: UnitOfWork,
        incoming: StoredArticle,
        found: CopyMatch,
        *,
        has_founded: bool,
    ) -> Found | Join | Copy:
        """Return what becomes of a new article; `has_founded`: it may have founded a story before."""
        incoming = self.with_wire_of_original(unit_of_work, incoming, found)
        window = self._parts.window.current(unit_of_work.connection)
        is_little_known = self._parts.stream.is_little_known(
            unit_of_work.connection, incoming, has_polled=window.has_polled
        )
        claimed = incoming.claimed_outlet
        if window.has_polled and not incoming.is_polled:
            # An archive that is read without feeds is believed
            claimed = incoming.outlet_key
        incoming = replace(
            incoming, is_little_known=is_little_known, claimed_outlet=claimed
        )
        own = PairArticle(incoming)
        decision = self._decision(unit_of_work, incoming, own, found)
        story = None
        if decision.story is not None:
            story = self._parts.story_writer.growing.row(unit_of_work, decision.story)
        agreement = self._agreement(
            unit_of_work, incoming, own, decision, story=story, copy=found.copy
        )
        if (
            found.copy is None
            and agreement
            and agreement.copied
            and not agreement.is_enough
        ):
            decision = replace(decision, role="excerpt", is_compared=False)
        if decision.is_compared:
            self._parts.comparison.keep(own)
        evidence = replace(
            decision.evidence,
            copy=found.copy,
            # They came first and keep their role: a stuffed page must not take it from them.
            excerpts=found.excerpts,
            reuse=found.reuse,
            agreement=agreement,
            rules_version=self._parts.rules_version,
        )
        article = _with_place(incoming, decision, evidence, found)
        if story is not None:
            article = replace(article, story=story.id)
            return (Copy if decision.role == "copy" else Join)(
                article=article, story=story
            )
        founding = (
            stories.foundings(unit_of_work.connection, incoming.id)
            if has_founded
            else 0
        )
        article = replace(article, story=story_id(incoming.id, founding))
        return Found(article=article, founding=founding)

    def with_wire_of_original(
        self, unit_of_work: UnitOfWork, incoming: StoredArticle, found: CopyMatch
    ) -> StoredArticle:
        """Return a copy of an agency text with the agency of its original, if it does not name one.

        Nobody vouches for another version of the text but who names the agency.
        """
        copy = found.copy
        if (
            copy is None
            or copy.kind != "copy"
            or found.version_of
            or incoming.wire is not None
        ):
            return incoming
        unit_of_work.ledger.write_article(copy.other)
        original = articles.member(unit_of_work.connection, copy.other)
        wire = copied_wire(copy.other, original.outlet_key, original.wire)
        if wire is None:
            return incoming
        details = replace(incoming.read_details(), wire=wire)
        return replace(incoming, wire=wire.agency, details=codecs.pack(details))

    def story_of_original(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        copy: CopyEvidence,
        barred: Collection[str],
    ) -> StoryRow | None:
        """Return the story of the original of a copy, if the copy may join it."""
        return self._live_story(unit_of_work, article, copy.other, barred)

    def _live_story(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        other: str,
        barred: Collection[str],
    ) -> StoryRow | None:
        """Return the story of article `other`, if an article may join it."""
        unit_of_work.ledger.write_article(other)
        row = stories.assigned_story(unit_of_work.connection, other)
        window = self._parts.window.current(unit_of_work.connection)
        if (
            row is None
            or row.id in barred
            or not window.is_live(row.story_no, article.inbox_no)
        ):
            return None
        return (
            row
            if is_within_window(
                article, window.story(row.story_no), self._parts.model.tuning
            )
            else None
        )

    def _decision(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        own: PairArticle,
        found: CopyMatch,
    ) -> Decision:
        """Decide by corrections, then by the story of the original or of an updated text, then by score."""
        connection, copy = unit_of_work.connection, found.copy
        constraints = self._parts.constraints.story_constraints(connection, article.id)
        if constraints.must_link:
            return _linked_decision(
                unit_of_work, article, copy, constraints.must_link[0]
            )
        if copy is not None and copy.kind == "copy":
            row = self.story_of_original(
                unit_of_work, article, copy, constraints.barred
            )
            if row is not None:
                return Decision(
                    story=row.id,
                    role="container" if article.is_container else "copy",
                    is_compared=False,
                    evidence=Evidence(stage="copy"),
                )
        decision = self._by_score(unit_of_work, article, own, constraints.barred)
        updated = self._story_of_updated(
            unit_of_work, article, found.updated, constraints.barred
        )
        if updated is not None and decision.role == "report":
            if decision.story != updated.id:
                evidence = Evidence(stage="version")
                decision = replace(
                    decision,
                    story=updated.id,
                    is_compared=True,
                    follows=None,
                    evidence=evidence,
                )
            return replace(decision, version_of=found.updated[0])
        if copy is not None and copy.kind == "excerpt" and decision.role == "report":
            is_compared = decision.story is None
            return replace(decision, role="excerpt", is_compared=is_compared)
        return decision

    def _story_of_updated(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        updated: Sequence[str],
        barred: Collection[str],
    ) -> StoryRow | None:
        """Return the story of the texts of its own outlet of which an article is another state.

        None if they are in several: then they have one form, and each of them is about something else.
        """
        connection = unit_of_work.connection
        for other in updated:
            unit_of_work.ledger.write_article(other)
        if len({*articles.assigned_stories(connection, updated).values()}) != 1:
            return None
        first = articles.member(connection, updated[0])
        row = self._live_story(unit_of_work, article, first.id, barred)
        return (
            row
            if abs(article.effective_at - first.effective_at) <= _UPDATED_WITHIN
            else None
        )

    def _by_score(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        own: PairArticle,
        barred: Collection[str],
    ) -> Decision:
        """Decide by the scores of the article with the stories that it may join."""
        window = self._parts.window.current(unit_of_work.connection)
        candidates = [
            story
            for story in window.candidates(article)
            if story.id not in barred
            and is_open(article, story, self._parts.model.tuning)
        ]
        newest = {
            story.id: self._parts.comparison.newest(story) for story in candidates
        }
        others = [report for reports in newest.values() for report in reports]
        waiting = [*unit_of_work.ledger.articles, article]

        def is_closed(story: LiveStory) -> bool:
            return is_kept_apart(
                unit_of_work.connection, article, newest[story.id], others, waiting
            )

        scored = self._parts.comparison.scored(
            unit_of_work.connection, own, candidates, is_closed
        )
        decision = decide(
            article, scored, self._parts.model, self._parts.comparison.model.bias
        )
        return replace(decision, nearest=pack_nearest(own.nearest))

    def _agreement(
        self,
        unit_of_work: UnitOfWork,
        article: StoredArticle,
        own: PairArticle,
        decision: Decision,
        *,
        story: StoryRow | None,
        copy: CopyEvidence | None,
    ) -> Agreement | None:
        """Return how much the text agrees with its story, if that decides whether it counts as a report."""
        connection = unit_of_work.connection
        if story is None or decision.evidence.stage == "correction":
            return None
        if copy is not None and decision.role == "copy":
            unit_of_work.ledger.write_article(copy.other)
            return self._parts.comparison.agreement_of_copy(
                connection, article, copy.other
            )
        if not decision.is_compared or decision.role != "report":
            return None  # not counted anyway; of another language, with other words
        live = self._parts.window.current(connection).story(story.story_no)
        waiting = unit_of_work.ledger.articles
        return self._parts.comparison.agreement(
            connection, own, compared_articles.compared_text(article), live, waiting
        )


def _with_place(
    incoming: StoredArticle, decision: Decision, evidence: Evidence, found: CopyMatch
) -> StoredArticle:
    """Return an article with what was decided about it, but for its story."""
    return replace(
        incoming,
        role=decision.role,
        is_compared=decision.is_compared,
        copy_of=evidence.copied,
        reuses=evidence.reuse.other if evidence.reuse else None,
        version_of=(decision.version_of or found.version_of)
        if decision.role in COUNTED_ROLES
        else None,
        counts_as_report=evidence.counts_as_report,
        follows=decision.follows,
        nearest=decision.nearest,
        evidence=evidence,
        sketch=found.sketch,
    )


def _linked_decision(
    unit_of_work: UnitOfWork,
    article: StoredArticle,
    copy: CopyEvidence | None,
    story: str,
) -> Decision:
    """Return the decision to join the story that a correction requires."""
    connection = unit_of_work.connection
    is_silent = False
    if copy is not None and copy.kind == "copy":
        is_silent = (
            articles.assigned_stories(connection, [copy.other]).get(copy.other) == story
        )
    role: Role = (
        "container" if article.is_container else "copy" if is_silent else "report"
    )
    is_container_only = live_row(connection, story).container_only
    return Decision(
        story=story,
        role=role,
        is_compared=not is_silent and (not article.is_container or is_container_only),
        evidence=Evidence(stage="correction"),
    )
