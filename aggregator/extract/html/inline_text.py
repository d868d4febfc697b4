"""What the elements inside a line become in text, in one table for pages, feeds and mail.

Without it, struck words would be read as facts, 10⁶ would become 106, and the mark of a footnote a digit of its word.
Elements that are not in the table keep their text: <ins>, <abbr>, <mark>, <i> ... The markup that people read as it
was written is not changed by this module, except that all struck words become <s>.
"""

import re
from collections.abc import Callable
from typing import Any

from aggregator.text.lines import word_set

# The readings of a <ruby> stand above its characters, so their text is not part of the line.
_READINGS = ("rt", "rp", "rtc")
_PART_OF_RUBY = re.compile(r"<(?=r(?:t|p|b|tc)\b)", re.IGNORECASE)
_STRUCK_BY_STYLE = "descendant::*[contains(@style, 'line-through')]"
_INLINE = word_set("span font b i em strong u a small big label strike")
_DIGITS = str.maketrans("0123456789+-−–=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁼⁽⁾ⁿ")
_LOW_DIGITS = str.maketrans("0123456789+-−–=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₋₌₍₎")
_EXPONENT = re.compile(r"[+−–-]?(?:\d{1,3}|n)")
# What stands above a line after a word and is not its exponent: "1", "[1]", "a)", "*", "[citation needed]"
_FOOTNOTE = re.compile(
    r"\W*\d{1,3}(?:\s?[,–-]\s?\d{1,3})*\W*|\[[^\[\]]{1,30}\]|[*†‡§¶↩\s]+"
)
_LINKED_FOOTNOTE = re.compile(r"\W*(?:\d{1,3}|[a-z])?\W*")
# Numbers and units that have an exponent: "10", "m", "km", "(a + b)", a letter of a formula; not "2019"
_WITH_EXPONENT = re.compile(
    r"(?:(?<![\w.,])(?!(?:1[5-9]|20)\d\d$)\d[\d.,]*|(?<![^\W\d_])(?:[a-zA-Zα-ωΔ]|[cdkmµ]m|ft|yd|mi|mc|in|sec)|\))$"
)
# A picture of a sign has it as its text; longer texts describe pictures.
_SIGN_CHARS = 8
# This much of the text before an element tells whether it has an exponent.
_CHARS_BEFORE = 24
_QUOTES = "“„«‹「『\"'‘"


def _nothing(_text: str, _before: str) -> str:
    return ""


def _raised(text: str, before: str) -> str:
    """Return an exponent in raised digits, nothing for the mark of a footnote, and other text ("1st") unchanged."""
    raised = text.strip()
    if _EXPONENT.fullmatch(raised) and _WITH_EXPONENT.search(before):
        return raised.translate(_DIGITS)
    return "" if _FOOTNOTE.fullmatch(text) else text


def _lowered(text: str, before: str) -> str:
    """Return a number below a number in lowered digits, and other text unchanged: CO2, as most outlets write it."""
    is_base = before[-1:].isdigit() and text.strip().isdigit()
    return text.strip().translate(_LOW_DIGITS) if is_base else text


def _quoted(text: str, _before: str) -> str:
    """Return the text in the quotation marks that browsers show around a <q>."""
    has_marks = text.lstrip()[:1] in _QUOTES
    return text if has_marks or not text.strip() else f"“{text}”"


# By element: what its text becomes, given the text before it in its line
INLINE_TEXTS: dict[str, Callable[[str, str], str]] = {
    "del": _nothing,
    "s": _nothing,
    "strike": _nothing,
    "sup": _raised,
    "sub": _lowered,
    "q": _quoted,
}
_STRUCK = tuple(tag for tag, text_of in INLINE_TEXTS.items() if text_of is _nothing)
_NOT_STRUCK = " and ".join(f"not(ancestor::{tag})" for tag in _STRUCK)
_HAS_OTHER_WORDS = f"boolean(descendant::text()[normalize-space() and {_NOT_STRUCK}])"
# A title is a text, whose few elements are found without a parser.
_IN_TITLE = re.compile(
    rf"<(?P<tag>{'|'.join(INLINE_TEXTS)})(?:\s[^<>]{{0,500}})?>(?P<text>[^<>]{{0,300}})</(?P=tag)>",
    re.IGNORECASE,
)


