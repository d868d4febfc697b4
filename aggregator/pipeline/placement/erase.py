"""Forgetting: articles go for good, with all that was said of them, and are refused when they come again.

A batch of articles is one placing transaction: rows and words go, tombstones stay, the stories that lose a
member are restated from those that are left. Ids, hashes and numbers stay: see `store/maintenance/erase.py`.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain

from aggregator.model.core import Noun
from aggregator.model.errors import UsageError
from aggregator.pipeline.placement.copy_lookup import Revised, Twins
from aggregator.pipeline.placement.story_writer import Desk, Homes
from aggregator.store.engine.database import Connection, Database
from aggregator.store.intake import tombstones
from aggregator.store.maintenance import erase, retention
from aggregator.store.maintenance.erase import Gone, Heir, Meant, Toll
from aggregator.store.stories import articles, stories

BATCH = 20  # articles a transaction: others that write wait for it


class ForgetWish(Noun, frozen=True, kw_only=True):
    """What a person asks for: the address or id of an article, or the name of an outlet."""

    name: str


class Forgotten(Noun, frozen=True, kw_only=True, omit_defaults=False):
    """What was forgotten; no words, for it is kept. `log_folded`: false where a reader held SQLite's log."""

    named: int  # articles that were meant, also such as were only waiting, refused or forgotten before
    toll: Toll
    log_folded: bool = True


def to_forget(connection: Connection, name: str) -> tuple[Meant, Toll]:
    """What is meant by a name, and what would go. Raises UsageError where it means nothing."""
    meant = erase.meant(connection, name)
    if not meant.articles:
        raise UsageError(
            f"nothing is stored of {name}; name an article by its address or id, or an outlet as "
            "`aggregator story ID` shows it"
        )
    return meant, erase.toll(connection, meant.articles)


class Forgetting:
    """Forgets articles, in placing transactions. `twins` knows at once what is found no more."""

    def __init__(self, homes: Homes, twins: Twins) -> None:
        self._homes = homes
        self._twins = twins

    def carry_out(
        self,
        desk: Desk,
        ids: Sequence[str],
        former: Mapping[str, Collection[str]],
        kind: tombstones.Kind = "forgotten",
    ) -> None:
        """Forget these articles. `former`: by article every story that it is or was in.

        `kind`: "retention" where they were kept long enough; their entries then stay what became of them.
        """
        connection, wanted = desk.connection, frozenset(ids)
        tombstones.lay(connection, wanted, desk.now, kind)
        gone = erase.rows_of(connection, wanted)
        heirs = erase.heirs(connection, wanted)
        homes = {one.story for one in gone} | {one.story for one in heirs}
        stories_ = erase.with_redirects(connection, homes | set(chain(*(former[one] for one in ids))))
        sketches = {one.id: articles.sketch_of(connection, one.n) for one in gone}
        keys = {one.n: self._twins.keys(one.signature) for one in gone}
        erase.erase_articles(connection, gone, keys)
        for one in gone:
            self._twins.let_go(one.n, sketches[one.id])
        if kind == "forgotten":
            erase.blank_entries(connection, wanted, desk.now)
        else:
            retention.slim_entries(connection, wanted)
        self._pass_on(connection, gone, heirs, sketches)
        for story in sorted(homes):
            # Where a copy of what retention took is an original now, nobody asked to forget what it tells.
            is_kept = kind == "retention" and all(one.story != story for one in gone)
            words = retention.last_words(connection, story) if is_kept else None
            self._restate(desk, story, wanted)
            if words is not None:
                retention.keep_words(connection, story, words)
        for one in gone:
            if kind == "forgotten":
                desk.ledger.log(desk.now, one.story, "forgotten", article=one.id)
        kept = erase.titles_of(connection, stories_)
        erase.blank_given_way(connection, stories_)
        erase.blank_history(connection, wanted, stories_, kept)
        erase.stop_deliveries(connection, stories_, desk.now)
        erase.blank_answers(connection, stories_, kept)

    def _restate(self, desk: Desk, story: str, wanted: Collection[str]) -> None:
        connection = desk.connection
        row = stories.row_of(connection, story)
        assert row is not None, "articles are in live stories"
        if not articles.members(connection, story):
            self._homes.close(desk, story)
            return
        if row.title_article is None or row.title_article in wanted:
            erase.hide_title(connection, story)
        self._homes.restate(desk, story)

    def _pass_on(
        self,
        connection: Connection,
        gone: Sequence[Gone],
        heirs: Sequence[Heir],
        sketches: Mapping[str, bytes],
    ) -> None:
        """A copy of a forgotten article is one of the next original: of its twin, or of the first copy."""
        links = {one.id: one.copy_of for one in gone}
        families: dict[str, list[Heir]] = {}
        for heir in heirs:
            root = heir.copy_of
            while (further := links.get(root)) is not None and further in links:
                root = further
            families.setdefault(root, []).append(heir)
        for root, family in sorted(families.items()):
            self._one_family(connection, links.get(root), family, sketches.get(root, b""))

    def _one_family(
        self, connection: Connection, original: str | None, family: Sequence[Heir], sketch: bytes
    ) -> None:
        """`family`: those that lost their original, in their order; `original`: what that was a copy of."""
        if original is None:
            first = next((one for one in family if one.role != "excerpt"), None)
            if first is None:  # pieces of a whole that is not there
                for one in family:
                    erase.link_to(connection, one.id, None, "report")
                return
            before = articles.sketch_of(connection, first.n)
            held = self._twins.inherited(connection, first, sketch)
            keys = self._twins.keys(first.signature)
            erase.found_by(connection, first.n, keys, held.bands, held.sketch)
            self._twins.replace(first.n, Revised(before, held))
            erase.link_to(connection, first.id, None, "report" if first.role == "copy" else first.role)
            original = first.id
        for one in family:
            if one.id != original:
                erase.link_to(connection, one.id, original, one.role)


def finish_index(database: Database, step: Callable[[], None]) -> bool:
    """Have the database drop deleted words, as far as that is ours to say; what `Database.fold_log` says."""
    is_first = True
    more = True
    while more:
        step()
        more = database.transact(partial(erase.merge_index, is_first=is_first))
        is_first = False
    # In short tries: while it waits for readers nobody writes.
    ends = time.monotonic() + database.rules.lock_seconds
    while not (is_folded := database.fold_log(database.rules.checkpoint_seconds)) and time.monotonic() < ends:
        step()
    return is_folded
