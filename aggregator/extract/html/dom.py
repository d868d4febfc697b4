"""Limits for markup before it is parsed, and conversion of HTML fragments to text.

The time of a parser can be quadratic in values that the author of a page chooses: attributes of one tag,
elements, size. So the limits are applied before any parser runs; in addition the worker has a deadline.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from aggregator.extract.language.unicode import clean
from aggregator.extract.limits import ExtractTuning

_TAG_START = re.compile(r"<[a-zA-Z]")
_LONG_STRETCH = re.compile(r"<[a-zA-Z][^<]{2000,}")
_ATTRIBUTE = re.compile(r"""[^\s"'=<>/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?|(?P<end>>)|["'=/]""")
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>", re.IGNORECASE)
_ENTITIES = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,31}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});")

_REFERENCE = re.compile(r"&#(?:[xX](?P<hex>[0-9a-fA-F]{1,8})|(?P<dec>[0-9]{1,10}));?")
_LAST_CHARACTER = 0x10FFFF
_RETURN = 0x0D


class BoundedHtml(msgspec.Struct, frozen=True):
    """A page within the limits; `truncated`: whether something was cut off."""

    html: str
    truncated: bool


def bound_html(html: str, *, max_chars: int, max_elements: int, max_attributes: int) -> BoundedHtml:
    """Cut `html` to the limits: at `max_chars`, and before element number `max_elements` + 1."""
    text = _DECLARATION.sub(
        "", clean(html[:max_chars]), count=1
    )  # lxml rejects a str that declares a charset
    if "&#" in text:
        text = _REFERENCE.sub(_legal, text)
    truncated = len(html) > max_chars
    if text.count("<") > max_elements:
        for number, tag in enumerate(_TAG_START.finditer(text)):
            if number == max_elements:
                text, truncated = text[: tag.start()], True
                break
    text = _LONG_STRETCH.sub(lambda m: _few_attributes(m.group(), max_attributes), text)
    return BoundedHtml(text, truncated)


def within_limits(html: str, tuning: ExtractTuning) -> BoundedHtml:
    """Cut `html` to the limits of a whole page."""
    return bound_html(
        html,
        max_chars=tuning.max_html_chars,
        max_elements=tuning.max_elements,
        max_attributes=tuning.max_attributes,
    )


def tree_of(html: str) -> Any:
    """Parse a page that is within the limits, without comments; None if it has no tree."""
    import lxml.etree
    import lxml.html

    try:
        return lxml.html.document_fromstring(
            html, parser=lxml.html.HTMLParser(huge_tree=False, remove_comments=True, remove_pis=True)
        )
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return None


def _legal(reference: re.Match[str]) -> str:
    """Return the character reference if its character is allowed, else the cleaned character or "".

    A single reference to a disallowed character would make the parser drop the whole text.
    """
    code = int(reference["hex"], 16) if reference["hex"] else int(reference["dec"])
    if code > _LAST_CHARACTER:
        return ""
    character = chr(code)
    cleaned = clean(character) if code != _RETURN else character
    return reference.group() if cleaned == character else cleaned


def _few_attributes(stretch: str, limit: int) -> str:
    """Return `stretch` (a tag and the text after it) without the attributes past `limit`."""
    cut_at: int | None = None
    for number, token in enumerate(_ATTRIBUTE.finditer(stretch, 1)):
        if token["end"]:
            return stretch if cut_at is None else stretch[:cut_at] + stretch[token.start() :]
        if number == limit:
            cut_at = token.start()
    return stretch if cut_at is None else stretch[:cut_at] + ">"


# --- fragments ---------------------------------------------------------------------------------------------

_DROPPED = frozenset(
    {"script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "math", "head", "title",
     "form", "button", "select", "textarea", "audio", "video", "canvas", "figcaption"}
)  # fmt: skip
_BLOCKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote",
     "table", "tr", "section", "article", "header", "footer", "aside", "figure", "pre", "hr", "main", "nav",
     "address"}
)  # fmt: skip
_FRAGMENT_CHARS = 1_048_576


def html_to_text(fragment: str) -> str:
    """Return the text of an HTML fragment, one paragraph per line, without scripts, forms and captions.

    Also decodes text with entities only. Empty when nothing remains; never raises.
    """
    fragment = clean(fragment)
    if "<" not in fragment and not _ENTITIES.search(fragment):
        return "\n".join(line for line in (" ".join(raw.split()) for raw in fragment.split("\n")) if line)
    limits = bound_html(fragment, max_chars=_FRAGMENT_CHARS, max_elements=20_000, max_attributes=256)
    return "\n".join(_paragraphs(limits.html))


def _paragraphs(html: str) -> Iterator[str]:
    import lxml.etree
    import lxml.html

    try:
        root = lxml.html.fragment_fromstring(html, create_parent="div")
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return
    pieces: list[str] = []
    for text in _texts(root):
        if text is None:
            paragraph = " ".join("".join(pieces).split())
            pieces.clear()
            if paragraph:
                yield clean(paragraph)
        else:
            pieces.append(text)


def _texts(root: object) -> Iterator[str | None]:
    """Yield text in document order, and None at the end of a paragraph; not recursive, for any depth."""
    import lxml.etree

    skipping: object = None
    for event, element in lxml.etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        tag = element.tag if isinstance(element.tag, str) else None
        if event == "start" and tag is not None:
            if skipping is None and tag in _DROPPED:
                skipping = element
            if skipping is None:
                if tag in _BLOCKS:
                    yield None
                yield element.text or ""
        else:
            if skipping is None and tag in _BLOCKS:
                yield None
            if skipping is element:
                skipping = None
            if skipping is None and element is not root:
                yield element.tail or ""
    yield None
