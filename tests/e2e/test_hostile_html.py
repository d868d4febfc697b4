"""Markup that tries to run, on pages of stories in a real browser, with their policy and without."""

from collections.abc import Iterator
from itertools import cycle
from random import Random
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, Route

from aggregator.model.entry import Enclosure, Entry
from aggregator.store.engine.database import Database
from tests.support.articles import record
from tests.support.hostile_html import (
    ALLOWED,
    EVIL,
    HANDLERS,
    RUN,
    addresses,
    vectors,
)
from tests.support.newsroom import Newsroom
from tests.support.tables import rows

pytestmark = pytest.mark.later

A_BODY = 4  # vectors of one article; those that swallow what follows stand alone
ARTICLES = 75  # at least; some of them are in one story
SWALLOWS = tuple(rows("e2e_hostile_html", "swallows"))
COUNT_RUNS = "window.runs = 0; window.fired = () => { window.top.runs += 1 };"
INSPECT = """(allowed) => {
    const wrong = [], boxes = document.querySelectorAll("main div.text");
    const note = (element) => wrong.push(element.outerHTML);
    const refused = new Set(["SCRIPT", "STYLE", "IFRAME", "OBJECT", "EMBED", "FORM", "INPUT", "BUTTON",
        "LINK", "META", "BASE", "TEMPLATE", "NOSCRIPT", "TEXTAREA", "SELECT", "VIDEO", "AUDIO"]);
    for (const box of boxes) {
        for (const element of box.querySelectorAll("*")) {
            const names = element.getAttributeNames();
            if (names.some((name) => !allowed.includes(name))) note(element);
            if (refused.has(element.tagName)) note(element);
            if (element.namespaceURI !== document.body.namespaceURI) note(element);
        }
    }
    for (const element of document.querySelectorAll("*")) {
        for (const {name, value} of element.attributes) {
            if (name.startsWith("on")) note(element);
            if (!["href", "src", "action"].includes(name)) continue;
            if (!["http:", "https:", "mailto:"].includes(new URL(value, location).protocol)) note(element);
        }
    }
    // What left its box would stand, without a class, beside the parts of the page.
    const parts = "body > *, main > *, article.whole > *, section.folded details > *";
    const kept = new Set(["P", "DIV", "H2", "LI", "DD", "A", "B", "I", "S", "IMG", "TABLE", "CODE"]);
    for (const part of document.querySelectorAll(parts))
        if (kept.has(part.tagName) && !part.hasAttribute("class") && !part.closest("div.text")) note(part);
    return {wrong, boxes: boxes.length, runs: window.runs};
}"""


def entries() -> Iterator[Entry]:
    """Each vector as title and author, and in a body; each bad address as link and picture."""
    alone = [vector for vector in vectors() if vector.lstrip().startswith(SWALLOWS)]
    others = [vector for vector in vectors() if vector not in alone]
    bodies = alone + [
        "".join(others[start : start + A_BODY])
        for start in range(0, len(others), A_BODY)
    ]
    places, titles = cycle(addresses()), cycle(vectors())
    for number, body in enumerate(bodies):
        place = next(places)
        yield record(
            f"Outlet {number}",
            str(number),
            " ".join(
                (
                    *(next(titles) for _ in range(4)),
                    words(number)[:60],
                    "\u202egnp.exe",
                    "\u2067",
                )
            ),
            "",
            html=f"<p>{words(number)}</p><h2>Heading</h2>{body}<p>{words(-number - 1)}</p>",
            url=place if number % 2 else f"https://blog.example/{number}",
            enclosures=(
                Enclosure(url=place, type="image/png"),
                Enclosure(url=place, type="audio/mpeg"),
            ),
            published=None,
        )


def words(number: int) -> str:
    """A text that is like no other."""
    drawn = Random(number)
    return " ".join(
        "".join(drawn.choices("abcdefghiklmnoprstuv", k=7)) for _ in range(60)
    )


@pytest.fixture
def room(sqlite: Database) -> Iterator[Newsroom]:
    with Newsroom(sqlite) as opened:
        opened.writer.take(*entries())
        opened.writer.render()
        yield opened


class Watch:
    """What a browser did beside showing a page."""

    def __init__(self, context: BrowserContext, host: str) -> None:
        self.host = host
        self.wrong: list[str] = []
        context.add_init_script(COUNT_RUNS)
        context.route(lambda url: urlsplit(url).netloc != host, self._refuse)
        context.on("dialog", self._note_dialog)
        context.on("page", lambda page: self.wrong.append(f"a window: {page.url}"))

    def _note_dialog(self, dialog: Dialog) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _refuse(self, route: Route, request: Request) -> None:
        name = urlsplit(request.url).hostname or ""
        is_private = name == "127.0.0.1" or "." not in name
        if (
            request.resource_type != "image"
            or is_private
            or "referer" in request.headers
        ):
            self.wrong.append(f"{request.resource_type}: {request.url}")
        route.abort()


@pytest.mark.parametrize(
    "bypass_csp", [False, True], ids=["with the policy", "without"]
)
def test_nothing_of_it_runs_sends_or_leaves_its_box(
    browser: Browser,
    room: Newsroom,
    bypass_csp: bool,
) -> None:
    host = urlsplit(str(room.client.base_url)).netloc
    context = browser.new_context(bypass_csp=bypass_csp)
    page = context.new_page()
    watch = Watch(context, host)
    paths = [f"/stories/{id_}" for id_ in story_ids(room)]
    boxes = sum(
        check_page(page, f"http://{host}{path}", watch)
        for path in ("/", "/sources", *paths)
    )
    assert boxes >= ARTICLES
    context.close()


def test_a_browser_runs_what_is_not_sanitised(
    browser: Browser,
    room: Newsroom,
) -> None:
    """Else the test above would see nothing."""
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    watch = Watch(context, urlsplit(str(room.client.base_url)).netloc)
    page.goto(f"{room.client.base_url}/api")
    markup = f"<iframe src={EVIL}></iframe>" + "".join(HANDLERS).replace("{}", RUN)
    with page.expect_request(lambda request: EVIL in request.url):
        page.evaluate("(html) => { document.body.innerHTML = html }", markup)
    page.wait_for_function("window.runs > 0")
    assert watch.wrong
    assert page.evaluate(INSPECT.replace("main div.text", "body"), [*ALLOWED])["wrong"]
    context.close()


def check_page(page: Page, address: str, watch: Watch) -> int:
    page.goto(address)
    page.evaluate(
        "document.querySelectorAll('details').forEach((details) => { details.open = true })"
    )
    page.mouse.move(200, 300)
    shown = page.evaluate(INSPECT, [*ALLOWED, "class", "open"])
    assert (shown["wrong"], shown["runs"], watch.wrong, page.url) == (
        [],
        0,
        [],
        address,
    )
    assert len(page.frames) == 1
    assert "\u202e" not in page.content()
    return int(shown["boxes"])


def story_ids(room: Newsroom) -> list[str]:
    page = room.read_json("/api/v1/stories?limit=200")
    return [story["id"] for story in page["stories"]]
