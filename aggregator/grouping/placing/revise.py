"""Known articles that come again: a revision, a page that came late, the same page from another source."""

from msgspec.structs import replace

from aggregator.extract.urls import canonical_url
from aggregator.grouping.copies.copy_match import CopyMatch, version_of_original
from aggregator.grouping.incoming_article import keep_date
from aggregator.grouping.placing.decide import Decider
from aggregator.grouping.placing.which_article import KnownArticle, speaks_for_feed
from aggregator.grouping.scores.agreement import agreement_of_copy
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.write.copy_families import with_copies
from aggregator.grouping.write.story_writer import ChangesStories
from aggregator.model.article import Role
from aggregator.model.evidence import Evidence
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.search import index as search
from aggregator.store.stories import stored_articles
from aggregator.store.stories.article_rows import article_writes, compared_articles
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.stories.counting.copy_groups import COUNTED_ROLES

# Stages where a report joined a story that it must agree with
_ASKED = ("copy", "event", "second look", "version")


class Reviser(ChangesStories):
    """Gives placed articles another text."""

    def revise(
        self, waiting: InboxEntry, incoming: StoredArticle, again: KnownArticle
    ) -> str:
        """Replace the text of a known article by the text of an entry, which has news; return the article's story.

        The article keeps its id and number. Its role and story are decided again if its page came late, if the new
        text does not resemble the old one, or if its own site takes the article over; otherwise they stay.
        """
        old = again.article
        assigned = stored_articles.assigned_stories(self._connection, [old.id])
        old = replace(old, story=assigned[old.id])
        if speaks_for_feed(waiting, old):  # no page of the site has been read yet
            old = replace(old, outlet_key=None, outlet_name=None)
        incoming = keep_date(incoming, old)
        if waiting.is_late_page or again.is_replaced or again.is_taken_over:
            return self._decide_again(
                waiting, incoming, old, is_replaced=again.is_replaced
            )
        if incoming.is_container != old.is_container:
            incoming = replace(incoming, kind=old.kind, kind_evidence=old.kind_evidence)
        version_of = old.version_of
        if old.role == "copy" and old.copy_of is not None:
            version_of = version_of_original(
                self._connection, compared_articles.compared_text(incoming), old.copy_of
            )
            article_writes.change(self._connection, [old.id], version_of=version_of)
        revised = self._replace_text(
            incoming,
            old,
            old.copy_of,
            is_copy=old.role != "excerpt" and version_of is None,
        )
        if old.role == "report":
            self._renew_agreement(old, "report")
        self._writer.revise(
            revised,
            waiting.inbox_no,
            is_news=True,
            # A headline that gets a text bumps its story; a footer below the headline is not a text.
            is_whole=old.verdict == "stub"
            and revised.body_words >= self._services.page_words,
        )
        return old.story

    def _decide_again(
        self,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
        *,
        is_replaced: bool,
    ) -> str:
        """Replace the text of an article by another text, decide role and story again, and return the story.

        A copy joins the story of its original; a report moves by the rule of the second look. `is_replaced`:
        the new text does not resemble the old one, so it bumps the story.
        """
        incoming = replace(incoming, id=old.id)
        match = self._services.copy_finder.find(
            self._connection, incoming, waiting.entry.url or waiting.page_url
        )
        if match.copy is not None:
            ancestors = compared_articles.copy_ancestors(
                self._connection, match.copy.other
            )
            if old.id in ancestors:  # an article cannot be a copy of its own copy
                match.drop_copy()
        incoming = Decider(self._services, self._unit_of_work).with_wire_of_original(
            incoming, match
        )
        copied: str | None = None
        role: Role = "report"
        if match.copy is not None:
            copied = match.copy.other
            role = match.copy.kind
        if incoming.is_container:
            role = "container"
        is_copy = match.original is not None and match.version_of is None
        revised = self._replace_text(incoming, old, copied, is_copy=is_copy)
        article_writes.set_role(
            self._connection,
            old.id,
            role,
            copied,
            reuse=match.reuse,
            version_of=match.version_of if role in COUNTED_ROLES else None,
        )
        self._renew_agreement(old, role)
        self._writer.revise(
            revised,
            waiting.inbox_no,
            is_news=is_replaced,
            is_whole=is_replaced and revised.kind != "withdrawal",
        )
        story = self._join_original(incoming, old, match, waiting.inbox_no)
        if story is None:
            story = SecondLook(self._services, self._unit_of_work).look_at(
                old.id, at_no=waiting.inbox_no
            )
        return story

    def _join_original(
        self, incoming: StoredArticle, old: StoredArticle, match: CopyMatch, at_no: int
    ) -> str | None:
        """Move an article with another text to the story of its original, and return this story.

        Return None if the article is not a copy, or if it may not join that story or leave its own.
        """
        if match.original is None:
            return None
        connection = self._connection
        services = self._services
        target = Decider(services, self._unit_of_work).story_of(
            match.original, incoming
        )
        if target is None:
            return None
        if target.id == old.story:
            return old.story
        leaving = with_copies(connection, [old.id], old.story)
        if not services.constraints.may_leave(connection, leaving):
            return None
        evidence = Evidence(
            stage="copy",
            copy=match.copy,
            excerpts=match.excerpts,
            agreement=agreement_of_copy(connection, old, match.original),
            rules_version=services.rules_version,
        )
        # The evidence is written before the move, because the move counts the article.
        article_writes.set_evidence(connection, old.id, evidence)
        return self._writer.move(leaving, target.id, at_no, silent=(old.story,))

    def _replace_text(
        self,
        incoming: StoredArticle,
        old: StoredArticle,
        copied: str | None,
        *,
        is_copy: bool,
    ) -> StoredArticle:
        """Write the text of a revision into the row of an article and into the indexes.

        `copied` is the article that the new text copies, or excerpts if `is_copy` is false.
        """
        connection = self._connection
        services = self._services
        if old.outlet_key:
            if incoming.outlet_key != old.outlet_key:
                incoming = replace(incoming, outlet_name=old.outlet_name)
            incoming = replace(
                incoming, outlet_key=old.outlet_key, claimed_outlet=old.claimed_outlet
            )
        address = canonical_url(old.url or "")
        if address is not None and address == canonical_url(incoming.url or ""):
            # Another spelling of the same URL (tracking parameters) replaces nothing.
            incoming = replace(incoming, url=old.url)
        sketch = services.copy_finder.revised(
            connection, old, incoming, copied, is_copy=is_copy
        )
        new = replace(
            incoming,
            id=old.id,
            inbox_no=old.inbox_no,
            story=old.story,
            sketch=sketch,
        )
        new = services.outlet_names.named(self._unit_of_work, new)
        was_searchable = search.take_out(connection, old.inbox_no)
        article_writes.replace_text(connection, new)
        services.copy_finder.replace(connection, old.inbox_no, sketch)
        services.comparison.forget(old.inbox_no)
        if was_searchable:
            search.put_back(connection, old.inbox_no)
        return new

    def _renew_agreement(self, old: StoredArticle, role: Role) -> None:
        """Check again whether an article with another text agrees with the story that it joined."""
        evidence = stored_articles.read_evidence(self._connection, old.id)
        is_asked = role == "report" and evidence.stage in _ASKED
        if evidence.agreement is not None or is_asked:
            self._services.agreement.store_evidence(
                self._connection, old.id, old.story, evidence
            )
