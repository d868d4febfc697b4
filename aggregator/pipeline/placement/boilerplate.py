"""Learned boilerplate and notices of each outlet, read and updated while articles are placed.

The learned boilerplate at a placement depends only on the rows of earlier articles. Workers prepare articles
before; placing checks whether the lines are still current, and otherwise the article is prepared again
(pipeline/pipeline.py). So neither the number of workers nor a crash changes a text.

A text that an outlet shows under different headlines, and that does not mention its headline, is a notice: a
consent dialogue or a paywall that no pattern knows.
"""

from collections import OrderedDict
from itertools import pairwise

from aggregator.cluster.copies.shingles import is_unspaced, shared_count, shingle_hashes, words
from aggregator.config.tuning import Tuning
from aggregator.extract.learned_boilerplate import BoilerplateTuning, learn_boilerplate, pack_lines, repeated
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.outlets import outlet_of
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import Entry, FrozenStruct, LearnedBoilerplate, LineHashes
from aggregator.pipeline.placement.copy_lookup import CopyFinder
from aggregator.pipeline.placement.incoming_article import IncomingArticle
from aggregator.pipeline.placement.unit_of_work import UnitOfWork
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles

_OUTLETS_IN_MEMORY = 512  # outlets whose window is in memory; those of others are read again (chosen: 8 MB)
_NOTICE_CANDIDATES = 4  # stored texts compared with one short article (limit)

_STEM = 5  # letters by which forms of a word are equal
_SHORT = 4  # letters; shorter words are ignored


def is_notice(title: str, text: str, other_title: str, other_text: str, tuning: BoilerplateTuning) -> bool:
    """Whether `text` is a notice, because the same outlet shows `other_text` under `other_title`.

    A text that mentions the other headline may be the same report under a new one.
    """
    own, other, said = _stems(title), _stems(other_title), _stems(text)
    most = tuning.notice_headline_share
    if not own or not other or len(own & said) > most * len(own):
        return False
    if len(own & other) > most * min(len(own), len(other)):
        return False
    mine, theirs = shingle_hashes(text), shingle_hashes(other_text)
    return min(len(mine), len(theirs)) > 0 and (
        shared_count(mine, theirs) >= tuning.notice_similarity * max(len(mine), len(theirs))
    )


def _stems(text: str) -> frozenset[str]:
    """Return the first letters of longer words; for scripts without spaces all pairs of characters."""
    found = words(text)
    pairs = (a + b for a, b in pairwise(found) if is_unspaced(a) and is_unspaced(b))
    return frozenset([*(word[:_STEM] for word in found if len(word) >= _SHORT), *pairs])


_NOTHING = LearnedBoilerplate()


class PrepareOptions(FrozenStruct, frozen=True, kw_only=True):
    """The options with which an entry is prepared."""

    repeats: LearnedBoilerplate = _NOTHING  # the lines to remove
    without_text: bool = False  # its text is a notice, and is not used


