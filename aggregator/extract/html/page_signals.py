"""Signals of a page besides its text: visible lines, which of them are links, rows of cards, password fields.

The signals are read only if the extracted text is short, because reading them parses the page again.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import msgspec

from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.dom import bound_html, tree_of
from aggregator.extract.language.unicode import clean
from aggregator.model.structs import FrozenStruct
from aggregator.text.lines import count_words, letters_of, one_line, word_set

_HIDDEN = word_set("""
    script style template svg math head title select option textarea audio video canvas iframe object nav
    footer
""")
_INLINE = word_set(
    "a abbr b bdi cite code em font i label mark q s small span strong sub sup time u wbr"
)
_HEADINGS = word_set("h1 h2 h3 h4 h5 h6")
_MOST_LINES = 3_000
# A line is a link if at least this share of its characters stands in links
_LINK_SHARE = 0.8


class VisibleLine(msgspec.Struct, frozen=True):
    """A line that visitors see, or a part of a line between two tags."""

    text: str
    is_link: bool = False
    is_heading: bool = False


class PageSignals(FrozenStruct):
    """Signals of a page besides its text."""

    lines: tuple[VisibleLine, ...] = ()  # without <nav> and <footer>
    # The number of cards (a linked headline and a few words) in the row with the most cards
    cards: int = 0
    # Letters and digits of the lines in rows with enough cards to be a list
    card_texts: frozenset[str] = frozenset()
    asks_password: bool = False


def read_page_signals(html: str, tuning: ExtractTuning) -> PageSignals:
    """Read the signals of `html`; return empty ones if nothing can be parsed."""
    root = tree_of(bound_html(html).html)
    if root is None:
        return PageSignals()
    lines: list[VisibleLine] = []
    pieces: list[VisibleLine] = []
    for piece in chain(_pieces(root), (None,)):
        if piece is not None:
            pieces.append(piece)
            continue
        text = one_line(clean("".join(part.text for part in pieces)))
        if any(map(str.isalnum, text)):
            links = [part.text for part in pieces if part.is_link]
            linked = len("".join("".join(links).split()))
            is_link = linked >= _LINK_SHARE * len("".join(text.split()))
            is_heading = any(part.is_heading for part in pieces)
            lines.append(VisibleLine(text, is_link, is_heading))
        pieces = []
        if len(lines) == _MOST_LINES:
            break
    rows = list(_rows(lines, tuning))
    card_texts = set()
    for row in rows:
        if row.count(None) >= tuning.list_cards:
            card_texts.update(row)
    return PageSignals(
        lines=tuple(lines),
        cards=max((row.count(None) for row in rows), default=0),
        card_texts=frozenset(filter(None, card_texts)),
        asks_password=any(
            (field.get("type") or "").strip().lower() == "password"
            for field in root.iter("input")
        ),
    )


def _pieces(root: Any) -> Iterator[VisibleLine | None]:
    """Yield the visible texts, and None where a block begins or ends; works at any depth, without recursion."""
    import lxml.etree

    hidden: Any = None
    in_link = in_heading = 0
    for event, element in lxml.etree.iterwalk(root, events=("start", "end")):
        # Comments and processing instructions are invisible, like scripts.
        tag = element.tag if isinstance(element.tag, str) else "script"
        if hidden is None and tag not in _INLINE:
            yield None
        step = 1 if event == "start" else -1
        in_link += step * (tag == "a")
        in_heading += step * (tag in _HEADINGS)
        if event == "start":
            text = element.text
            if hidden is None and tag in _HIDDEN:
                hidden = element
        else:
            text = element.tail
            if hidden is element:
                hidden = None
        if text and hidden is None:
            yield VisibleLine(text, in_link > 0, in_heading > 0)


def _rows(
    lines: Sequence[VisibleLine], tuning: ExtractTuning
) -> Iterator[list[str | None]]:
    """Yield rows of cards: the letters of their lines, with None before each linked headline.

    A row ends at a long heading that is not a link, and at text that is too long for a card.
    """
    row = []
    under: list[str] = []
    for line in lines:
        words = count_words(line.text)
        if line.is_link and words >= tuning.headline_words:
            row += [*under, None, letters_of(line.text)]
            under = []
        elif row and not line.is_link:
            under.append(letters_of(line.text))
            is_card = (
                words <= tuning.nearly_empty_words and len(under) <= tuning.card_lines
            )
            if not is_card or (line.is_heading and words >= tuning.headline_words):
                yield row
                row = []
                under = []
    yield [*row, *under]
