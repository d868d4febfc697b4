"""Limits for markup before it is parsed, and conversion of HTML fragments to text.

The time of a parser can be quadratic in quantities that the author of a page chooses: the attributes of one tag, the
elements, and the size. So the limits are applied before any parser runs. In addition, the worker has a deadline.
"""

import re
from contextlib import suppress
from functools import cache
from html import escape
from typing import Any

import msgspec

from aggregator.extract.html.inline_text import (
    name_struck,
    remove_readings,
    with_ended_readings,
    write_inline_texts,
)
from aggregator.extract.html.unseen import remove_hidden
from aggregator.extract.language.unicode import clean, clean_markup
from aggregator.text.lines import one_line, word_set

# A longer page is parsed only up to here: 3 MiB (limit)
_MAX_CHARS = 3 * 2**20
# Further elements of a page are cut (limit)
_MAX_ELEMENTS = 20_000
# Further attributes of a tag are dropped (limit: 100,000 took 43 s)
_MAX_ATTRIBUTES = 256
_TAG_START = re.compile(r"<[a-zA-Z]")
# Attributes are counted only if the next tag is farther away than this
_STRETCH_CHARS = 2_000
_LONG_STRETCH = re.compile(rf"<[a-zA-Z][^<]{{{_STRETCH_CHARS},}}")
_ATTRIBUTE = re.compile(
    r"""[^\s"'=<>/]+(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?|(?P<end>>)|["'=/]"""
)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]{0,200}\?>", re.IGNORECASE)
_ENTITIES = re.compile(
    r"&(?:[a-zA-Z][a-zA-Z0-9]{1,31}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});"
)


class BoundedHtml(msgspec.Struct, frozen=True):
    """A page within the limits; `truncated` tells whether its end was cut off."""

    html: str
    truncated: bool


def bound_html(
    html: str,
    *,
    max_chars: int = _MAX_CHARS,
    max_elements: int = _MAX_ELEMENTS,
    max_attributes: int = _MAX_ATTRIBUTES,
) -> BoundedHtml:
    """Cut `html` after `max_chars` characters and `max_elements` elements, and drop further attributes of long tags.

    The defaults are the limits of a page.
    """
    # lxml rejects a str that declares a charset.
    text = with_ended_readings(
        _DECLARATION.sub("", clean_markup(html[:max_chars]), count=1)
    )
    truncated = len(html) > max_chars
    if text.count("<") > max_elements:
        for number, tag in enumerate(_TAG_START.finditer(text)):
            if number == max_elements:
                text = text[: tag.start()]
                truncated = True
                break
    text = _LONG_STRETCH.sub(lambda m: _few_attributes(m.group(), max_attributes), text)
    return BoundedHtml(text, truncated)


def tree_of(html: str) -> Any:
    """Parse a page that is within the limits, without comments; None if it has no tree."""
    import lxml.etree
    import lxml.html

    try:
        root = lxml.html.document_fromstring(html, parser=_parser(keeps_comments=False))
    except (lxml.etree.LxmlError, ValueError, AssertionError):
        return None
    remove_readings(root)
    return root


@cache
def _parser(*, keeps_comments: bool) -> Any:
    """Return a parser whose elements all have the same class.

    The usual look-up by tag calls Python for each visited element, which took a sixth of the CPU of `html_to_text`.
    """
    import lxml.etree
    import lxml.html

    parser = lxml.html.HTMLParser(
        huge_tree=False,
        remove_comments=not keeps_comments,
        remove_pis=not keeps_comments,
    )
    parser.set_element_class_lookup(
        lxml.etree.ElementDefaultClassLookup(element=lxml.html.HtmlElement)
    )
    return parser


def _few_attributes(stretch: str, limit: int) -> str:
    """Return `stretch` (a tag and the text after it) without the attributes past `limit`."""
    cut_at = len(stretch)
    for number, token in enumerate(_ATTRIBUTE.finditer(stretch, 1)):
        if token["end"]:
            return stretch[: min(cut_at, token.start())] + stretch[token.start() :]
        if number == limit:
            cut_at = token.start()
    return stretch if cut_at == len(stretch) else stretch[:cut_at] + ">"


_DROPPED = word_set("""
    script style noscript template iframe object embed svg math head title form button select textarea audio
    video canvas figcaption
""")
_BLOCKS = word_set("""
    p div br li ul ol dl dt dd h1 h2 h3 h4 h5 h6 blockquote table tr section article header footer
    figure pre hr main nav address
""") | {"aside"}
_FRAGMENT_CHARS = 1_048_576
# A picture inside the markup is larger than all words around it
_INLINE_DATA = re.compile(r"data:[a-z]+/[^\"'\s<>]{1000,}")
# Marks where a block begins or ends. The input has no such mark, because `clean` drops it as a noncharacter.
BLOCK_END = "\ufdd0"


def html_to_text(markup: str) -> str:
    """Return the text of an HTML fragment, one paragraph per line, without scripts, forms and captions.

    Text that has entities but no tags is decoded, too. Return "" if nothing remains; never raises.
    """
    return "\n".join(marked_lines(read_fragment(markup).root))


class Fragment(msgspec.Struct, frozen=True):
    """The tree of an HTML fragment within the limits, without the elements that readers do not see.

    `root` is a <div> made around the fragment; None if it could not be parsed.
    """

    root: Any
    is_cut: bool


def read_fragment(markup: str) -> Fragment:
    """Parse an HTML fragment up to the limits; inline pictures (data URLs) are removed first and do not count.

    If the text has neither tags nor entities, each of its lines becomes a paragraph.
    """
    import lxml.etree
    import lxml.html

    if "<" not in markup and not _ENTITIES.search(markup):
        lines = escape(clean(markup)).split("\n")
        markup = f"<p>{'</p><p>'.join(lines)}</p>"
    bounded = bound_html(_INLINE_DATA.sub("", markup), max_chars=_FRAGMENT_CHARS)
    root = None
    with suppress(lxml.etree.LxmlError, ValueError, AssertionError):
        parser = _parser(keeps_comments=True)
        parts: Any = lxml.html.fragments_fromstring(bounded.html, parser=parser)
        root = parser.makeelement("div")
        if parts and isinstance(parts[0], str):
            root.text = parts.pop(0)
        root.extend(parts)
        name_struck(root)
        remove_hidden(root)
    return Fragment(root, bounded.truncated)


def marked_lines(root: Any) -> list[str]:
    """Return the lines of a fragment's text, and change its tree.

    Scripts, forms and captions are removed, blocks get marks at their ends, and elements inside lines their texts.
    """
    import lxml.etree

    if root is None:
        return []
    remove_readings(root)
    lxml.etree.strip_elements(
        root, lxml.etree.Comment, lxml.etree.PI, *_DROPPED, with_tail=False
    )
    write_inline_texts(root)
    for block in root.iter(*_BLOCKS):
        block.text = f"{BLOCK_END}{block.text or ''}"
        block.tail = f"{BLOCK_END}{block.tail or ''}"
    return lines_of(root)


def lines_of(element: Any) -> list[str]:
    """Return the lines of an element between the marks of its blocks."""
    pieces = map(one_line, element.text_content().split(BLOCK_END))
    return list(filter(None, clean("\n".join(pieces)).split("\n")))
