"""Known articles that come again: a revision, a page that came late, the same page from another source."""

import msgspec
from msgspec.structs import replace

from aggregator.grouping.changes import Move, Revise
from aggregator.grouping.copies.copy_candidates import version_of_original
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.incoming_article import with_date_of
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.placing.decide import Decider
from aggregator.grouping.placing.replace_text import agree_again, replace_text
from aggregator.grouping.placing.which_article import (
    Again,
    is_of_other_feed,
    is_of_site,
    speaks_for_feed,
)
from aggregator.grouping.scores.agreement import agreement_of_copy
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.article import Role
from aggregator.model.evidence import Evidence
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.stories import articles
from aggregator.store.stories.article_rows import article_writes, compared_articles
from aggregator.store.stories.articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork
from aggregator.stories.counting.copy_groups import COUNTED_ROLES


class Placed(msgspec.Struct, frozen=True):
    """The outcome for an entry: its article, and the present story of the article ("" without a story)."""

    outcome: Outcome
    article: str
    story: str


class Reviser:
    """Gives placed articles another text, in a placing transaction."""

    def __init__(
        self,
        parts: GroupingParts,
        unit_of_work: UnitOfWork,
        decider: Decider,
        second_look: SecondLook,
    ) -> None:
        self._parts = parts
        self._unit_of_work = unit_of_work
        self._connection = unit_of_work.connection
        self._decider = decider
        self._second_look = second_look

    def revise(
        self, waiting: InboxEntry, incoming: StoredArticle, answer: Again
    ) -> Placed:
        """Update a known article from an entry, if the entry has news.

        The story is decided again if the page of the article came late, or if the words replace all others,
        or if its own site takes the article over. A source that lists the address of an outlet before the
        outlet does must not keep the outlet's report out, neither in the name of another outlet nor as a
        little-known source with other words.
        """
        connection = self._connection
        entry, old = waiting.entry, answer.article
        if (
            not answer.has_news
            or old.is_gone
            or inbox.is_revised_since(connection, old.id, waiting.entry_no)
        ):
            return Placed("unchanged", old.id, old.story)
        takes_over = False
        if is_of_site(entry) and not waiting.is_late_page:
            is_little_known = self._parts.stream.is_little_known(
                connection, incoming, has_polled=True
            )
            is_known_instead = (
                old.is_little_known
                and incoming.text_hash != old.text_hash
                and not is_little_known
            )
            takes_over = is_known_instead or is_of_other_feed(entry, old)
        if takes_over:
            article_writes.set_source(
                connection, old.id, entry.source, is_little_known=is_little_known
            )
            self._parts.comparison.revised(old.inbox_no)
            old = replace(old, source=entry.source, outlet_key=None, outlet_name=None)
        if takes_over or waiting.is_late_page or answer.is_replaced:
            return self._decide_again(
                waiting, incoming, old, is_replaced=answer.is_replaced
            )
        return self._revise(waiting, incoming, old)

    def _begin(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> tuple[StoredArticle, StoredArticle]:
        """Return a revision, and its article with its present story, since a second look may have moved it."""
        self._second_look.before(waiting.inbox_no)
        story = articles.assigned_stories(self._connection, [old.id])[old.id]
        if speaks_for_feed(waiting, old):  # no page of the site has been read yet
            old = replace(old, outlet_key=None, outlet_name=None)
        return with_date_of(incoming, old), replace(old, story=story)

    def _revise(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> Placed:
        """Replace the text of an article, which keeps its id, number, role and story."""
        incoming, old = self._begin(waiting, incoming, old)
        if incoming.is_container != old.is_container:
            incoming = replace(incoming, kind=old.kind, kind_evidence=old.kind_evidence)
        version_of = old.version_of
        if old.role == "copy" and old.copy_of is not None:
            version_of = version_of_original(
                self._connection, compared_articles.compared_text(incoming), old.copy_of
            )
            article_writes.set_version(self._connection, [old.id], version_of)
        revised = replace_text(
            self._parts,
            self._unit_of_work,
            incoming,
            old,
            old.copy_of,
            is_copy=old.role != "excerpt" and version_of is None,
        )
        if old.role == "report":
            agree_again(self._parts, self._connection, old, "report")
        self._apply(
            Revise(
                article=revised,
                at_no=waiting.inbox_no,
                is_news=True,
                # A footer below a headline does not count as a text.
                is_whole=old.verdict == "stub"
                and revised.body_words >= self._parts.page_words,
            )
        )
        return Placed("revised", old.id, old.story)

    def _decide_again(
        self,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
        *,
        is_replaced: bool,
    ) -> Placed:
        """Replace the words of an article by other words, and decide the story again.

        A copy joins the story of its original; a report moves by the rule of the second look. `is_replaced`:
        its outlet replaced the words, so that they bump the story.
        """
        incoming, old = self._begin(waiting, incoming, old)
        incoming = replace(incoming, id=old.id)
        match = self._decider.match(waiting, incoming)
        if match.copy is not None:
            ancestors = compared_articles.copy_ancestors(
                self._connection, match.copy.other
            )
            if old.id in ancestors:  # it cannot be a copy of itself
                match = match._replace(copy=None, version_of=None)
        incoming = self._decider.with_wire_of_original(incoming, match)
        copied: str | None = None
        role: Role = "report"
        if match.copy is not None:
            copied = match.copy.other
            role = match.copy.kind
        if incoming.is_container:
            role = "container"
        is_copy = match.original is not None and match.version_of is None
        revised = replace_text(
            self._parts, self._unit_of_work, incoming, old, copied, is_copy=is_copy
        )
        article_writes.set_role(
            self._connection,
            old.id,
            role,
            copied,
            reuse=match.reuse,
            version_of=match.version_of if role in COUNTED_ROLES else None,
        )
        agree_again(self._parts, self._connection, old, role)
        self._apply(
            Revise(
                article=revised,
                at_no=waiting.inbox_no,
                is_news=is_replaced,
                is_whole=is_replaced and revised.kind != "withdrawal",
            )
        )
        story = self._join_original(incoming, old, match, waiting.inbox_no)
        if story is None:
            story = self._second_look.look_at(old.id, at_no=waiting.inbox_no)
        return Placed("revised", old.id, story)

    def _join_original(
        self, incoming: StoredArticle, old: StoredArticle, match: CopyMatch, at_no: int
    ) -> str | None:
        """Move an article whose page came late to the story of its original and return it; None: it stays."""
        if match.original is None:
            return None
        connection = self._connection
        parts = self._parts
        barred = parts.constraints.story_constraints(connection, old.id).barred
        target = self._decider.story_of(match.original, incoming, barred)
        if target is None:
            return None
        if target.id == old.story:
            return old.story
        leaving = with_copies(connection, [old.id], old.story)
        if not parts.constraints.may_leave(connection, leaving):
            return None
        evidence = Evidence(
            stage="copy",
            copy=match.copy,
            excerpts=match.excerpts,
            agreement=agreement_of_copy(connection, old, match.original),
            rules_version=parts.rules_version,
        )
        # The evidence is written before the move, which counts the article
        article_writes.set_evidence(connection, old.id, evidence)
        return self._apply(
            Move(
                articles=tuple(leaving),
                target=target.id,
                at_no=at_no,
                silent=frozenset({old.story}),
            )
        )

    def _apply(self, change: Move | Revise) -> str:
        return self._parts.story_writer.apply(self._unit_of_work, change)
