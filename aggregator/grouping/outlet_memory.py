"""The learned boilerplate, notices and name of each outlet, read and updated while articles are placed.

Learned boilerplate is hidden when an article is placed, and depends only on the rows of earlier articles. So neither
the number of workers nor a crash changes a text. Articles are compared with stories by their whole texts, which the
worker has read; the check of copies compares the texts that are shown.

A text that an outlet shows under different headlines, and that does not mention its headline, is a notice: a
consent dialogue or a paywall that no pattern knows.

A page or a feed may only name its own site. This name is shown for all articles of the outlet, including earlier
ones. If a feed names another site, the name applies only to the articles of that feed.
"""

from collections import OrderedDict
from itertools import pairwise

from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.learned_boilerplate import (
    BoilerplateTuning,
    learn_boilerplate,
    pack_lines,
    repeated_lines,
)
from aggregator.extract.outlets import outlet_of
from aggregator.extract.shown_text import without_lines, without_text
from aggregator.extract.sites import is_address
from aggregator.extract.urls import registrable_domain
from aggregator.extract.wire.agencies import outlet_key
from aggregator.grouping.copies.copy_lookup import CopyFinder
from aggregator.grouping.copies.shingles import (
    is_unspaced,
    shared_count,
    shingle_hashes,
    words,
)
from aggregator.grouping.fingerprint import prepared_again
from aggregator.grouping.incoming_article import incoming_article
from aggregator.model.entry import Entry
from aggregator.model.prepared import (
    ACCEPTED_VERDICTS,
    CleanArticle,
    LineHashes,
    Prepared,
)
from aggregator.store.engine.database import Connection
from aggregator.store.intake.inbox import InboxEntry
from aggregator.store.search import index as search
from aggregator.store.stories import story_rows
from aggregator.store.stories.article_rows import compared_articles, outlet_rows
from aggregator.store.stories.stored_articles import StoredArticle
from aggregator.store.stories.unit_of_work import UnitOfWork

# How many outlets have their window in memory; the other windows are read again (chosen: 8 MB)
_OUTLETS_IN_MEMORY = 512
# How many stored texts are compared with one short article (limit)
_NOTICE_CANDIDATES = 4

# Two words count as forms of one word if their first letters, this many, are equal
_STEM = 5
# Words with fewer letters are ignored
_SHORT = 4


def is_notice(
    title: str, text: str, other_title: str, other_text: str, tuning: BoilerplateTuning
) -> bool:
    """Return whether `text` is a notice, because the same outlet shows the similar `other_text` under `other_title`.

    The text is not a notice if it mentions its own headline, or if both headlines are about one thing: then the outlet
    may have given a report a new headline.
    """
    headline = _stems(title)
    other = _stems(other_title)
    said = _stems(text)
    most = tuning.notice_headline_share
    if not headline or not other or len(headline & said) > most * len(headline):
        return False
    if len(headline & other) > most * min(len(headline), len(other)):
        return False
    mine = shingle_hashes(text)
    theirs = shingle_hashes(other_text)
    return min(len(mine), len(theirs)) > 0 and (
        shared_count(mine, theirs)
        >= tuning.notice_similarity * max(len(mine), len(theirs))
    )


def _stems(text: str) -> frozenset[str]:
    """Return the first letters of longer words, and all pairs of characters of scripts without spaces."""
    in_order = words(text)
    pairs = (a + b for a, b in pairwise(in_order) if is_unspaced(a) and is_unspaced(b))
    return frozenset(
        [*(word[:_STEM] for word in in_order if len(word) >= _SHORT), *pairs]
    )