def has_inline_texts(root: Any) -> bool:
    """Return whether `write_inline_texts` would change a tree."""
    elements = root.iter("img", "a", *INLINE_TEXTS)
    return any(_text_of(element) is not None for element in elements)


def write_inline_texts(root: Any) -> None:
    """Give each element of the table, each picture of a sign and each mark of a footnote its text.

    Struck words stay if the tree has no others, because a text that is struck as a whole would be lost.
    """
    import lxml.etree

    if root.xpath(_HAS_OTHER_WORDS):
        lxml.etree.strip_elements(root, *_STRUCK, with_tail=False)
    for element in list(root.iter("img", "a", "sup", "sub", "q")):
        text = _text_of(element)
        if text is not None:
            del element[:]
            element.text = text
            element.tag = "font"  # no reader of pages puts spaces around it


def _text_of(element: Any) -> str | None:
    """Return the text that an element gets; None if its own text stays."""
    if element.tag == "img":
        sign = (element.get("alt") or "").strip()
        is_sign = 0 < len(sign) <= _SIGN_CHARS and not any(map(str.isalnum, sign))
        return sign if is_sign else None
    links = [link for link in element.iter("a") if (link.get("href") or "")[:1] == "#"]
    if element.tag == "a" and not links:
        return None
    text: str = element.text_content()
    if links and element.tag in ("a", "sup") and _LINKED_FOOTNOTE.fullmatch(text):
        return ""
    if element.tag == "a":
        return None
    written = INLINE_TEXTS[element.tag](text, _text_before(element))
    # The library for pages loses the words behind a <q>, so it never gets one.
    return None if written == text and element.tag != "q" else written


def _text_before(element: Any) -> str:
    """Return the end of the text before an element in its line; "" if it is unknown."""
    previous = element.getprevious()
    while (
        previous is None
        and element.getparent() is not None
        and not element.getparent().text
    ):
        element = element.getparent()
        previous = element.getprevious()
    if previous is None:
        parent = element.getparent()
        return "" if parent is None else parent.text[-_CHARS_BEFORE:]
    return f"{previous.text_content()}{previous.tail or ''}"[-_CHARS_BEFORE:]


def with_inline_texts(title: str) -> str:
    """Return a title, which may have markup, with the texts of its elements of the table."""
    if "</" not in title:
        return title

    def read(found: re.Match[str]) -> str:
        before = title[: found.start()][-_CHARS_BEFORE:]
        return INLINE_TEXTS[found["tag"].lower()](found["text"], before)

    return _IN_TITLE.sub(read, title)


def name_struck(root: Any) -> None:
    """Turn all inline elements whose words are struck into <s>, which readers of the markup see struck, too."""
    for element in [*root.iter("strike"), *root.xpath(_STRUCK_BY_STYLE)]:
        if element.tag in _INLINE:
            element.tag = "s"


def with_ended_readings(html: str) -> str:
    """Return HTML with end tags before each part of a <ruby>, because authors may leave them out.

    Parsers of HTML 4 would otherwise put the next part, and the next character, into the part before.
    """
    if "<ruby" not in html and "<RUBY" not in html:
        return html
    return _PART_OF_RUBY.sub("</rt></rp></rb><", html)


def remove_readings(root: Any) -> None:
    """Remove the readings of a <ruby> from the tree `root`, and join the characters below them."""
    import lxml.etree

    lxml.etree.strip_elements(root, *_READINGS, with_tail=False)
    lxml.etree.strip_tags(root, "ruby", "rb")
