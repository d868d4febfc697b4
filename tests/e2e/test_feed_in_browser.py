"""A feed in a browser: readable, by our stylesheet alone."""

import pytest
from playwright.sync_api import Browser

from aggregator.web.server import Server
from aggregator.web.settings import PublishSettings
from tests.e2e.test_pages import browser  # noqa: F401 - a fixture
from tests.support.written_stories import full_reader

pytestmark = pytest.mark.later


def _looked_at(chromium: Browser, address: str) -> tuple[str, list[str], list[str]]:
    page = chromium.new_page()
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: refused.append(message.text))
    page.goto(address)
    shown = page.evaluate("document.documentElement.innerText ?? document.documentElement.textContent")
    hidden = page.evaluate(
        "[...document.querySelectorAll('guid, id, generator, content')]"
        ".filter(e => getComputedStyle(e).display !== 'none').length"
    )
    size = page.evaluate(
        "getComputedStyle(document.querySelector('channel > title, feed > title')).fontWeight"
    )
    page.close()
    assert (hidden, size) == (0, "700"), "our stylesheet is in force"
    return shown, asked, [words for words in refused if "Content Security Policy" in words]


def test_a_browser_shows_a_feed_as_a_page(browser: Browser) -> None:  # noqa: F811 - the fixture
    server = Server(full_reader(), PublishSettings(port=0, title="Morning stories"))
    address = server.start()
    for name in ("stories.rss", "stories.atom"):
        shown, asked, refused = _looked_at(browser, f"{address}/feeds/{name}")
        assert "Morning stories" in shown
        assert all(url.startswith(address) for url in asked)
        assert f"{address}/static/feed.css" in asked
        assert refused == []
    server.stop()
