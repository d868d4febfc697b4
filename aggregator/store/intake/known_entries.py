"""Keys and observations of a batch of entries: what is stored of them, and what the batch adds."""

import datetime as dt
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, insert, select, update

from aggregator.extract.entry_identity import EntryHashes
from aggregator.model.core import FrozenStruct
from aggregator.store.intake.identity.identified_entry import (
    NOBODY,
    IdentifiedBatch,
    IdentifiedEntry,
    PollContext,
    WholeFeedNeededError,
    claimed_url,
)
from aggregator.store.intake.identity.reread_limits import AcceptOutcome
from aggregator.store.tables import (
    article,
    change_with,
    identity_key,
    insert_or,
    observation,
    rows_with,
)


class AcceptResult(FrozenStruct):
    """The outcome of accepting one entry."""

    outcome: AcceptOutcome
    article: str
    # None: it was not stored, because it is known or erased
    entry_no: int | None = None
    # False: the same entry may have another outcome at a later poll
    is_observed: bool = True


class Observations:
    """The observations of an article at one source."""

    def __init__(self) -> None:
        self.hashes: dict[bytes, int] = {}  # content hash to revert count
        self.is_authoritative = False
        # One content hash; several in rows of old versions
        self.current: set[bytes] = set()
        # Title and text of the current one
        self.text_hashes: tuple[bytes | None, bytes | None] | None = None
        self.minute: dt.datetime | None = None
        # Not from a poll, or from an old version
        self.without_hashes: set[bytes] = set()


