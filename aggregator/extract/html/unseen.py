"""Removes text that readers do not see: elements hidden by styles.

Style sheets are not fetched, so classes are recognised by their usual names. An element with a large part of the text
stays, because it is only hidden until a script has run.
"""

import re
from collections import Counter
from typing import Any

from aggregator.extract.html.boxes import hyphenated, take_out
from aggregator.text.lines import word_set

_HIDING = word_set("hidden style aria-hidden")
# Classes that may hide something contain one of these
_PART_OF_CLASS = re.compile(
    "hid|Hid|sr|creen|none|visible|assist|a11y|reader|preheader|rint"
)
_TEXTS = (
    "descendant::text()[string-length() > 24][not(parent::script or parent::style)]"
)
_HIDDEN = re.compile(
    # Classes of style sheets that hide an element on every screen
    r"(?:is-|u-|uk-)?hidden|hide|d-none|display-none|invisible|"
    # Classes of elements that are only for screen readers, printers or the lists of mail programs, perhaps with the
    # prefix of a framework and the number of a build
    r"(?!not-)(?:[a-z\d]+--?){0,2}(?:"
    r"sr-?only|sr-text|(?:visually|accessibly)-?hid(?:den|e)|hid(?:den|e)-?visually|hidden-accessible|"
    r"screen-?readers?(?:-?(?:only|text))?|(?:for|show-for)-(?:sr|print|screen-?readers?)|reader-only|"
    r"a11y-(?:only|hidden)|assistive-text|element-(?:invisible|hidden)|off-?screen|preheader|"
    r"print-?only|only-?print|visible-print)"
    r"(?:-?(?:text|focusable|element|content|label|block|inline))?(?:--?[a-z-]*\d[a-z\d-]*)?"
)
_SIZE = r"(?:xs|sm|md|lg|xl|xxl|2xl|small|medium|large|mobile|phone|tablet|desktop)"
# Classes that hide an element only on screens of one size
_ONE_SIZE = re.compile(
    rf"{_SIZE}[:@].*|(?:d|u|show|visible|display|hidden|hide|block|inline|flex)-(?:[a-z]+-){{0,4}}{_SIZE}(?:-.*)?"
)
_NO_SIZE = r"(?:max-)?(?:height|width):[01](?:px)?(?![.\d%])"
_STYLE = re.compile(
    rf"^(?=(?:.*;)?{_NO_SIZE})(?=(?:.*;)?overflow:hidden)|"
    r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|mso-hide:all|opacity:0(?:\.0+)?(?![.\d])|"
    r"font-size:0(?![.\d])|(?:left|top|right|bottom|text-indent|margin(?:-left|-top)?):-(?:\d{4}|\d{3}r?em)|"
    r"transform:(?:scale\(0\)|translate[xy]?\(-(?:999|\d{5}))|"
    r"clip:rect\((?:[01](?:px)?,?){4}\)|clip-path:(?:inset\((?:50|100)%|circle\(0))"
)
# Only the beginning of a style is looked at
_STYLE_CHARS = 500
# Hidden elements may have at most this share of the letters in long texts together (chosen)
_LARGE_SHARE = 1 / 3
# This many letters may always be hidden, unless they are more than half of the text (chosen)
_NO_ARTICLE = 200


def remove_hidden(root: Any) -> None:
    """Remove the elements that readers do not see from the tree `root`.

    The other elements lose the attributes that would make the library take them for hidden.
    """
    import lxml.etree

    marked = list(filter(_may_be_hidden, root.iterdescendants()))
    hidden = list(filter(_is_hidden, marked))
    if hidden:
        texts = Counter(root.xpath(_TEXTS))
        letters = sum(map(len, texts))
        limit = max(_LARGE_SHARE * letters, min(_NO_ARTICLE, letters / 2))
        # The outermost hidden elements with little text that is only seen there
        removed = []
        inside = set()
        lost = 0
        for element in hidden:
            if element in inside:
                continue
            its_texts = Counter(element.xpath(_TEXTS))
            its_loss = sum(
                len(text) for text, count in its_texts.items() if texts[text] == count
            )
            if its_loss <= limit:
                removed.append(element)
                inside.update(element.iterdescendants())
                texts -= its_texts
                lost += its_loss
        # If together they have much of the text, they stay: they may be paragraphs that fade in one by one.
        if lost <= limit:
            take_out(root, removed)
    if marked:
        lxml.etree.strip_attributes(root, *_HIDING)
    for element in marked:
        names = element.get("class") or ""
        if "hid" in names:
            element.set(
                "class", " ".join(name for name in names.split() if "hid" not in name)
            )


def _may_be_hidden(element: Any) -> bool:
    """Return whether an element has a mark of hidden elements. XPath would take three times as long to find them."""
    names = element.keys()
    if not _HIDING.isdisjoint(names) or element.tag == "template":
        return True
    return "class" in names and _PART_OF_CLASS.search(element.get("class")) is not None


def _is_hidden(element: Any) -> bool:
    if (
        element.tag == "template"
        or element.get("hidden", "until-found").lower() != "until-found"
    ):
        return True
    style = "".join(element.get("style", "")[:_STYLE_CHARS].lower().split())
    if style and _STYLE.search(style):
        return True
    names = hyphenated(element.get("class", "")).replace("_", "-").split()
    return any(map(_HIDDEN.fullmatch, names)) and not any(
        map(_ONE_SIZE.fullmatch, names)
    )
