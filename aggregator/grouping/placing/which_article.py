"""Decides which article an entry is: one that is known already, or a new one (ADR 20).

When an entry was accepted, its keys (GUID, address) were compared with the known keys. Placing, which calls this
module, also compares its words. An entry is a known article

* by a key, if its words resemble the words of the article with that key
* by its address, if another source delivered a copy or an excerpt of the same page
* because its feed lists the text of one of its articles again, under other keys.

Otherwise it is a new article, which may be a copy or an excerpt of another article.

This module alone decides who may change the words of an article (`_may_change`): the source that it belongs to, and
sources of the site where it is. An article belongs to the first source that listed it, until its own site lists it, or
until it moves to another feed (`_has_moved`). The site where it was first takes it back.

The module writes nothing. `EntryPlacer` writes its decision, to keys, observations, the article's source and words.
"""

from datetime import timedelta

from msgspec.structs import replace

from aggregator.extract.entry_identity import (
    declared_minute,
    next_generation_id,
    short_id,
    url_key,
)
from aggregator.extract.sites import are_of_one_publisher, is_address
from aggregator.extract.urls import canonical_url
from aggregator.grouping.copies.copy_match import CopyMatch
from aggregator.grouping.copies.shingles import shared_count, shingle_hashes
from aggregator.grouping.grouping_services import InTransaction
from aggregator.model.entry import Entry
from aggregator.model.prepared import Prepared
from aggregator.model.structs import FrozenStruct
from aggregator.store.intake import inbox
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.intake.known_item_rows import known_items_of
from aggregator.store.intake.source_rows import (
    Source,
    most_sources_fail,
    source_with_id,
)
from aggregator.store.stories import stored_articles
from aggregator.store.stories.article_rows import article_writes
from aggregator.store.stories.stored_articles import StoredArticle

# A feed is taken to have moved if it fails for this long, because most failures end within a day ...
_FAILED_FOR = timedelta(hours=48)
_FAILED_POLLS = 3  # ... and at this many polls at least, because a paused program does not poll (chosen).


class NewArticle(FrozenStruct):
    """The entry is a new article; `match` has the article that it copies or excerpts."""

    article: StoredArticle
    match: CopyMatch
    # The article whose keys it gets, because it has the address of that article and other words
    takes_keys_of: str | None = None


class KnownArticle(FrozenStruct):
    """The entry is a known article."""

    article: StoredArticle
    # Whether its title or text has changed
    has_news: bool
    # Whether the new text does not resemble the old text
    is_replaced: bool = False
    # Whether the article gets the keys of the entry, which had an id of its own
    gets_keys: bool = False
    # Whether the article belongs to the source of the entry from now on
    changes_source: bool = False
    # Whether its outlet, role and story are decided again, because its own site takes it over from another source
    is_taken_over: bool = False
    # Whether the sender has no standing; only used if the article is taken over
    is_little_known: bool = False
    # The source that the article leaves, whose site may take it back
    left: str | None = None
    # Whether the same words have moved to the address of the entry
    has_moved: bool = False


def speaks_for_feed(waiting: InboxEntry, article: StoredArticle) -> bool:
    """Return whether an article has the outlet of its feed although its entry names another outlet."""
    outlet = waiting.entry.feed_outlet
    return outlet is not None and article.outlet_key == outlet.key


def is_of_other_feed(entry: Entry, article: StoredArticle) -> bool:
    """Return whether an article has the outlet of another feed although its own site's feed lists it."""
    outlet = entry.resolved_outlet
    key = article.outlet_key
    if outlet is None or not outlet.is_own or key is None or key == outlet.key:
        return False
    return article.is_polled and is_address(key)


def _is_on_its_site(entry: Entry, article: StoredArticle) -> bool:
    """Return whether an entry comes from the site where the article is."""
    return (
        entry.is_of_site
        and bool(entry.url and article.url)
        and are_of_one_publisher(entry.url or "", article.url or "")
    )


def _is_back(entry: Entry, article: StoredArticle) -> bool:
    """Return whether the site where an article was first lists it, after the article moved to another site."""
    address = canonical_url(entry.url or "")
    return (
        entry.is_of_site
        and entry.source != article.source
        and address is not None
        and short_id(url_key(address)) == article.root_article
        and not _is_on_its_site(entry, article)
    )