class BoilerplateLearner:
    """Reads and learns boilerplate. For one thread of the writer."""

    def __init__(self, all_tuning: Tuning) -> None:
        self._all_tuning = all_tuning
        self._tuning = all_tuning.section("boilerplate", BoilerplateTuning)
        self._notice_words = all_tuning.section("text", ExtractTuning).paywall_max_words
        self._windows: OrderedDict[str, list[tuple[int, bytes]]] = OrderedDict()
        self._learnt: dict[str, LineHashes] = {}

    def forget(self) -> None:
        """Drop the values in memory; they are read again from the rows."""
        self._windows.clear()
        self._learnt.clear()

    def shown(
        self,
        unit_of_work: UnitOfWork,
        inbox_entry: InboxEntry,
        prepared: Prepared,
        copy_finder: CopyFinder,
    ) -> Prepared:
        """Return a prepared entry without the lines that its outlet repeats.

        A notice on a page is replaced by the entry's own text; any other notice is removed, so that only the headline
        is left.
        """
        outlet = _boilerplate_key(inbox_entry.entry)
        if outlet is None:
            return prepared
        connection = unit_of_work.connection
        without_repeats = self._without_repeats(connection, outlet, prepared)
        fingerprint = without_repeats.fingerprint
        clean = without_repeats.article
        if (
            fingerprint is None
            or without_repeats.lines is None
            or fingerprint.body_words > self._notice_words
            or not fingerprint.signature
            or not clean.title
        ):
            return without_repeats
        incoming = incoming_article(
            inbox_entry, without_repeats, unit_of_work.now, wire_confidence=1.0
        )
        likely = copy_finder.sharing(connection, incoming)[:_NOTICE_CANDIDATES]
        for other in compared_articles.copy_candidates(connection, likely).values():
            if other.source != incoming.source:  # any source may declare any outlet
                continue
            similar = compared_articles.compared_texts(connection, [other.id])[other.id]
            if outlet_key(similar.outlet or "") == outlet_key(
                incoming.outlet_key or ""
            ) and is_notice(
                clean.title, clean.text, similar.title, similar.text, self._tuning
            ):
                break
        else:
            return without_repeats
        if prepared.own is not None:
            return self._without_repeats(connection, outlet, prepared.own)
        return self._counted_anew(without_text(prepared.article))

    def _without_repeats(
        self, connection: Connection, outlet: str, prepared: Prepared
    ) -> Prepared:
        if prepared.lines is None:
            return prepared
        if outlet not in self._learnt:
            known = (lines for _, lines in self._window(connection, outlet))
            self._learnt[outlet] = learn_boilerplate(known, self._tuning)
        keys = repeated_lines(prepared.lines, self._learnt[outlet])
        if not keys:
            return prepared
        article = without_lines(prepared.article, keys, self._all_tuning)
        if article.verdict == "ok":
            return replace(prepared, article=article)
        if prepared.own is not None and len(prepared.own.article.text) > len(
            article.text
        ):
            instead = self._without_repeats(connection, outlet, prepared.own)
        else:
            # Without other text, the repeated lines of an outlet must not decide. A feed's own picture stays.
            html = prepared.html if prepared.own is None else None
            instead = replace(self._counted_anew(article), html=html)
        # The lines of this text are learned all the same; otherwise the window would forget them.
        return replace(instead, lines=prepared.lines)

    def _counted_anew(self, article: CleanArticle) -> Prepared:
        """Return an article that lost nearly all its text with a new fingerprint, or without one if it is refused."""
        if article.verdict not in ACCEPTED_VERDICTS:
            return Prepared(article=article)
        return prepared_again(article, self._all_tuning)

    def note(
        self,
        unit_of_work: UnitOfWork,
        entry: Entry,
        number: int,
        lines: LineHashes | None,
    ) -> None:
        """Learn from article `number`, which was just written, or whose page came late."""
        outlet = _boilerplate_key(entry)
        if lines is None or outlet is None:
            return
        window = self._window(unit_of_work.connection, outlet)
        packed = pack_lines(lines)
        before = dict(window)
        window[:] = sorted((before | {number: packed}).items())[-self._tuning.window :]
        oldest = window[0][0]
        for old in before:
            if old < oldest or old == number:
                unit_of_work.lines.pop((outlet, old), None)
                unit_of_work.dropped_lines.append((outlet, old))
        if number >= oldest:
            unit_of_work.lines[outlet, number] = packed
        self._learnt.pop(outlet, None)

    def _window(self, connection: Connection, outlet: str) -> list[tuple[int, bytes]]:
        if outlet not in self._windows:
            self._windows[outlet] = outlet_rows.outlet_lines(connection, outlet)
            if len(self._windows) > _OUTLETS_IN_MEMORY:
                gone, _ = self._windows.popitem(last=False)
                self._learnt.pop(gone, None)
        self._windows.move_to_end(outlet)
        return self._windows[outlet]


def _boilerplate_key(entry: Entry) -> str | None:
    """Return the key under which lines of an entry are learned; None without an outlet.

    A feed may declare any outlet. So the key also has the site of the entry if the entry comes from there, otherwise
    its source, and a source cannot teach lines to the outlet of another source. Only entries that were handed in have
    the outlet alone.
    """
    site = registrable_domain(entry.url) if entry.url else None
    outlet = outlet_of(entry)
    name = outlet_key(outlet.key) if outlet else None
    if name is None or entry.authority == "handed":
        return name
    giver = site if entry.authority in {"own", "page"} and site else entry.source
    return f"{name} {giver}"


class OutletNames:
    """Gives names to articles that have only the address of their outlet. For one thread of the writer."""

    def __init__(self) -> None:
        # The name of each outlet by its key; None: its site has not given a name so far
        self._names: dict[str, str | None] = {}

    def named(self, unit_of_work: UnitOfWork, new: StoredArticle) -> StoredArticle:
        """Return the article with the name of its outlet, if known.

        When the first name of an outlet becomes known, its earlier articles get this name, too.
        """
        connection = unit_of_work.connection
        key = new.outlet_key
        if key is None or not is_address(key):
            return new
        if key not in self._names:
            self._names[key] = outlet_rows.own_name_of(connection, key)
        name = self._names[key]
        site_name = new.read_details().site_name
        if name is None and site_name is not None:
            self._names[key] = name = site_name
            unnamed = outlet_rows.unnamed_articles(connection, key)
            for number, _ in unnamed:
                was_searchable = search.take_out(connection, number)
                outlet_rows.set_outlet_name(connection, number, name)
                if was_searchable:
                    search.put_back(connection, number)
            story_rows.render_again(connection, {story for _, story in unnamed})
        if name is None or new.outlet_name is not None:
            return new
        return replace(new, outlet_name=name)
