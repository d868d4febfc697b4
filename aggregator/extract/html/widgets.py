"""Furniture inside a sentence: what a page's own boxes leave there when its text is taken.

"President Trump Donald John TrumpSenators balk at long trial Warren goes local MORE said ...": beside a name
stood a box with the full name, headlines about it, and a link "MORE". The name was told; all up to the link
goes.
"""

import re

_LINK = " MORE"
# The name as told, the full name that ends in it again (glued to the first headline or not), headlines, link.
_NAME_BOX = re.compile(
    r"\b(?P<told>(?:[A-Z][\w.'’-]{0,30} ){0,2}(?P<name>[A-Z][\w'’-]{1,30}))"
    r" (?:\(?[A-Z][\w.’'-]{0,30}\)?,? ){1,5}(?P=name)"
    r"(?:(?! MORE\b)[^\n]){0,500} MORE\b"
)


def without_widgets(paragraph: str) -> str:
    """The paragraph without boxes that stood beside a name in it."""
    return _NAME_BOX.sub(lambda box: box["told"], paragraph) if _LINK in paragraph else paragraph
