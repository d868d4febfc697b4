"""Decides whether the entries of a batch are new, known or revisions, and writes their keys and contents.

An entry is known by its keys (entry_identity.py). A known entry is a revision if its source showed other words of the
article before (its observations), or shows them at a new address. Whether a revision changes the article is decided
at placing (grouping/placing/which_article.py), because only placing knows whose article it is.
"""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection

from aggregator.model.structs import FrozenStruct
from aggregator.store.intake.identity.identify import (
    NOBODY,
    IdentifiedBatch,
    IdentifiedEntry,
)
from aggregator.store.intake.identity.tombstones import find_tombstones
from aggregator.store.intake.inbox import CLAIM, MUTED
from aggregator.store.tables import (
    read_lists,
    read_rows,
    read_set,
    read_structs,
    write_each,
    write_sql,
)

AcceptOutcome = Literal["new", "known", "revision", "forgotten"]

# The stored length of the hash of each content in `observation.contents`
_HASH_BYTES = 8
# A feed may list two texts of an article beside each other, so the last two contents of each are kept.
_POLLED_CONTENTS = 2
# Files may be read again in any order, so that more contents of what was handed in are kept (chosen).
_HANDED_CONTENTS = 64
# This content is that of no entry: the next content of the source counts as a change, see `look_again`.
_UNSEEN = bytes(_HASH_BYTES)
# An article with this many keys gets no more, because a system that makes new GUIDs at each request must not fill the
# table (chosen).
_MOST_KEYS = 24
# The first four changes of an article are accepted at once, each of the next four only an hour after the last
# change, the next four two hours after it, and so on: some feeds change an entry at every poll, by a counter of
# comments (chosen).
_CHANGES_AT_ONCE = 4


class AcceptResult(FrozenStruct):
    """The outcome of accepting one entry."""

    outcome: AcceptOutcome
    article: str
    # None: the entry was not stored, because it is known or erased
    entry_no: int | None = None
    # Whether its content is noted as shown; if not, the same entry may have another outcome at a later poll
    is_observed: bool = True
    # Whether placing may use its page
    may_use_page: bool = True


class Observation(msgspec.Struct, kw_only=True):
    """The contents that a source showed of an article."""

    article: str
    source: str
    # The hashes of the contents that the source showed, the newest last
    contents: bytes = b""
    # How often the source has changed the article
    changes: int = 0
    changed_at: datetime

    @property
    def hashes(self) -> list[bytes]:
        """The hashes in a list. If it is empty, the next content of the source does not count as a change."""
        return [
            self.contents[start : start + _HASH_BYTES]
            for start in range(0, len(self.contents), _HASH_BYTES)
        ]