class KnownEntries:
    """Keys and observations: what is stored of a batch of entries, and what the batch adds to it."""

    def __init__(
        self,
        poll: PollContext | None,
        met: IdentifiedBatch,
        known: dict[bytes, str],
        seen_before: dict[tuple[str, str], Observations],
        outlets: dict[str, str],
        *,
        all_are_new: bool,
    ) -> None:
        """`known`: articles by key. `seen_before`: observations by article and source.

        `outlets`: of the articles that their own site may deliver now, see `outlets_elsewhere`.
        """
        self._poll = poll
        self._met = met
        self._known = known
        self._seen_before = seen_before
        self._outlets = outlets
        self._all_are_new = all_are_new
        # Content hashes of this batch
        self._here = {received.identity.content_hash for received in met.identified}
        self._keys: dict[bytes, str] = {}
        self._observations: dict[tuple[str, str, bytes], dict[str, Any]] = {}
        # (article, source) whose stored row is not current now
        self._replaced: set[tuple[str, str]] = set()
        # Former observations that are current again
        self._reverted: list[tuple[str, str, bytes]] = []
        # Rows that lack hashes
        self._hashed: dict[tuple[str, str, bytes], EntryHashes] = {}
        self._addresses: dict[str, str] = {}
        # Articles of other sources, now with their own site's words
        self._taken_over: set[str] = set()

    def judge(self, one: IdentifiedEntry, *, by_page: bool) -> AcceptResult:
        """Return what an entry is. `by_page`: its page is to be fetched. Raises WholeFeedNeededError."""
        known = self._known
        article = next((known[key] for key in one.identity.keys if key in known), None)
        if article is None and (elsewhere := claimed_url(one)) in known:
            return AcceptResult(
                outcome="known", article=known[elsewhere]
            )  # a link to another source's article
        is_matched = article is None and one.match is not None
        if article is None and one.match is not None:
            article = one.match.article
        if article is None and (elsewhere_known := self._seen_there(one)) is not None:
            if self._poll is not None and elsewhere_known in self._poll.left_out:
                raise WholeFeedNeededError
            outlet = one.entry.resolved_outlet
            has_other_outlet = (
                outlet is not None
                and self._outlets.get(elsewhere_known, outlet.key) != outlet.key
            )
            has_other_text = by_page or one.content_keys()[-1] not in known
            is_revision = (
                has_other_text or has_other_outlet
            ) and is_authoritative_entry(one)
            return AcceptResult(
                outcome="revision" if is_revision else "known", article=elsewhere_known
            )
        if article is None:
            return AcceptResult(outcome="new", article=one.identity.article)
        observations = self._seen_before.get((article, one.entry.source))
        is_revision = (
            observations is not None
            and observations.is_authoritative
            and self._has_new_text(one, observations, is_matched=is_matched)
        )
        return AcceptResult(
            outcome="revision" if is_revision else "known", article=article
        )

    def _seen_there(self, one: IdentifiedEntry) -> str | None:
        """Return the article that another source delivered under the same URL, with the same title and minute
        or the same title and text. Within one source its GUIDs tell entries apart.
        """
        for key in one.content_keys():
            article = self._known.get(key)
            if (
                article is not None
                and (article, one.entry.source) not in self._seen_before
            ):
                return article
        return None

    def _has_new_text(
        self, one: IdentifiedEntry, observations: Observations, *, is_matched: bool
    ) -> bool:
        """Whether an authoritative source shows another text than the current one.

        It may be a former one. Only a poll shows a revert, and only if the current content is not in it, too.
        The number of reverts is limited, because two servers of one outlet may disagree permanently.
        """
        content_hash = one.identity.content_hash
        if content_hash in observations.current:
            return False
        text_hashes, minute = _text_hashes(one.entry_hashes())
        is_same = text_hashes is not None and text_hashes == observations.text_hashes
        if is_same and (is_matched or minute == observations.minute):
            return False  # at most another address
        if content_hash not in observations.hashes:
            return True
        if self._poll is None or not observations.current.isdisjoint(self._here):
            return False
        return observations.hashes[content_hash] < self._poll.tuning.repeats

    def note(
        self, one: IdentifiedEntry, result: AcceptResult, seen: dt.datetime
    ) -> None:
        """Add the keys and the observation of an entry with this result."""
        known, key_pair = self._known, (result.article, one.entry.source)
        is_first_here = result.outcome != "new" and key_pair not in self._seen_before
        if (
            is_first_here
            and one.match is None
            and is_authoritative_entry(one)
            and one.raw[1] not in known
        ):
            # The site itself delivers what others linked to
            self._take_over(result.article)
        observations = self._seen_before.setdefault(key_pair, Observations())
        was_authoritative = observations.is_authoritative
        observations.is_authoritative = (
            was_authoritative or result.outcome == "new" or is_authoritative_entry(one)
        )
        new_keys = [key for key in one.identity.keys if key not in known]
        for key in new_keys:
            known[key] = self._keys[key] = result.article
        # A known article that has a new address on its own site, to which links should lead.
        has_moved = (
            self._poll is not None
            and one.entry.authority == "own"
            and one.raw[1] in new_keys
        )
        if (
            result.outcome == "known"
            and has_moved
            and (was_authoritative or self._met.moved)
        ):
            self._addresses[result.article] = one.entry.url or ""
        content_hash = one.identity.content_hash
        if content_hash not in observations.hashes:
            has_url_key = (
                one.entry.authority != "foreign" and one.raw[1] in one.identity.keys
            )
            if (
                not self._all_are_new
                and not has_url_key
                and claimed_url(one) not in known
            ):
                for key in one.content_keys():
                    if key not in known:
                        known[key] = self._keys[key] = result.article
            self._make_current(one, key_pair, observations)
            observations.hashes[content_hash] = 0
            self._observations[*key_pair, content_hash] = {
                "article": result.article,
                "source": one.entry.source,
                "content_hash": content_hash,
                "is_authoritative": observations.is_authoritative,
                "first_seen_at": seen,
                "is_current": True,
                **_columns(one.entry_hashes()),
            }
        elif result.outcome == "revision":
            observations.hashes[content_hash] += 1
            self._make_current(one, key_pair, observations)
            self._reverted.append((*key_pair, content_hash))
        if (
            content_hash in observations.without_hashes
            and (entry_hashes := one.entry_hashes()) is not None
        ):
            observations.without_hashes.discard(content_hash)
            self._hashed[*key_pair, content_hash] = entry_hashes

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
        one: IdentifiedEntry,
        key_pair: tuple[str, str],
        observations: Observations,
    ) -> None:
        for former in observations.current:
            if (row := self._observations.get((*key_pair, former))) is not None:
                row["is_current"] = False
            else:
                self._replaced.add(key_pair)
        observations.current = {one.identity.content_hash}
        observations.text_hashes, observations.minute = _text_hashes(one.entry_hashes())

    def write(self, connection: Connection) -> None:
        """Write the collected rows, in the transaction of the entries."""
        keys = insert_or(connection, identity_key)
        if self._met.void:
            void = [{"key": key, "article": NOBODY} for key in sorted(self._met.void)]
            taken_back = keys.on_conflict_do_update(
                index_elements=["key"], set_={"article": NOBODY}
            )
            connection.execute(taken_back, void)
        if self._keys:
            # Another process may store the same key concurrently while placing: the first one wins.
            new = [
                {"key": key, "article": article} for key, article in self._keys.items()
            ]
            connection.execute(keys.on_conflict_do_nothing(index_elements=["key"]), new)
        given_up = update(observation).values(is_authoritative=False)
        change_with(connection, given_up, observation.c.article, self._taken_over)
        if self._replaced and self._poll:
            replaced = [
                {"of_article": article, "of_source": at}
                for article, at in sorted(self._replaced)
            ]
            connection.execute(_REPLACED, replaced)
        if self._observations:
            connection.execute(insert(observation), list(self._observations.values()))
        for (of_article, at, content_hash), entry_hashes in sorted(
            self._hashed.items()
        ):
            same = (observation.c.article == of_article, observation.c.source == at)
            row = update(observation).where(
                *same, observation.c.content_hash == content_hash
            )
            connection.execute(row.values(**_columns(entry_hashes)))
        if self._reverted:
            reverted = [
                {"of_article": article_id, "of_source": at, "of_hash": content_hash}
                for article_id, at, content_hash in self._reverted
            ]
            connection.execute(_REVERTED, reverted)
        if self._addresses:
            moved = [
                {"of_article": article_id, "address": url}
                for article_id, url in sorted(self._addresses.items())
            ]
            connection.execute(_ADDRESS, moved)


