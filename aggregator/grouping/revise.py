"""Known articles that come again: a revision, a page that came late, the same page from another source."""

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from aggregator.extract.entry_identity import content_keys, url_key
from aggregator.extract.outlets import is_address
from aggregator.extract.urls import canonical_url
from aggregator.grouping.changes import Move, Revise
from aggregator.grouping.copies.copy_candidates import version_of_original
from aggregator.grouping.copies.copy_lookup import CopyMatch
from aggregator.grouping.copies.shingles import shared_count, shingle_hashes
from aggregator.grouping.decide import Decider
from aggregator.grouping.incoming_article import with_date_of
from aggregator.grouping.parts import GroupingParts
from aggregator.grouping.second_look.second_look import SecondLook
from aggregator.grouping.unit_of_work import UnitOfWork
from aggregator.grouping.write.copy_families import with_copies
from aggregator.model.core import Entry, Evidence, Role
from aggregator.store.engine.database import Connection
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry, Outcome
from aggregator.store.search import index as search
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
        self, parts: GroupingParts, decider: Decider, second_look: SecondLook
    ) -> None:
        self._parts = parts
        self._decider = decider
        self._second_look = second_look

    def place_again(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
        own_text: str,
        *,
        is_page_lost: bool,
    ) -> Placed | None:
        """Return what becomes of a known article that comes again; None: its address has another article now.

        `own_text`: of the entry besides its page. If the article has that text, it had no page yet.
        `is_page_lost`: only the words of the feed came.
        """
        has_less = (
            is_page_lost
            and incoming.body_words < self._parts.page_words <= old.body_words
        )
        # The site has confirmed it; what its feed says later are words of the feed only.
        loses_outlet = _speaks_for_feed(waiting, incoming) and not _speaks_for_feed(
            waiting, old
        )
        is_same_text = incoming.text_hash == old.text_hash and not _is_of_feed(
            waiting.entry, old
        )
        if is_same_text or old.is_gone or has_less or loses_outlet:
            return unchanged(old)
        is_first_page = bool(own_text) and self._shares(old.whole_text, own_text, max)
        is_same = is_first_page or self._resembles(old, incoming)
        if not is_same and not _is_same_item(
            unit_of_work.connection, old, waiting.entry
        ):
            return None
        return self._revise_or_take_over(unit_of_work, waiting, incoming, old)

    def _resembles(self, old: StoredArticle, incoming: StoredArticle) -> bool:
        if old.is_container or not old.text or not incoming.text:
            return True
        return self._shares(old.text, incoming.text, min)

    def _shares(self, before: str, after: str, of: Callable[[int, int], int]) -> bool:
        """Return whether two texts share enough shingles, of the smaller (`min`) or larger one (`max`)."""
        shingles, others = shingle_hashes(before), shingle_hashes(after)
        return shared_count(
            shingles, others
        ) >= self._parts.placing.revision_containment * of(len(shingles), len(others))

    def place_there(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        other: str,
    ) -> Placed | None:
        """Make a new entry an observation of article `other`, which has its URL and its text.

        The feed of the article's own site becomes the authority over the text. None if different entries
        share the URL, or if the source had the article before: within one source GUIDs tell entries apart.
        """
        unit_of_work.ledger.write()
        connection, entry = unit_of_work.connection, waiting.entry
        there, canonical = (
            articles.latest(connection, other),
            canonical_url(entry.url or ""),
        )
        if there is None or there.id != other or canonical is None:
            return None
        owner = inbox.owner(connection, url_key(canonical))
        if owner not in (None, waiting.article, other):
            return None
        if (
            article_writes.is_observed(connection, other, entry.source)
            and not waiting.is_revision
        ):
            return None
        is_own = entry.authority in ("own", "page") and owner == waiting.article
        if is_own:
            article_writes.withdraw_authority(connection, other)
        article_writes.rekey(
            connection, waiting.article, other, is_authoritative=is_own
        )
        if not is_own or (
            incoming.text_hash == there.text_hash and not _is_of_feed(entry, there)
        ):
            return unchanged(there)
        return self._revise_or_take_over(unit_of_work, waiting, incoming, there)

    def _revise_or_take_over(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Give a known article another text; the story is decided again if its own site takes it over."""
        if inbox.is_revised_since(unit_of_work.connection, old.id, waiting.entry_no):
            return unchanged(old)
        taken = self._taken_over(unit_of_work.connection, waiting.entry, incoming, old)
        if taken is not None:
            return self._decide_again(unit_of_work, waiting, incoming, taken)
        return self._revise(unit_of_work, waiting, incoming, old)

    def _taken_over(
        self,
        connection: Connection,
        entry: Entry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> StoredArticle | None:
        """Give an article to the source of its own site; None if it stays where it is.

        Who lists the address of an outlet before it must not keep its report out: neither in the name of
        another outlet, nor as a little-known source with other words than the known one.
        """
        if entry.authority not in ("own", "page") or old.is_gone:
            return None
        is_little_known = self._parts.stream.is_little_known(
            connection, incoming, has_polled=True
        )
        is_other_text = incoming.text_hash != old.text_hash
        is_known_instead = old.is_little_known and is_other_text and not is_little_known
        if not is_known_instead and not _is_of_feed(entry, old):
            return None
        article_writes.set_source(
            connection, old.id, entry.source, is_little_known=is_little_known
        )
        self._parts.comparison.revised(old.inbox_no)
        return replace(old, source=entry.source, outlet_key=None, outlet_name=None)

    # --- another text -------------------------------------------------------------------------------------

    def _begin(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> tuple[StoredArticle, StoredArticle]:
        """Return a revision, and its article with the story to which a second look may just have moved it."""
        self._second_look.before(unit_of_work, waiting.inbox_no)
        story = articles.assigned_stories(unit_of_work.connection, [old.id])[old.id]
        if _speaks_for_feed(waiting, old):  # until a page of the site was read
            old = replace(old, outlet_key=None, outlet_name=None)
        return with_date_of(incoming, old), replace(old, story=story)

    def _revise(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Replace the text of an article, which keeps its id, number, role and story."""
        incoming, old = self._begin(unit_of_work, waiting, incoming, old)
        if incoming.is_container != old.is_container:
            incoming = replace(incoming, kind=old.kind, kind_evidence=old.kind_evidence)
        connection = unit_of_work.connection
        version_of = old.version_of
        if old.role == "copy" and old.copy_of is not None:
            own = compared_articles.compared_text(incoming)
            version_of = version_of_original(connection, own, old.copy_of)
            article_writes.set_version(connection, old.id, version_of)
        is_copy = old.role != "excerpt" and version_of is None
        revised = self._replace_text(
            unit_of_work, incoming, old, old.copy_of, is_copy=is_copy
        )
        if old.role == "report":
            self._agree_again(unit_of_work.connection, old, old.role)
        self._parts.story_writer.apply(
            unit_of_work, Revise(article=revised, at_no=waiting.inbox_no, is_news=True)
        )
        return Placed("revised", old.id, old.story)

    def decide_again(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Replace the words of an article by those of its page, and decide the story again."""
        is_revised_since = inbox.is_revised_since(
            unit_of_work.connection, old.id, waiting.entry_no
        )
        if incoming.text_hash == old.text_hash or old.is_gone or is_revised_since:
            return unchanged(old)
        return self._decide_again(unit_of_work, waiting, incoming, old)

    def _decide_again(
        self,
        unit_of_work: UnitOfWork,
        waiting: InboxEntry,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> Placed:
        """Replace the words of an article by other ones, and decide the story again.

        A copy joins the story of its original; a report moves by the rule of the second look.
        """
        connection, at_no = unit_of_work.connection, waiting.inbox_no
        incoming, old = self._begin(unit_of_work, waiting, incoming, old)
        incoming = replace(incoming, id=old.id)
        found = self._found_again(unit_of_work, waiting, incoming)
        incoming = self._decider.with_wire_of_original(unit_of_work, incoming, found)
        copied = found.copy.other if found.copy else None
        is_copy = (
            found.copy is not None
            and found.copy.kind == "copy"
            and found.version_of is None
        )
        revised = self._replace_text(
            unit_of_work, incoming, old, copied, is_copy=is_copy
        )
        role: Role = (
            "container"
            if incoming.is_container
            else found.copy.kind
            if found.copy
            else "report"
        )
        version_of = found.version_of if role in COUNTED_ROLES else None
        article_writes.set_role(
            connection, old.id, role, copied, reuse=found.reuse, version_of=version_of
        )
        self._agree_again(connection, old, role)
        self._parts.story_writer.apply(
            unit_of_work, Revise(article=revised, at_no=at_no, is_news=False)
        )
        story = self._join_original(unit_of_work, incoming, old, found, at_no=at_no)
        if story is None:
            story = self._second_look.look_at(unit_of_work, old.id, at_no=at_no)
        return Placed("revised", old.id, story)

    def _found_again(
        self, unit_of_work: UnitOfWork, waiting: InboxEntry, incoming: StoredArticle
    ) -> CopyMatch:
        """Return of what an article with another text is a copy; not of a copy of itself."""
        connection, page = (
            unit_of_work.connection,
            waiting.entry.url or waiting.page_url,
        )
        found = self._parts.copy_finder.find(
            connection, incoming, page, unit_of_work.ledger.articles
        )
        copied = found.copy.other if found.copy else None
        if copied is not None and incoming.id in compared_articles.copy_ancestors(
            connection, copied
        ):
            return found._replace(copy=None, version_of=None)
        return found

    def _replace_text(
        self,
        unit_of_work: UnitOfWork,
        incoming: StoredArticle,
        old: StoredArticle,
        copied: str | None,
        *,
        is_copy: bool,
    ) -> StoredArticle:
        """Write the text of a revision into the row of an article, and what is found by it.

        `copied`: what it copies now; with `is_copy` false it is an excerpt of that.
        """
        connection, copy_finder = unit_of_work.connection, self._parts.copy_finder
        sketch = copy_finder.revised(connection, old, incoming, copied, is_copy=is_copy)
        is_same_page = (
            old.url
            and incoming.url
            and canonical_url(old.url) == canonical_url(incoming.url)
        )
        has_outlet = old.outlet_key not in (None, incoming.outlet_key)
        new = replace(
            incoming,
            id=old.id,
            inbox_no=old.inbox_no,
            story=old.story,
            outlet_key=old.outlet_key or incoming.outlet_key,
            outlet_name=old.outlet_name if has_outlet else incoming.outlet_name,
            claimed_outlet=old.claimed_outlet
            if old.outlet_key
            else incoming.claimed_outlet,
            # Another spelling of the same URL (tracking parameters) replaces nothing.
            url=old.url if is_same_page else incoming.url,
            sketch=sketch,
        )
        new = self._parts.outlet_names.named(unit_of_work, new)
        was_searchable = search.take_out(connection, old.inbox_no)
        article_writes.replace_text(connection, new)
        copy_finder.replace(connection, old.inbox_no, sketch)
        self._parts.comparison.revised(old.inbox_no)
        if was_searchable:
            search.put_back(connection, old.inbox_no)
        return new

    def _agree_again(
        self, connection: Connection, old: StoredArticle, role: Role
    ) -> None:
        """Ask anew whether an article with another text agrees with the story that it joined."""
        evidence = articles.evidence_of(connection, old.id)
        is_asked = role == "report" and evidence.stage in (
            "copy",
            "event",
            "second look",
            "version",
        )
        if evidence.agreement is not None or is_asked:
            evidence = self._parts.comparison.with_agreement(
                connection, old.id, old.story, evidence
            )
            article_writes.set_evidence(connection, old.id, evidence)

    def _join_original(
        self,
        unit_of_work: UnitOfWork,
        incoming: StoredArticle,
        old: StoredArticle,
        found: CopyMatch,
        *,
        at_no: int,
    ) -> str | None:
        """Move an article whose page came late to the story of its original and return it; None: it stays."""
        connection, copy = unit_of_work.connection, found.copy
        if copy is None or copy.kind != "copy":
            return None
        barred = self._parts.constraints.story_constraints(connection, old.id).barred
        target = self._decider.story_of_original(unit_of_work, incoming, copy, barred)
        if target is None or target.id == old.story:
            return None if target is None else target.id
        leaving = with_copies(connection, [old.id], old.story)
        if not self._parts.constraints.may_leave(connection, leaving):
            return None
        agreement = self._parts.comparison.agreement_of_copy(
            connection, old, copy.other
        )
        evidence = Evidence(
            stage="copy",
            copy=copy,
            excerpts=found.excerpts,
            agreement=agreement,
            rules_version=self._parts.rules_version,
        )
        # Before the move, which counts it
        article_writes.set_evidence(connection, old.id, evidence)
        move = Move(
            articles=tuple(leaving),
            target=target.id,
            at_no=at_no,
            silent=frozenset({old.story}),
        )
        return self._parts.story_writer.apply(unit_of_work, move)


def _speaks_for_feed(waiting: InboxEntry, article: StoredArticle) -> bool:
    """Return whether an article of an entry that names another outlet has that of its feed."""
    own = waiting.entry.feed_outlet
    return own is not None and article.outlet_key == own.key


def _is_of_feed(entry: Entry, article: StoredArticle) -> bool:
    """Return whether an article that the own feed of its site lists has the outlet of another feed."""
    own, key = entry.resolved_outlet, article.outlet_key
    if own is None or not own.is_own or key is None or key == own.key:
        return False
    return article.is_polled and is_address(key)


def claimed_elsewhere(connection: Connection, waiting: InboxEntry) -> str | None:
    """Return the article of the fetched page, if the site itself submitted it meanwhile.

    With its page the entry has its address as an identity key, unless another article has it.
    """
    entry = waiting.entry
    canonical = (
        canonical_url(entry.url) if entry.url and entry.authority == "foreign" else None
    )
    if canonical is None or waiting.page is None:
        return None
    owner = inbox.claim(connection, url_key(canonical), waiting.article)
    if owner == waiting.article:
        return None
    article_writes.rekey(connection, waiting.article, owner, is_authoritative=False)
    return owner


def article_of_own_url(
    connection: Connection, waiting: InboxEntry
) -> StoredArticle | None:
    """Return the article that took the URL of a revised entry over while the revision waited."""
    canonical = canonical_url(waiting.entry.url or "")
    if canonical is None or waiting.entry.authority not in ("own", "page"):
        return None
    owner = inbox.owner(connection, url_key(canonical))
    return articles.latest(connection, owner) if owner else None


def _is_same_item(connection: Connection, old: StoredArticle, entry: Entry) -> bool:
    """Return whether another source delivered this entry before: with its title and minute, or its words."""
    canonical = canonical_url(entry.url or "")
    if canonical is None or old.source == entry.source:
        return False
    return any(
        inbox.owner(connection, key) == old.id for key in content_keys(entry, canonical)
    )
