"""Known articles that come again: a revision, a page that came late, the same page from another source."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from aggregator.extract.entry_identity import url_key
from aggregator.extract.urls import canonical_url
from aggregator.grouping.changes import Move, Revise
from aggregator.grouping.copies.copy_candidates import version_of_original
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.copies.shingles import shared_count, shingle_hashes
from aggregator.grouping.incoming_article import with_date_of
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.placing.decide import Decider
from aggregator.grouping.placing.known_articles import (
    is_of_other_feed,
    is_of_site,
    is_same_item,
    speaks_for_feed,
)
from aggregator.grouping.placing.replace_text import agree_again, replace_text
from aggregator.grouping.scores.agreement import agreement_of_copy
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.article import Role
from aggregator.model.evidence import Evidence
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.stories import articles
from aggregator.store.stories.article_rows import article_writes, compared_articles
from aggregator.store.stories.articles import StoredArticle
from aggregator.stories.counting.copy_groups import COUNTED_ROLES


class Placed(msgspec.Struct, frozen=True):
    """What became of an entry: its article, and the story in which that is now ("" without one)."""

    outcome: Outcome
    article: str
    story: str


def unchanged(old: StoredArticle) -> Placed:
    """Return that an article stays as it is."""
    return Placed("unchanged", old.id, old.story)


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

    def place_again(
        self,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
        entry_text: str,
        *,
        is_page_lost: bool,
    ) -> Placed | None:
        """Return what becomes of a known article that comes again; None: its address has another article now.

        `entry_text`: of the entry besides its page. If the article has that text, it had no page yet.
        `is_page_lost`: only the words of the feed came.
        """
        had_full_text = old.body_words >= self._parts.page_words
        has_full_text = incoming.body_words >= self._parts.page_words
        if is_page_lost and not has_full_text and had_full_text:
            return unchanged(old)
        # The site has confirmed it; what its feed says later are words of the feed only.
        loses_outlet = speaks_for_feed(waiting, incoming) and not speaks_for_feed(
            waiting, old
        )
        is_same_text = incoming.text_hash == old.text_hash
        if old.is_gone or loses_outlet:
            return unchanged(old)
        if is_same_text and not is_of_other_feed(waiting.entry, old):
            return unchanged(old)
        if (
            (entry_text and self._shares(old.whole_text, entry_text, max))
            or self._resembles(old, incoming)
            or is_same_item(self._connection, old, waiting.entry)
        ):
            return self._revise_or_take_over(waiting, incoming, old)
        return None

    def _resembles(self, old: StoredArticle, incoming: StoredArticle) -> bool:
        if old.is_container or not old.text or not incoming.text:
            return True
        return self._shares(old.text, incoming.text, min)

    def _shares(self, before: str, after: str, of: Callable[[int, int], int]) -> bool:
        """Return whether two texts share enough shingles, of the smaller (`min`) or larger one (`max`)."""
        shingles = shingle_hashes(before)
        others = shingle_hashes(after)
        least = self._parts.placing.revision_containment
        return shared_count(shingles, others) >= least * of(len(shingles), len(others))

    def place_at_address(
        self, waiting: InboxEntry, incoming: StoredArticle, other: str
    ) -> Placed | None:
        """Make a new entry an observation of article `other`, which has its URL and its text.

        The feed of the article's own site becomes the authority over the text. None if different entries
        share the URL, or if the source had the article before: within one source GUIDs tell entries apart.
        """
        connection = self._connection
        entry = waiting.entry
        old = articles.latest(connection, other)
        canonical = canonical_url(entry.url or "")
        if old is None or old.id != other or canonical is None:
            return None
        owner = inbox.owner(connection, url_key(canonical))
        if owner not in (None, waiting.article, other):
            return None
        if not waiting.is_revision and article_writes.is_observed(
            connection, other, entry.source
        ):
            return None
        is_own = is_of_site(entry) and owner == waiting.article
        if is_own:
            article_writes.withdraw_authority(connection, other)
        article_writes.rekey(
            connection, waiting.article, other, is_authoritative=is_own
        )
        is_same_text = incoming.text_hash == old.text_hash
        if not is_own or (is_same_text and not is_of_other_feed(entry, old)):
            return unchanged(old)
        return self._revise_or_take_over(waiting, incoming, old)

    def _revise_or_take_over(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> Placed:
        """Give a known article another text; the story is decided again if its own site takes it over.

        Who lists the address of an outlet before it must not keep its report out: neither in the name of
        another outlet, nor as a little-known source with other words than the known one.
        """
        connection = self._connection
        entry = waiting.entry
        if inbox.is_revised_since(connection, old.id, waiting.entry_no):
            return unchanged(old)
        if old.is_gone or not is_of_site(entry):
            return self._revise(waiting, incoming, old)
        is_little_known = self._parts.stream.is_little_known(
            connection, incoming, has_polled=True
        )
        is_other_text = incoming.text_hash != old.text_hash
        is_known_instead = old.is_little_known and is_other_text and not is_little_known
        if not is_known_instead and not is_of_other_feed(entry, old):
            return self._revise(waiting, incoming, old)
        article_writes.set_source(
            connection, old.id, entry.source, is_little_known=is_little_known
        )
        self._parts.comparison.revised(old.inbox_no)
        old = replace(old, source=entry.source, outlet_key=None, outlet_name=None)
        return self._decide_again(waiting, incoming, old)

    def _begin(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> tuple[StoredArticle, StoredArticle]:
        """Return a revision, and its article with the story to which a second look may just have moved it."""
        self._second_look.before(waiting.inbox_no)
        story = articles.assigned_stories(self._connection, [old.id])[old.id]
        if speaks_for_feed(waiting, old):  # until a page of the site was read
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
        self._apply(Revise(article=revised, at_no=waiting.inbox_no, is_news=True))
        return Placed("revised", old.id, old.story)

    def decide_again(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> Placed:
        """Replace the words of an article by those of its page, and decide the story again."""
        if incoming.text_hash == old.text_hash or old.is_gone:
            return unchanged(old)
        if inbox.is_revised_since(self._connection, old.id, waiting.entry_no):
            return unchanged(old)
        return self._decide_again(waiting, incoming, old)

    def _decide_again(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> Placed:
        """Replace the words of an article by other ones, and decide the story again.

        A copy joins the story of its original; a report moves by the rule of the second look.
        """
        incoming, old = self._begin(waiting, incoming, old)
        incoming = replace(incoming, id=old.id)
        match = self._match_again(waiting, incoming)
        incoming = self._decider.with_wire_of_original(incoming, match)
        revised = self._replace_words(incoming, old, match)
        self._apply(Revise(article=revised, at_no=waiting.inbox_no, is_news=False))
        story = self._join_original(incoming, old, match, waiting.inbox_no)
        if story is None:
            story = self._second_look.look_at(old.id, at_no=waiting.inbox_no)
        return Placed("revised", old.id, story)

    def _replace_words(
        self, incoming: StoredArticle, old: StoredArticle, match: CopyMatch
    ) -> StoredArticle:
        """Write the text and the role of an article whose page came late."""
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
        return revised

    def _match_again(self, waiting: InboxEntry, incoming: StoredArticle) -> CopyMatch:
        """Return of what an article with another text is a copy; not of a copy of itself."""
        match = self._decider.match(waiting, incoming)
        if match.copy is not None:
            ancestors = compared_articles.copy_ancestors(
                self._connection, match.copy.other
            )
            if incoming.id in ancestors:
                return match._replace(copy=None, version_of=None)
        return match

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
        # Before the move, which counts it
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