_OF_PAIR = (observation.c.article == bindparam("of_article")) & (
    observation.c.source == bindparam("of_source")
)

_REPLACED = (
    update(observation)
    .where(_OF_PAIR, observation.c.is_current)
    .values(is_current=False)
)

_REVERTED = (
    update(observation)
    .where(
        _OF_PAIR, observation.c.content_hash == bindparam("of_hash", type_=LargeBinary)
    )
    .values(is_current=True, revert_count=observation.c.revert_count + 1)
)

_ADDRESS = (
    update(article)
    .where(article.c.id == bindparam("of_article"))
    .values(url=bindparam("address"))
)

# Columns of an observation, and the fields of EntryHashes in them.
_HASHES = {
    "title_hash": "title",
    "title_key": "title_key",
    "text_key": "text_key",
    "declared_at": "minute",
}


def _columns(entry_hashes: EntryHashes | None) -> dict[str, Any]:
    return {
        column: entry_hashes and getattr(entry_hashes, name)
        for column, name in _HASHES.items()
    }


def _text_hashes(
    entry_hashes: EntryHashes | None,
) -> tuple[tuple[bytes | None, bytes | None] | None, dt.datetime | None]:
    """Return hashes of title and text (None: the text is too short), and the declared minute."""
    if entry_hashes is None or entry_hashes.text_key is None:
        return None, None
    return (entry_hashes.title, entry_hashes.text_key), entry_hashes.minute


def is_authoritative_entry(one: IdentifiedEntry) -> bool:
    """Whether an entry may change the text of a known article: by its own address, or its page.

    The outlet that an entry without an address declares is not verified.
    """
    by_address = one.entry.authority == "own" and one.raw[1] in one.identity.keys
    return by_address or one.entry.authority == "page" or one.match is not None


def outlets_elsewhere(
    connection: Connection,
    met: IdentifiedBatch,
    known: dict[bytes, str],
    seen_before: dict[tuple[str, str], Observations],
) -> dict[str, str]:
    """Return the outlets of articles of other feeds that may be those of these entries' own sites, by id."""
    elsewhere: set[str] = set()
    for received in met.identified:
        if (
            known
            and received.entry.resolved_outlet is not None
            and is_authoritative_entry(received)
        ):
            ids = (known[key] for key in received.content_keys() if key in known)
            elsewhere.update(
                id_ for id_ in ids if (id_, received.entry.source) not in seen_before
            )
    of_feeds = select(article.c.id, article.c.outlet).where(
        article.c.is_polled, article.c.outlet.is_not(None)
    )
    return {
        row.id: row.outlet
        for row in rows_with(connection, of_feeds, article.c.id, elsewhere)
    }


def observations_of(
    connection: Connection, articles: set[str]
) -> dict[tuple[str, str], Observations]:
    """Return the observations by article and source."""
    by_pair: dict[tuple[str, str], Observations] = {}
    for row in rows_with(connection, _OBSERVATIONS, observation.c.article, articles):
        observations = by_pair.setdefault((row.article, row.source), Observations())
        content_hash = bytes(row.content_hash)
        observations.hashes[content_hash] = row.revert_count
        observations.is_authoritative = (
            observations.is_authoritative or row.is_authoritative
        )
        if row.title_hash is None:
            observations.without_hashes.add(content_hash)
        if row.is_current:
            observations.current.add(content_hash)
            observations.minute = row.declared_at
            observations.text_hashes = row.text_key and (
                bytes(row.title_hash),
                bytes(row.text_key),
            )
    return by_pair


_OBSERVATIONS = select(
    observation.c.article,
    observation.c.source,
    observation.c.content_hash,
    observation.c.is_authoritative,
    observation.c.is_current,
    observation.c.revert_count,
    observation.c.title_hash,
    observation.c.text_key,
    observation.c.declared_at,
)
