"""Extracts the entries of a live blog from markup: JSON-LD, or the clock times in the page.

Pages often have clock times in <time> elements or short headings, which text extraction drops, and some pages
have their entries in JSON-LD only. The entry of a clock time is the largest element that contains no other
clock time.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aggregator.extract.html.dom import bound_html, html_to_text, json_ld, paragraphs_of, tree_of
from aggregator.extract.language import dates
from aggregator.extract.language.unicode import clean
from aggregator.extract.limits import ExtractTuning
from aggregator.extract.live_text import ArticleTimes, ExtractedEntry
from aggregator.extract.plain import boilerplate
from aggregator.text import clock_times
from aggregator.text.lines import folded

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "iframe", "object", "svg", "math", "head", "nav", "aside",
     "footer", "form", "button", "select", "textarea", "audio", "video", "canvas", "figcaption"}
)  # fmt: skip
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote",
     "table", "tr", "td", "section", "article", "header", "figure", "pre", "hr", "main"}
)  # fmt: skip
_JSON_LD_CHARS = 2_097_152
_NODES = 2_000
_CLIMB = 60  # levels; real pages are not nested deeper
_CLOCK_CHARS = 40


def read_live_page(
    html: str, times: ArticleTimes, *, tuning: ExtractTuning, announced: bool
) -> tuple[ExtractedEntry, ...]:
    """Return the entries in the markup, in the order of the page; () if there are too few.

    `announced`: the headline or the data declare a live blog.
    """
    root = tree_of(bound_html(html).html)
    if root is None:
        return ()
    read = _Reader(times)
    declared, by_clocks = read.of_json_ld(root), read.of_clocks(root)
    best = max(declared, by_clocks, key=len)
    least = 1 if best is declared else 2 if announced else tuning.live_entries
    if len(best) < least:
        return ()
    return tuple(best[: tuning.live_entries_max])


class _Reader:
    """Reads one page; one method for each kind of markup."""

    def __init__(self, times: ArticleTimes) -> None:
        self._times = times
        self._zone = times.zone

    # --- declared entries --------------------------------------------------------------------------------

    def of_json_ld(self, root: Any) -> list[ExtractedEntry]:
        """Return the entries in liveBlogUpdate of the page's LiveBlogPosting."""
        for node in json_ld(root, _JSON_LD_CHARS, "LiveBlogPosting"):
            updates = node.get("liveBlogUpdate") or []
            listed = updates[:_NODES] if isinstance(updates, list) else [updates]
            entries = [one for update in listed if (one := self._declared(update)) is not None]
            if entries:
                return entries
        return []

    def _declared(self, update: Any) -> ExtractedEntry | None:
        if not isinstance(update, dict):
            return None
        stated = (update.get(name) for name in ("datePublished", "dateCreated", "dateModified"))
        value = next((one for one in stated if isinstance(one, str)), "")
        headline, body = (_plain(update.get(name)) for name in ("headline", "articleBody"))
        return self._entry_at(value, "", _joined(headline, body or _plain(update.get("description"))))

    # --- clocks in the page ------------------------------------------------------------------------------

    def of_clocks(self, root: Any) -> list[ExtractedEntry]:
        """Return the elements with one clock time each."""
        clock_entries = list(self._clock_entries(root))
        holders = Counter(above for clock_entry in clock_entries for above in _ancestors(clock_entry[0]))
        entries = []
        for element, one in clock_entries:
            box = _box(element, holders)
            if next(box.iter("h1"), None) is not None:
                continue  # the time of publication and not of an entry
            lines = _lines(box, frozenset((element,)))
            kept_lines = [line for line in lines if not boilerplate.is_boilerplate(line)]
            if kept_lines:
                entries.append(one._replace(text="\n".join(kept_lines)))
        return entries

    def _clock_entries(self, root: Any) -> Iterator[tuple[Any, ExtractedEntry]]:
        """Yield elements that consist of a clock time only, with the time and the day heading before it."""
        day: clock_times.StatedDay | None = None
        inside: Any = None
        for element in _visible(next(iter(root.iter("body")), root)):
            if inside is not None and inside in element.iterancestors():
                continue
            inside = None
            short_text = _short_text(element)
            if short_text is None or not short_text:
                if element.tag != "time":
                    continue
                short_text = ""
            one = self._clock_entry(element, short_text, day)
            if one is not None:
                inside = element
                yield element, one
            elif (heading := clock_times.day_heading(short_text)) is not None:
                day = heading

    def _clock_entry(
        self, element: Any, short_text: str, day: clock_times.StatedDay | None
    ) -> ExtractedEntry | None:
        if element.tag == "time":
            return self._entry_at(element.get("datetime") or short_text, short_text, "", day=day)
        if element.tag == "a" or any(True for _ in element.iter("time")):
            return None
        opening = clock_times.opening(short_text)
        if opening is None:
            ago = clock_times.minutes_ago(short_text)
            at = None if ago is None else self._times.before(ago)
            return None if at is None else ExtractedEntry(clock_minutes=at.hour * 60 + at.minute, moment=at)
        if opening.end < len(short_text):
            return None
        return ExtractedEntry(
            clock_minutes=opening.clock_minutes, day=opening.day or day, is_utc=opening.is_utc
        )

    def _entry_at(
        self, value: str, shown_text: str, text: str, *, day: clock_times.StatedDay | None = None
    ) -> ExtractedEntry | None:
        """Return an entry at a declared time, else at the clock time that the page shows for it."""
        moment = self._moment(value)
        if moment is None:
            shown = clock_times.opening(shown_text) if shown_text else None
            if shown is None:
                return None
            return ExtractedEntry(clock_minutes=shown.clock_minutes, text=text, day=shown.day or day)
        if self._zone is not None:
            moment = moment.astimezone(dates.zone_or_utc(self._zone))
        return ExtractedEntry(clock_minutes=moment.hour * 60 + moment.minute, text=text, moment=moment)

    def _moment(self, value: str) -> dt.datetime | None:
        """Return a declared day with clock time; None for a day alone."""
        published = dates.parse_declared(value[:100], self._zone, self._times.seen)
        if published is None or published.precision != "minute":
            return None
        try:
            stated = dt.datetime.fromisoformat(value.strip())
        except ValueError:
            return published.time
        return published.time if stated.tzinfo is None else stated