class KnownEntries:
    """The keys and observations stored for a batch of entries, and those that the batch adds.

    Call `judge` for each entry in order, then `write`.
    """

    def __init__(
        self, connection: Connection, batch: IdentifiedBatch, *, is_poll: bool
    ) -> None:
        self._connection = connection
        self._known = batch.known
        self._void = batch.void
        self._is_poll = is_poll
        self._articles = set(self._known.values())
        candidates = {received.identity.article for received in batch.entries}
        self._erased = find_tombstones(connection, candidates | self._articles)
        # The sources, by article, of articles whose entries are all muted
        self._muted = read_lists(
            connection,
            f"""
            SELECT article, source FROM entry WHERE article IN :articles AND verdict = '{MUTED}' AND NOT EXISTS (
              SELECT 1 FROM entry AS other WHERE other.article = entry.article
              AND (other.verdict IS NULL OR other.verdict <> '{MUTED}'))
            """,  # noqa: S608
            articles=self._articles,
        )
        shown_before = """
            SELECT article, source, contents, changes, changed_at FROM observation WHERE article IN :articles
            """
        self._observations = {
            (shown.article, shown.source): shown
            for shown in read_structs(
                connection, Observation, shown_before, articles=self._articles
            )
        }
        # Live blogs, because a feed may change nothing but the date of a live blog
        self._live_blogs: set[str] = set()
        # The sources of the articles, whose pages are not fetched again for others
        self._sources: dict[str, str] = {}
        if is_poll:
            placed = "SELECT id, source, role FROM article WHERE id IN :articles"
            for row in read_rows(connection, placed, articles=self._articles):
                self._sources[row.id] = row.source
                if row.role == "container":
                    self._live_blogs.add(row.id)
        # The contents of this batch. A feed that lists two texts of an article has not changed the article.
        self._batch_contents = {_content_hash(entry) for entry in batch.entries}
        # What `write` stores: the articles of new keys, and the changed observations
        self._new_keys: dict[bytes, str] = {}
        self._changed: set[tuple[str, str]] = set()

    def judge(
        self, received: IdentifiedEntry, seen: datetime, *, by_page: bool
    ) -> AcceptResult:
        """Decide whether an entry is new, known, a revision or forgotten, and note it.

        `by_page`: its page will be fetched.
        """
        result = self._judge_by_keys(received, seen, by_page=by_page)
        id_, source = result.article, received.entry.source
        if id_ in self._erased:  # its new keys are noted nevertheless
            is_forgotten = self._erased[id_] == "forgotten"
            result = replace(result, outcome="forgotten" if is_forgotten else "known")
        elif result.outcome == "known" and source not in self._muted.get(id_, [source]):
            # Only other sources are muted for this article; this source may not be.
            result = replace(result, outcome="new", is_observed=True)
        elif received.entry.is_observation and result.outcome != "known":
            # A feed of stories, from another aggregator, links to an article that is not stored here.
            result = replace(result, outcome="known", is_observed=False)
        if result.is_observed:
            self._note(received, result, seen)
        return result

    def _judge_by_keys(
        self, received: IdentifiedEntry, seen: datetime, *, by_page: bool
    ) -> AcceptResult:
        """Decide by the keys of an entry, and by the contents that its source showed before."""
        known_key = next((key for key in received.keys if key in self._known), None)
        if known_key is None:
            return AcceptResult(outcome="new", article=received.identity.article)
        id_ = self._known[known_key]
        entry = received.entry
        known = AcceptResult(outcome="known", article=id_)
        revision = AcceptResult(
            outcome="revision",
            article=id_,
            may_use_page=entry.is_of_site
            or self._sources.get(id_, entry.source) == entry.source,
        )
        has_new_url = (
            received.url_key in received.identity.keys
            and received.url_key not in self._known
        )
        observed = self._observations.get((id_, entry.source))
        if observed is None:
            # The site of the article delivers it, after others linked to it.
            return revision if has_new_url and entry.is_of_site else known
        content = _content_hash(received)
        *former, last = observed.hashes or [content]
        # A feed lists both texts of an article, or several articles under one GUID and address.
        is_beside_last = content != last and last in self._batch_contents
        if content == last:
            is_live = by_page and id_ in self._live_blogs
            updated = entry.updated
            has_changed = (
                is_live and updated is not None and updated > observed.changed_at
            )
        elif is_beside_last or not self._is_poll:  # files are read again in any order
            has_changed = content not in former
        else:
            has_changed = True
        wait = timedelta(hours=observed.changes // _CHANGES_AT_ONCE)
        is_limited = not is_beside_last or observed.changes >= _HANDED_CONTENTS
        has_to_wait = self._is_poll and is_limited and seen < observed.changed_at + wait
        if has_changed and has_to_wait:
            # The content is not noted, so that it still counts as a change when the wait is over.
            return replace(known, is_observed=False)
        if has_changed:
            return revision
        has_moved = self._is_poll and has_new_url and entry.authority == "own"
        if has_moved and not has_to_wait:
            # The feed lists the same words at another address.
            return replace(revision, may_use_page=False)
        return known

    def _note(
        self, received: IdentifiedEntry, result: AcceptResult, seen: datetime
    ) -> None:
        """Add the keys and the observation of an entry with this result."""
        source, id_ = received.entry.source, result.article
        observed = self._observations.get((id_, source))
        if observed is None:
            observed = Observation(article=id_, source=source, changed_at=seen)
            self._observations[id_, source] = observed
        if not observed.contents or result.outcome == "revision":
            content = _content_hash(received)
            if observed.contents:
                observed.changes += 1
            if content not in observed.hashes[-1:]:
                kept = _POLLED_CONTENTS if self._is_poll else _HANDED_CONTENTS
                observed.contents += content
                observed.contents = observed.contents[-kept * _HASH_BYTES :]
            observed.changed_at = seen
            self._changed.add((id_, source))
        keys = [*received.identity.keys, *sorted(received.in_feed)]
        # If the entry may not use the key of its URL, the key of its content at this URL is stored instead.
        if received.url_key not in received.identity.keys:
            keys += received.at_url[:1]
        keys.append(received.undated)
        for key in filter(None, keys):
            if key not in self._known:
                self._known[key] = self._new_keys[key] = id_

    def write(self) -> None:
        """Write the added keys and observations, in the transaction of the entries."""
        connection = self._connection
        void = [{"key": key, "nobody": NOBODY} for key in sorted(self._void)]
        write_each(
            connection,
            """
            INSERT INTO identity_key (key, article) VALUES (:key, :nobody)
            ON CONFLICT (key) DO UPDATE SET article = excluded.article
            """,
            void,
        )
        full_articles = read_set(
            connection,
            """
            SELECT article FROM identity_key WHERE article IN :known
            GROUP BY article HAVING count(*) >= :most
            """,
            most=_MOST_KEYS,
            known=self._articles.intersection(self._new_keys.values()),
        )
        new = [
            {"key": key, "article": id_}
            for key, id_ in self._new_keys.items()
            if id_ not in full_articles
        ]
        # Placing, in another process, may store the same key at the same time: the first article keeps it.
        write_each(connection, CLAIM, new)
        rows = [
            msgspec.structs.asdict(self._observations[pair])
            for pair in sorted(self._changed)
        ]
        write_each(
            connection,
            """
            INSERT INTO observation (article, source, contents, changes, changed_at)
            VALUES (:article, :source, :contents, :changes, :changed_at)
            ON CONFLICT (article, source) DO UPDATE SET contents = excluded.contents,
              changes = excluded.changes, changed_at = excluded.changed_at
            """,
            rows,
        )


def look_again(connection: Connection, article: str, source: str) -> None:
    """Let the next content that a source shows of an article count as a change, even if the source shows it again.

    The source is read as a whole at its next poll.
    """
    write_sql(
        connection,
        "UPDATE observation SET contents = :unseen WHERE article = :article AND source = :source",
        unseen=_UNSEEN,
        article=article,
        source=source,
    )
    write_sql(
        connection,
        "UPDATE source SET etag = NULL, last_modified = NULL, body_hash = NULL WHERE id = :source",
        source=source,
    )
    write_sql(
        connection, "DELETE FROM known_items WHERE source = :source", source=source
    )


def _content_hash(received: IdentifiedEntry) -> bytes:
    """Return the hash of an entry's content as it is stored in an observation."""
    return received.identity.content_hash[:_HASH_BYTES]
