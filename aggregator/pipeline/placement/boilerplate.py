"""What each outlet repeats, and which texts are its walls: asked and kept up while articles are placed.

What an outlet repeats when an article is placed follows from the rows of the articles before it alone.
Workers prepare articles ahead, by what was known then; placing asks whether that still holds, and what was
prepared by outdated lines is prepared once more (pipeline/pipeline.py). So neither the number of workers nor
a crash
changes a text.

A text that an outlet shows under other headlines, and that says nothing of its headline, is a notice.

Consent dialogues and walls that no pattern knows are told by it: no article is shown twice under headlines
that have nothing to do with each other and with what it says.
"""

from collections import Counter, OrderedDict
from itertools import pairwise

from aggregator.cluster.copies.shingles import is_unspaced, shared_count, shingle_hashes, words
from aggregator.config.tuning import Tuning
from aggregator.extract.learned_boilerplate import BoilerplateTuning, learn_boilerplate, pack_lines, repeated
from aggregator.extract.lines import count_words
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import outlet_key
from aggregator.model.core import Entry, FrozenStruct, LearnedBoilerplate, LineHashes
from aggregator.pipeline.placement.incoming_article import IncomingArticle
from aggregator.store.engine.database import Connection
from aggregator.store.stories import articles, learned_boilerplate

_STEM = 5  # letters by which forms of one word are taken for it
_SHORT = 4  # letters: shorter words say little of a headline


def is_notice(title: str, text: str, other_title: str, other_text: str, tuning: BoilerplateTuning) -> bool:
    """Whether `text` is a notice, seen that the same outlet shows `other_text` under `other_title`.

    Where the text tells of the other headline, it may be the same report under a new one.
    """
    own, other, said = _stems(title), _stems(other_title), _stems(text)
    if not own or not other or len(own & said) > tuning.wall_echo * len(own):
        return False
    is_others = len(other & said) > tuning.wall_echo * len(other)
    alike = tuning.wall_headline if is_others else tuning.wall_same_headline
    if len(own & other) > alike * min(len(own), len(other)):
        return False
    mine, theirs = shingle_hashes(text), shingle_hashes(other_text)
    return min(len(mine), len(theirs)) > 0 and (
        shared_count(mine, theirs) >= tuning.wall_alike * max(len(mine), len(theirs))
    )


def _stems(text: str) -> frozenset[str]:
    """The beginnings of the longer words; of scripts without spaces all pairs of characters."""
    found = words(text)
    pairs = (a + b for a, b in pairwise(found) if is_unspaced(a) and is_unspaced(b))
    return frozenset([*(word[:_STEM] for word in found if len(word) >= _SHORT), *pairs])


_NOTHING = LearnedBoilerplate()


class PrepareOptions(FrozenStruct, frozen=True, kw_only=True):
    """How an entry is to be prepared, by what is known now."""

    repeats: LearnedBoilerplate = _NOTHING  # the lines to take out
    without_text: bool = False  # its text is a notice: what else there is has to do


class BoilerplateLearner:
    """Belongs to the one writer of stories; one thread. Memory is derived from the rows."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._tuning = all_tuning.section("repeats", BoilerplateTuning)
        self._windows: OrderedDict[str, list[tuple[int, bytes]]] = OrderedDict()
        self._learnt: dict[str, LearnedBoilerplate] = {}
        self._walls: set[int] = set()  # entries found to be walls, until they are placed

    def forget(self) -> None:
        """Drop what is kept in memory; it is read again from the rows."""
        self._windows.clear()
        self._learnt.clear()
        self._walls.clear()

    def prepare_options(self, connection: Connection, n: int, entry: Entry) -> PrepareOptions:
        """How entry number `n` is to be prepared."""
        outlet = outlet_of(entry)
        repeats = _NOTHING if outlet is None else self._repeats(connection, outlet)
        return PrepareOptions(repeats=repeats, without_text=n in self._walls)

    def is_current(self, connection: Connection, entry: Entry, lines: LineHashes | None) -> bool:
        """Whether a text with these lines was prepared as it would be now."""
        outlet = outlet_of(entry)
        if lines is None or outlet is None:
            return True
        return repeated(lines, self._repeats(connection, outlet)) == lines.removed

    def note(self, connection: Connection, entry: Entry, number: int, lines: LineHashes | None) -> None:
        """Learn from article `number`, which was just written."""
        outlet = outlet_of(entry)
        if lines is None or outlet is None:
            return
        window = self._window(connection, outlet)
        row = pack_lines(lines)
        learned_boilerplate.add(connection, outlet, number, row)
        window.append((number, row))
        surplus = len(window) - self._tuning.window
        if surplus > 0:
            learned_boilerplate.drop(connection, outlet, [old for old, _ in window[:surplus]])
            del window[:surplus]
        self._learnt.pop(outlet, None)

    def is_outlet_notice(
        self, connection: Connection, incoming: IncomingArticle, lines: LineHashes | None
    ) -> bool:
        """Whether its outlet shows this text under other headlines; it is remembered until it is placed."""
        tuning, clean, outlet = self._tuning, incoming.clean, outlet_of(incoming.inbox_entry.entry)
        n = incoming.inbox_entry.n
        if (
            lines is None
            or outlet is None
            or n in self._walls
            or not clean.title
            or not incoming.fingerprint.bands
        ):
            return False
        if clean.is_container or count_words(clean.text) > tuning.wall_words:
            return False
        rows = articles.band_rows(
            connection,
            incoming.fingerprint.bands,
            before=incoming.inbox_entry.inbox_no,
            limit=50 * len(incoming.fingerprint.bands),
        )
        votes = Counter(number for _, number in rows)
        likely = sorted(votes, key=lambda number: (-votes[number], number))[: tuning.wall_asked]
        for other in articles.copy_candidates(connection, likely).values():
            if articles.source_of(connection, other.id) != incoming.inbox_entry.entry.source:
                continue  # whoever calls himself that outlet
            told = articles.compared_text(connection, other.id)
            same_outlet = _name_key(told.outlet) == _name_key(incoming.outlet)
            if same_outlet and is_notice(clean.title, clean.text, told.title, told.text, tuning):
                self._walls.add(n)
                return True
        return False

    def placed(self, n: int) -> None:
        """Entry number `n` is placed: nobody asks for it any more."""
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
            window = self._windows[outlet] = learned_boilerplate.lines_of(connection, outlet)
            while len(self._windows) > self._tuning.outlets_kept:
                gone, _ = self._windows.popitem(last=False)
                self._learnt.pop(gone, None)
        self._windows.move_to_end(outlet)
        return window


def outlet_of(entry: Entry) -> str | None:
    """The key of the outlet that an entry is of, as far as it is known before its text is read.

    A feed may call its entries what it likes. So the key has the site that it speaks for, else its source:
    nobody teaches lines in the name of another.
    """
    site = registrable_domain(entry.url) if entry.url else None
    name = _name_key(entry.outlet or site)
    if name is None or entry.authority == "handed":
        return name
    giver = site if entry.authority in {"own", "page"} and site else entry.source
    return f"{name} {giver}"


def _name_key(name: str | None) -> str | None:
    return outlet_key(name) if name else None