def _plain(value: Any) -> str:
    if isinstance(value, list):
        value = "\n".join(part for part in value if isinstance(part, str))
    return html_to_text(value) if isinstance(value, str) else ""


def _joined(headline: str, body: str) -> str:
    if not headline or folded(body).startswith(folded(headline)):
        return body or headline
    return f"{headline}\n{body}" if body else headline


# --- elements ----------------------------------------------------------------------------------------------


def _visible(body: Any) -> Iterator[Any]:
    """Yield the elements of the page's own content, in document order."""
    import lxml.etree

    skipping: Any = None
    for event, element in lxml.etree.iterwalk(body, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        if event == "end":
            skipping = None if skipping is element else skipping
        elif skipping is None:
            if element.tag in _DROPPED:
                skipping = element
            else:
                yield element


def _short_text(element: Any) -> str | None:
    """Return the text of an element with only a few words; None for a larger one."""
    pieces: list[str] = []
    length = 0
    for number, piece in enumerate(element.itertext()):
        length += len(piece.strip())
        if length > _CLOCK_CHARS or number > 12:
            return None
        pieces.append(piece)
    return clean(" ".join("".join(pieces).split()))


def _ancestors(element: Any) -> Iterator[Any]:
    for level, above in enumerate(element.iterancestors()):
        if level >= _CLIMB:
            return
        yield above


def _box(element: Any, holders: Counter[Any]) -> Any:
    """Return the largest element around a clock time that contains no other one."""
    box = element
    for above in _ancestors(element):
        if holders[above] > 1 or above.tag in ("body", "html", "main"):
            break
        box = above
    return box


def _lines(box: Any, without: frozenset[Any]) -> list[str]:
    """Return the paragraphs of an element without its clock times."""
    texts = (clean(text).split() for text in paragraphs_of(box, _DROPPED, _BLOCKS, without))
    return [" ".join(words) for words in texts if words]