def _may_change(entry: Entry, article: StoredArticle) -> bool:
    """Return whether an entry may change the words of an article."""
    return entry.source == article.source or _is_on_its_site(entry, article)


def _points_to(source: Source, other: Source) -> bool:
    """Return whether a feed was seen to lead to another: by permanent redirects, or by the address that it declares."""
    addresses = (source.moved_to, source.redirected_url, source.self_url)
    return source.merged_into == other.id or any(
        address in (other.address, other.polled_url) for address in addresses if address
    )


class WhichArticle(InTransaction):
    """Finds the article of an entry."""

    def find_page_address(self, waiting: InboxEntry) -> str | None:
        """Return the address of a fetched page that its entry may claim, because no site of its own listed it."""
        is_foreign = waiting.entry.authority == "foreign"
        if waiting.page is None or not is_foreign:
            return None
        return canonical_url(waiting.entry.url or "")

    def find_by_key(self, waiting: InboxEntry) -> StoredArticle | None:
        """Return the article of an entry if it was placed before; None otherwise.

        The article of a new entry may be placed already: a later entry may have gone first while this entry
        waited for its page. A late page belongs to the article itself, whatever its keys mean by now.
        """
        if waiting.is_late_page:
            placed = stored_articles.read_whole_articles(
                self._connection, "id", [waiting.article]
            )
            return placed[0] if placed else None
        return stored_articles.read_newest_generation(self._connection, waiting.article)

    def decide(
        self,
        waiting: InboxEntry,
        prepared: Prepared,
        incoming: StoredArticle,
        old: StoredArticle | None,
    ) -> NewArticle | KnownArticle:
        """Return which article an entry is.

        `incoming` is the entry as an article. `old` is the article that has a key of the entry; None for a new
        entry. When its own site lists a known article, it may become an article of the site (`_take_over`).
        """
        if old is not None:
            known = self._compare_words(waiting, prepared, incoming, old)
            if known is None:
                return self._reuse_keys(waiting, incoming, old)
        else:
            match = self._find_copy(waiting, incoming)
            known = None
            if match.same_page is not None:
                known = self._claim_address(waiting, incoming, match.same_page)
            if known is None and match.original and incoming.is_polled:
                known = self._list_anew(waiting, incoming, match.original)
            if known is None:
                return NewArticle(article=incoming, match=match)
        if (
            known.article.is_gone
            # A later entry has changed the article already.
            or inbox.is_revised_since(
                self._connection, known.article.id, waiting.entry_no
            )
        ):
            return replace(known, has_news=False, left=None)
        return self._take_over(waiting, incoming, known)

    def _reuse_keys(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> NewArticle | KnownArticle:
        """Make an entry the next article with the keys of `old`, or an earlier article with these keys and this text.

        Pages such as "/live" and "/weather" have one address for many articles.
        """
        earlier = stored_articles.read_generation_with_text(
            self._connection, old.root_article, incoming.text_hash
        )
        if earlier is not None:
            return KnownArticle(article=earlier, has_news=False)
        generation = old.generation + 1
        incoming = replace(
            incoming,
            id=next_generation_id(old.root_article, generation),
            root_article=old.root_article,
            generation=generation,
        )
        match = self._find_copy(waiting, incoming)
        return NewArticle(article=incoming, match=match, takes_keys_of=old.id)

    def _find_copy(self, waiting: InboxEntry, incoming: StoredArticle) -> CopyMatch:
        return self._services.copy_finder.find(
            self._connection, incoming, waiting.entry.url or waiting.page_url
        )

    def _take_over(
        self, waiting: InboxEntry, incoming: StoredArticle, known: KnownArticle
    ) -> KnownArticle:
        """Return the known article as one of its own site, if another source listed it before.

        Otherwise that source could keep the report of the outlet out, by naming another outlet for it or, as a
        little-known source, by delivering other words.
        """
        old = known.article
        entry = waiting.entry
        if not entry.is_of_site or waiting.is_late_page:
            return known
        is_little_known = self._services.stream.is_little_known(
            self._connection, incoming, has_polled=True
        )
        replaces_little_known = (
            old.is_little_known
            and incoming.text_hash != old.text_hash
            and not is_little_known
        )
        is_back = _is_back(entry, old)
        is_taken_over = known.has_news and (
            replaces_little_known or is_back or is_of_other_feed(entry, old)
        )
        changes_source = (
            is_taken_over
            or known.left is not None
            or (_is_on_its_site(entry, old) and not self._is_of_site(old))
        )
        if is_taken_over:
            old = replace(old, outlet_key=None, outlet_name=None)
        return replace(
            known,
            article=replace(old, source=entry.source) if changes_source else old,
            changes_source=changes_source,
            is_taken_over=is_taken_over,
            is_little_known=is_little_known,
        )

    def _is_of_site(self, article: StoredArticle) -> bool:
        """Return whether the source that an article belongs to is of the site where the article is."""
        source = source_with_id(self._connection, article.source)
        return source is not None and are_of_one_publisher(
            source.polled_url, article.url or ""
        )

    def _compare_words(
        self,
        waiting: InboxEntry,
        prepared: Prepared,
        incoming: StoredArticle,
        old: StoredArticle,
    ) -> KnownArticle | None:
        """Compare the words of an entry with the words of `old`, the article that has one of its keys.

        Return that article and whether the entry has news for it; None if the entry is another article.
        """
        is_same_text = incoming.text_hash == old.text_hash
        if waiting.is_late_page:
            return KnownArticle(article=old, has_news=not is_same_text)
        if _is_back(waiting.entry, old) and not self._has_led_away(waiting.entry, old):
            is_alike = self._resembles(old.text, incoming.text, of_longer=False)
            is_replaced = bool(incoming.text) and not is_alike
            return KnownArticle(article=old, has_news=True, is_replaced=is_replaced)
        full_words = self._services.page_words
        is_page_lost = waiting.has_lost_page or prepared.article.page_verdict
        if (
            old.is_gone
            or not _may_change(waiting.entry, old)
            # The entry was not accepted as a revision, and has no page that the article may lack.
            or (not waiting.is_revision and waiting.page is None)
            # The stored text comes from the page, which could not be read this time. The page of an article that its
            # outlet takes back is often gone.
            or (
                is_page_lost
                and incoming.kind != "withdrawal"
                and incoming.body_words < full_words <= old.body_words
            )
            # The site has confirmed the article, so later texts that only the feed delivers do not count.
            or (
                speaks_for_feed(waiting, incoming) and not speaks_for_feed(waiting, old)
            )
            or (is_same_text and not is_of_other_feed(waiting.entry, old))
        ):
            # Links lead to the newest address of an article.
            has_moved = (
                waiting.is_revision
                and is_same_text
                and waiting.entry.authority == "own"
                and waiting.entry.source == old.source
                and canonical_url(waiting.entry.url or "")
                != canonical_url(old.url or "")
            )
            return KnownArticle(article=old, has_news=False, has_moved=has_moved)
        # The article may have been placed without its page, so the entry's words without its page are compared, too.
        own_text = "" if prepared.own is None else prepared.own.article.text
        if (
            (own_text and self._resembles(old.whole_text, own_text, of_longer=True))
            or (old.is_container or not old.text or not incoming.text)
            or self._resembles(old.text, incoming.text, of_longer=False)
        ):
            return KnownArticle(article=old, has_news=True)
        # Only polled texts replace each other: a file or a push may hand in several texts of one address and time.
        if (
            old.is_polled
            and incoming.is_polled
            and _has_same_time(incoming, old, waiting.entry)
            and canonical_url(waiting.entry.url or "") == canonical_url(old.url or "")
        ):
            return KnownArticle(article=old, has_news=True, is_replaced=True)
        return None

    def _resembles(self, before: str, after: str, *, of_longer: bool) -> bool:
        """Return whether two texts share at least `revision_containment` of the shingles of the shorter text.

        With `of_longer`, the share is of the longer text. A shingle is a hashed run of words.
        """
        shingles_before = shingle_hashes(before)
        shingles_after = shingle_hashes(after)
        shorter, longer = sorted((len(shingles_before), len(shingles_after)))
        least = self._services.placing.revision_containment
        whole = longer if of_longer else shorter
        return shared_count(shingles_before, shingles_after) >= least * whole

    def _claim_address(
        self, waiting: InboxEntry, incoming: StoredArticle, other: str
    ) -> KnownArticle | None:
        """Make a new entry an observation of article `other`, which has its URL and its text.

        The feed of the article's own site becomes the authority over the text. Return None if different entries
        share the URL, or if the source had the article before, because GUIDs tell the entries of a source apart.
        """
        connection = self._connection
        entry = waiting.entry
        old = stored_articles.read_newest_generation(connection, other)
        address = canonical_url(entry.url or "")
        if old is None or old.id != other or address is None:
            return None
        owner = inbox.owner(connection, url_key(address))
        if owner not in (None, waiting.article, other):
            return None  # different entries share the URL
        if not waiting.is_revision and article_writes.is_observed(
            connection, other, entry.source
        ):
            return None  # the source listed the article before, under another GUID
        is_by_own_site = entry.is_of_site and owner == waiting.article
        differs = incoming.text_hash != old.text_hash or is_of_other_feed(entry, old)
        return KnownArticle(
            article=old, has_news=is_by_own_site and differs, gets_keys=True
        )

    def _list_anew(
        self, waiting: InboxEntry, incoming: StoredArticle, other: str
    ) -> KnownArticle | None:
        """Make a new entry a listing of article `other`, whose text is listed again.

        Return None unless the feed of the article lists the text, with the same time, under other keys. Another feed
        may also list the text, under the same title, if the article has moved to it (`_has_moved`).
        """
        connection = self._connection
        entry = waiting.entry
        (old,) = stored_articles.read_whole_articles(connection, "id", [other])
        listed = known_items_of(connection, entry.source).articles.values()
        if not _has_same_time(incoming, old, entry) or other in listed:
            return None
        left = None
        if entry.source != old.source:
            if incoming.title != old.title or not self._has_moved(
                waiting, incoming, old
            ):
                return None
            left = old.source
        differs = incoming.text_hash != old.text_hash or incoming.url != old.url
        return KnownArticle(article=old, has_news=differs, gets_keys=True, left=left)

    def _has_moved(
        self, waiting: InboxEntry, incoming: StoredArticle, old: StoredArticle
    ) -> bool:
        """Return whether an article has moved from its feed to the feed of an entry that lists its text.

        Its feed says so itself (`_points_to`), or the new feed is of the same site and the old one fails. Otherwise
        the old feed must be gone or have failed for days, while most feeds could be read, and the new one must have
        standing: anybody can list the texts of a feed that failed once. Where nobody has standing yet, all are alike.
        """
        connection = self._connection
        new_source = source_with_id(connection, waiting.entry.source)
        if new_source is None:
            return False
        former = source_with_id(connection, old.source)
        if former is not None:
            if _points_to(former, new_source):
                return True
            if _is_on_its_site(waiting.entry, old) and not former.is_answering:
                return True
            has_failed = (
                former.health == "failing"
                and former.failures >= _FAILED_POLLS
                and former.failing_since is not None
                and waiting.accepted_at - former.failing_since >= _FAILED_FOR
                and not most_sources_fail(connection)
            )
            if former.health != "gone" and not has_failed:
                return False
        return not self._services.stream.is_less_known(connection, incoming)

    def _has_led_away(self, entry: Entry, article: StoredArticle) -> bool:
        """Return whether the feed of an entry itself leads to the feed that an article belongs to now."""
        source = source_with_id(self._connection, entry.source)
        present = source_with_id(self._connection, article.source)
        return (
            source is not None and present is not None and _points_to(source, present)
        )


def _has_same_time(incoming: StoredArticle, old: StoredArticle, entry: Entry) -> bool:
    """Return whether an entry has the time of publication that its feed declared for an article, at another poll.

    Entries of one poll are different articles.
    """
    minute = declared_minute(entry)
    if minute is None or old.published is None or old.published_origin != "feed":
        return False
    is_same_poll = incoming.seen_at == old.seen_at and entry.source == old.source
    published = old.published.replace(second=0, microsecond=0)
    return not is_same_poll and minute == published
