"""Keys and observations of a batch of entries: what is stored of them, and what the batch adds."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, insert, update

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.identity.identified_entry import (
    NOBODY,
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    WholeFeedNeededError,
    claimed_url,
)
from aggregator.store.intake.identity.reread_limits import AcceptOutcome
from aggregator.store.intake.observations import (
    Observations,
    ObservationsByPair,
    hash_columns,
    is_authoritative,
    text_hashes_of,
)
from aggregator.store.tables import (
    article,
    change_with,
    execute_each,
    identity_key,
    insert_or,
    observation,
)

_RowKey = tuple[str, str, bytes]  # of an observation: article, source, content hash


class AcceptResult(FrozenStruct):
    """The outcome of accepting one entry."""

    outcome: AcceptOutcome
    article: str
    # None: it was not stored, because it is known or erased
    entry_no: int | None = None
    # False: the same entry may have another outcome at a later poll
    is_observed: bool = True


class KnownEntries:
    """Keys and observations: what is stored of a batch of entries, and what the batch adds to it."""

    def __init__(
        self,
        poll: PollContext | None,
        batch: IdentifiedBatch,
        known: dict[bytes, str],
        seen_before: ObservationsByPair,
        outlets: dict[str, str],
        *,
        all_are_new: bool,
    ) -> None:
        """`known`: articles by key. `seen_before`: observations by article and source.

        `outlets`: of the articles that their own site may deliver now, see `outlets_elsewhere`.
        """
        self._poll = poll
        self._batch = batch
        self._known = known
        self._seen_before = seen_before
        self._outlets = outlets
        self._all_are_new = all_are_new
        # Content hashes of this batch
        self._here = {received.identity.content_hash for received in batch.identified}
        self._keys: dict[bytes, str] = {}
        self._observations: dict[_RowKey, dict[str, Any]] = {}
        # (article, source) whose stored row is not current now
        self._replaced: set[tuple[str, str]] = set()
        # Former observations that are current again
        self._reverted: list[dict[str, Any]] = []
        # Rows that lack hashes
        self._hashed: list[dict[str, Any]] = []
        self._addresses: dict[str, str] = {}
        # Articles of other sources, now with their own site's words
        self._taken_over: set[str] = set()

    def judge(self, received: IdentifiedEntry, *, by_page: bool) -> AcceptResult:
        """Return what an entry is. `by_page`: its page is to be fetched. Raises WholeFeedNeededError."""
        for key in received.identity.keys:
            if key in self._known:
                return self._judge_known(received, self._known[key], is_matched=False)
        linked = self._known.get(claimed_url(received))
        if linked is not None:
            return AcceptResult(outcome="known", article=linked)
        if received.match is not None:
            return self._judge_known(received, received.match.article, is_matched=True)
        elsewhere = self._seen_elsewhere(received)
        if elsewhere is None:
            return AcceptResult(outcome="new", article=received.identity.article)
        if self._poll is not None and elsewhere in self._poll.left_out:
            raise WholeFeedNeededError
        has_news = by_page or self._has_other_words(received, elsewhere)
        return _known_or_revised(elsewhere, has_news and is_authoritative(received))

    def _judge_known(
        self, received: IdentifiedEntry, article: str, *, is_matched: bool
    ) -> AcceptResult:
        observations = self._seen_before.get((article, received.entry.source))
        is_revision = (
            observations is not None
            and observations.is_authoritative
            and self._has_new_text(received, observations, is_matched=is_matched)
        )
        return _known_or_revised(article, is_revision)

    def _seen_elsewhere(self, received: IdentifiedEntry) -> str | None:
        """Return the article that another source delivered under the same URL, with the same title and minute
        or the same title and text. Within one source its GUIDs tell entries apart.
        """
        for key in received.content_keys():
            article = self._known.get(key)
            pair = (article or "", received.entry.source)
            if article is not None and pair not in self._seen_before:
                return article
        return None

    def _has_other_words(self, received: IdentifiedEntry, article: str) -> bool:
        """Return whether an entry has another text or outlet than an article of another source."""
        if received.content_keys()[-1] not in self._known:
            return True
        outlet = received.entry.resolved_outlet
        if outlet is None:
            return False
        return self._outlets.get(article, outlet.key) != outlet.key

    def _has_new_text(
        self, received: IdentifiedEntry, observations: Observations, *, is_matched: bool
    ) -> bool:
        """Whether an authoritative source shows another text than the current received.

        It may be a former received. Only a poll shows a revert, and only if the current content is not in it, too.
        The number of reverts is limited, because two servers of received outlet may disagree permanently.
        """
        content_hash = received.identity.content_hash
        if content_hash in observations.current:
            return False
        text_hashes, minute = text_hashes_of(received.entry_hashes())
        is_same = text_hashes is not None and text_hashes == observations.text_hashes
        if is_same and (is_matched or minute == observations.minute):
            return False  # at most another address
        if content_hash not in observations.hashes:
            return True
        if self._poll is None or not observations.current.isdisjoint(self._here):
            return False
        return observations.hashes[content_hash] < self._poll.tuning.repeats

    def note(
        self, received: IdentifiedEntry, result: AcceptResult, seen: dt.datetime
    ) -> None:
        """Add the keys and the observation of an entry with this result."""
        pair = (result.article, received.entry.source)
        is_its_site = is_authoritative(received)
        is_known_elsewhere = result.outcome != "new" and pair not in self._seen_before
        has_new_url = received.raw[1] not in self._known
        is_linked = is_known_elsewhere and has_new_url and received.match is None
        if is_linked and is_its_site:
            # The site itself delivers what others linked to
            self._take_over(result.article)
        observations = self._seen_before.setdefault(pair, Observations())
        may_move = observations.is_authoritative or self._batch.moved
        if is_its_site or result.outcome == "new":
            observations.is_authoritative = True
        self._add_keys(received.identity.keys, result.article)
        if has_new_url and may_move and result.outcome == "known":
            self._note_address(received, result.article)
        self._observe(received, result, observations, seen)

    def _note_address(self, received: IdentifiedEntry, article: str) -> None:
        """Note that a known article has a new address on its own site, to which links should lead."""
        is_own = self._poll is not None and received.entry.authority == "own"
        if is_own and received.raw[1] in received.identity.keys:
            self._addresses[article] = received.entry.url or ""

    def _add_keys(self, keys: Iterable[bytes], article: str) -> None:
        for key in keys:
            if key not in self._known:
                self._known[key] = self._keys[key] = article

    def _observe(
        self,
        received: IdentifiedEntry,
        result: AcceptResult,
        observations: Observations,
        seen: dt.datetime,
    ) -> None:
        """Add the content of an entry to what its source showed of the article."""
        content_hash = received.identity.content_hash
        row_key = (result.article, received.entry.source, content_hash)
        if content_hash not in observations.hashes:
            if self._may_share_content_keys(received):
                self._add_keys(received.content_keys(), result.article)
            self._make_current(received, row_key, observations)
            observations.hashes[content_hash] = 0
            self._observations[row_key] = {
                "article": result.article,
                "source": received.entry.source,
                "content_hash": content_hash,
                "is_authoritative": observations.is_authoritative,
                "first_seen_at": seen,
                "is_current": True,
                **hash_columns(received.entry_hashes()),
            }
        elif result.outcome == "revision":
            observations.hashes[content_hash] += 1
            self._make_current(received, row_key, observations)
            self._reverted.append(_row_key(*row_key))
        # Otherwise the hashes need not be computed
        if content_hash in observations.without_hashes:
            hashes = received.entry_hashes()
            if hashes is not None:
                observations.without_hashes.discard(content_hash)
                self._hashed.append(_row_key(*row_key) | hash_columns(hashes))

    def _may_share_content_keys(self, received: IdentifiedEntry) -> bool:
        """Return whether other sources may deliver the article under the content keys of an entry."""
        if self._all_are_new or claimed_url(received) in self._known:
            return False
        is_foreign = received.entry.authority == "foreign"
        return is_foreign or received.raw[1] not in received.identity.keys

    def _take_over(self, article: str) -> None:
        """Let no source that had the article before change its text."""
        self._taken_over.add(article)
        for (of_article, _), observations in self._seen_before.items():
            if of_article == article:
                observations.is_authoritative = False
        for row in self._observations.values():
            if row["article"] == article:
                row["is_authoritative"] = False

    def _make_current(
        self,
        received: IdentifiedEntry,
        row_key: _RowKey,
        observations: Observations,
    ) -> None:
        article, source, content_hash = row_key
        for former in observations.current:
            row = self._observations.get((article, source, former))
            if row is not None:
                row["is_current"] = False
            else:
                self._replaced.add((article, source))
        observations.current = {content_hash}
        observations.text_hashes, observations.minute = text_hashes_of(
            received.entry_hashes()
        )

    def write(self, connection: Connection) -> None:
        """Write the collected rows, in the transaction of the entries."""
        self._write_keys(connection)
        self._write_observations(connection)
        moved = [
            {"of_article": article_id, "address": url}
            for article_id, url in sorted(self._addresses.items())
        ]
        execute_each(connection, _ADDRESS, moved)

    def _write_keys(self, connection: Connection) -> None:
        keys = insert_or(connection, identity_key)
        voided = keys.on_conflict_do_update(
            index_elements=["key"], set_={"article": NOBODY}
        )
        void = [{"key": key, "article": NOBODY} for key in sorted(self._batch.void)]
        execute_each(connection, voided, void)
        # Another process may store the same key concurrently while placing: the first one wins.
        new = [{"key": key, "article": id_} for key, id_ in self._keys.items()]
        execute_each(connection, keys.on_conflict_do_nothing(), new)

    def _write_observations(self, connection: Connection) -> None:
        given_up = update(observation).values(is_authoritative=False)
        change_with(connection, given_up, observation.c.article, self._taken_over)
        if self._poll:
            replaced = [
                {"of_article": article_id, "of_source": source}
                for article_id, source in sorted(self._replaced)
            ]
            execute_each(connection, _REPLACED, replaced)
        execute_each(connection, insert(observation), list(self._observations.values()))
        execute_each(connection, _OF_ROW, self._hashed)
        execute_each(connection, _REVERTED, self._reverted)


def _known_or_revised(article: str, is_revision: bool) -> AcceptResult:
    outcome: AcceptOutcome = "revision" if is_revision else "known"
    return AcceptResult(outcome=outcome, article=article)


def _row_key(article: str, source: str, content_hash: bytes) -> dict[str, Any]:
    return {"of_article": article, "of_source": source, "of_hash": content_hash}


_OF_PAIR = (observation.c.article == bindparam("of_article")) & (
    observation.c.source == bindparam("of_source")
)

_REPLACED = (
    update(observation)
    .where(_OF_PAIR, observation.c.is_current)
    .values(is_current=False)
)

_OF_ROW = update(observation).where(
    _OF_PAIR, observation.c.content_hash == bindparam("of_hash", type_=LargeBinary)
)

_REVERTED = _OF_ROW.values(is_current=True, revert_count=observation.c.revert_count + 1)

_ADDRESS = (
    update(article)
    .where(article.c.id == bindparam("of_article"))
    .values(url=bindparam("address"))
)
