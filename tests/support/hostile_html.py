"""Markup that tries to run, to send, to hide or to leave its box, by the kinds of public lists.

Each vector calls `fired`, or leads to `evil.example`: a test can see both.
"""

from collections.abc import Iterator
from typing import Any

import lxml.html

from aggregator.extract.html.article_html import article_html
from tests.support.tables import rows

RUN = "fired(1)"
EVIL = "https://evil.example"

_SCRIPT_ADDRESSES = [
    address.replace("RUN", RUN)
    for address in rows("support_hostile_html", "script addresses")
]
_ADDRESS_PLACES = (
    '<a href="{}">x</a>',
    '<img src="{}">',
    '<iframe src="{}"></iframe>',
    '<form action="{}"><button formaction="{}">x</button></form>',
)
_MORE_PLACES = rows("support_hostile_html", "more places")
HANDLERS = rows("support_hostile_html", "handlers")
_MUTATIONS = rows("support_hostile_html", "mutations")
_CARRIED = (
    "<img src=x onerror=fired(1)>",
    "<script>fired(1)</script>",
    "<svg onload=fired(1)>",
)
_HIDING = (
    *rows("support_hostile_html", "hiding"),
    f"<a href=/ok title='{'A' * 5_000}' {'x' * 5_000}=1>x</a>",
)


def vectors() -> Iterator[str]:
    """More than 250 fragments."""
    for address in _SCRIPT_ADDRESSES:
        for place in _ADDRESS_PLACES:
            yield place.replace("{}", address.replace('"', "&quot;"))
    for place in _MORE_PLACES:
        for address in (f"javascript:{RUN}", f"{EVIL}/x"):
            yield place.replace("{}", address)
    for handler in HANDLERS:
        yield handler.replace("{}", RUN)
    for number, mutation in enumerate(_MUTATIONS):
        yield mutation.replace("{}", _CARRIED[number % len(_CARRIED)])
    yield from _HIDING


def addresses() -> Iterator[str]:
    """Addresses of an article, or of its picture, that no page may have."""
    yield from _SCRIPT_ADDRESSES
    yield from (
        "https://user:secret@evil.example/",
        "http://[::1]/",
        "//",
        "https://",
        "http://a b/",
    )
    yield f'https://ok.example/"><script>{RUN}</script>'
    yield f"https://ok.example/'onmouseover='{RUN}"


# --- what is kept of an article ---------------------------------------------------------------------------

HERE = "https://blog.example/2026/11/a-post"


def html_of(markup: str, base: str | None = HERE) -> str:
    kept = article_html(markup, base)
    return "" if kept is None else kept.html


def tree_of(html: str) -> Any:
    return lxml.html.fragment_fromstring(html, create_parent="div")


ALLOWED = set(rows("support_hostile_html", "allowed"))


def check_harmless(html: str) -> None:
    for element in tree_of(html).iter():
        assert element.tag not in {
            "script", "style", "iframe", "object", "embed", "form", "input", "button", "svg", "math", "link",
            "meta", "base", "template", "noscript", "textarea", "video", "audio", "xmp",
        }  # fmt: skip
        assert set(element.attrib) <= ALLOWED, element.attrib
        for name in ("href", "src"):
            if element.get(name) is not None:
                assert element.get(name).startswith(("https://", "http://", "mailto:"))


PAGE = """<html><head><title>How to lay a floor</title></head><body><nav><a href="/">Home</a></nav>
<article><h1>How to lay a floor</h1>
<p>The old floor in the kitchen was <a href="/before">older than the house</a>, and every board of it
creaked when somebody walked to the window at night, so we took it out.</p>
<h2>What we used</h2><ul><li>a saw and a <code>level</code></li><li>twenty boards of larch</li></ul>
<pre><code>boards = width / 0.14
print(boards)
</code></pre>
<p>The boards were laid from the window to the door, with a gap of a finger at the wall, because wood grows in
summer and would lift in the middle of the room if it had no place to go.</p>
<img src="/floor.jpg" alt="The floor"></article><footer>All rights reserved</footer></body></html>"""