class BoilerplateLearner:
    """Reads and learns boilerplate. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("boilerplate", BoilerplateTuning)
        self._notice_words = all_tuning.section("text", ExtractTuning).paywall_max_words
        self._windows: OrderedDict[str, list[tuple[int, bytes]]] = OrderedDict()
        self._learnt: dict[str, LearnedBoilerplate] = {}
        self._walls: set[int] = set()  # entries whose text is a notice, until they are placed

    def forget(self) -> None:
        """Drop the values in memory; they are read again from the rows."""
        self._windows.clear()
        self._learnt.clear()
        self._walls.clear()

    def prepare_options(self, connection: Connection, n: int, entry: Entry) -> PrepareOptions:
        """Return the options for entry `n`."""
        outlet = _boilerplate_key(entry)
        repeats = _NOTHING if outlet is None else self._repeats(connection, outlet)
        return PrepareOptions(repeats=repeats, without_text=n in self._walls)

    def is_current(self, connection: Connection, entry: Entry, lines: LineHashes | None) -> bool:
        """Whether a text with these lines would be prepared in the same way now."""
        outlet = _boilerplate_key(entry)
        if lines is None or outlet is None:
            return True
        return repeated(lines, self._repeats(connection, outlet)) == lines.removed

    def note(self, unit_of_work: UnitOfWork, entry: Entry, number: int, lines: LineHashes | None) -> None:
        """Learn from article `number`, which was just written, or whose page came late."""
        outlet = _boilerplate_key(entry)
        if lines is None or outlet is None:
            return
        window = self._window(unit_of_work.connection, outlet)
        row = pack_lines(lines)
        ledger = unit_of_work.ledger
        ledger.drop_lines((outlet, old) for old, _ in window if old == number)
        ledger.lines[outlet, number] = row
        window[:] = sorted([*(one for one in window if one[0] != number), (number, row)])
        surplus = max(len(window) - self._tuning.window, 0)
        ledger.drop_lines((outlet, old) for old, _ in window[:surplus])
        del window[:surplus]
        self._learnt.pop(outlet, None)

    def is_outlet_notice(
        self,
        unit_of_work: UnitOfWork,
        incoming: IncomingArticle,
        lines: LineHashes | None,
        copy_finder: CopyFinder,
    ) -> bool:
        """Whether its outlet shows this text under other headlines; remembered until it is placed."""
        connection, waiting = unit_of_work.connection, unit_of_work.ledger.articles
        tuning, clean, outlet = self._tuning, incoming.clean, _boilerplate_key(incoming.inbox_entry.entry)
        n = incoming.inbox_entry.entry_no
        if (
            lines is None
            or outlet is None
            or n in self._walls
            or not clean.title
            or not incoming.fingerprint.bands
        ):
            return False
        if clean.is_container or incoming.fingerprint.body_words > self._notice_words:
            return False
        likely = copy_finder.voted(connection, incoming)[:_NOTICE_CANDIDATES]
        for other in articles.copy_candidates(connection, likely, waiting).values():
            # Any source may declare that outlet.
            unit_of_work.ledger.write_article(other.id)
            if articles.member(connection, other.id).source != incoming.inbox_entry.entry.source:
                continue
            similar = articles.compared_texts(connection, [other.id])[other.id]
            same_outlet = _name_key(similar.outlet) == _name_key(incoming.outlet)
            if same_outlet and is_notice(clean.title, clean.text, similar.title, similar.text, tuning):
                self._walls.add(n)
                return True
        return False

    def placed(self, n: int) -> None:
        """Forget entry `n`, which was placed."""
        self._walls.discard(n)

    def _repeats(self, connection: Connection, outlet: str) -> LearnedBoilerplate:
        known = self._learnt.get(outlet)
        if known is None:
            window = self._window(connection, outlet)
            known = self._learnt[outlet] = learn_boilerplate((lines for _, lines in window), self._tuning)
        return known

    def _window(self, connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
        window = self._windows.get(outlet)
        if window is None:
            window = self._windows[outlet] = articles.outlet_lines(connection, outlet)
            while len(self._windows) > _OUTLETS_IN_MEMORY:
                gone, _ = self._windows.popitem(last=False)
                self._learnt.pop(gone, None)
        self._windows.move_to_end(outlet)
        return window


def _boilerplate_key(entry: Entry) -> str | None:
    """Return the key under which lines of an entry are learned; None without an outlet.

    A feed may declare any outlet. So the key includes its site, else its source, and no source can teach
    lines of another one.
    """
    site = registrable_domain(entry.url) if entry.url else None
    outlet = outlet_of(entry)
    name = outlet_key(outlet.key) if outlet else None
    if name is None or entry.authority == "handed":
        return name
    giver = site if entry.authority in {"own", "page"} and site else entry.source
    return f"{name} {giver}"


def _name_key(name: str | None) -> str | None:
    return outlet_key(name) if name else None
