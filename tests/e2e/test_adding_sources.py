"""Sources without a terminal: from an empty database to the first merged story, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE
from tests.support.browser import DESK, PHONE, Visit
from tests.support.daemon_process import DaemonProcess
from tests.support.loopback import LoopbackServer, Response

pytestmark = pytest.mark.later

REPORTS = {
    "Arrel Courier": [("Levee on the Arrel breaks in Pennmouth", FLOOD)],
    "Calmouth Post": [("Pennmouth under water after levee fails", FLOOD_ELSEWHERE)],
    "Sennick Echo": [("Dockers strike in Sennick", STRIKE)],
}


@pytest.fixture
def outlets() -> Iterator[dict[str, LoopbackServer]]:
    """Outlets with a feed each, which their front page declares; their articles have their whole text."""
    made = {name: LoopbackServer() for name in REPORTS}
    for name, server in made.items():
        server.__enter__()
        items = "".join(
            f"<item><title>{title}</title><link>{server.url(f'/{n}')}</link><description>{text}</description>"
            f"<pubDate>Sun, 22 Nov 2026 0{n}:30:00 GMT</pubDate></item>"
            for n, (title, text) in enumerate(REPORTS[name], 1)
        )
        feed = (
            f"<rss version='2.0'><channel><title>{name}</title>{items}</channel></rss>"
        )
        linked = '<link rel="alternate" type="application/rss+xml" href="/feed" title="News &lt;b&gt;">'
        also = '<link rel="alternate" type="application/rss+xml" href="/more/feed" title="More">'
        server.routes |= {
            "/": Response(
                body=f"<html><head>{linked}{also}</head></html>",
                content_type="text/html",
            ),
            "/feed": Response(body=feed, content_type="application/rss+xml"),
            "/more/feed": Response(body=feed, content_type="application/rss+xml"),
        }
    yield made
    for server in made.values():
        server.__exit__(None, None, None)


@pytest.mark.parametrize("color", ["light", "dark"])
def test_from_an_empty_database_to_the_first_merged_story(
    browser: Browser,
    outlets: dict[str, LoopbackServer],
    tmp_path: Path,
    color: str,
) -> None:
    courier, post, echo = outlets.values()
    with DaemonProcess(tmp_path, {"fetch": {"pages": "never"}}) as daemon:
        scripts = color == "light"  # nothing of this needs them
        context = browser.new_context(
            viewport=DESK if scripts else PHONE,
            java_script_enabled=scripts,
            color_scheme=color,
        )
        visit = Visit(page := context.new_page(), daemon.address)

        def look(name: str) -> None:
            visit.keep(f"{name}-{color}")
            if scripts:
                visit.assert_accessible()
            visit.assert_fits_its_width()

        visit.go("/")
        visit.expect_title("No stories yet")
        look("first-run")
        page.get_by_label("Address of a feed or a website").fill(
            courier.url("/").removeprefix("http://")
        )
        visit.click("Preview")
        visit.expect_text("main", "Levee on the Arrel breaks")
        visit.expect_shown("button", "More")
        look("source-preview")
        page.get_by_label("Folder").fill("Rivers")
        visit.click("Add")
        visit.expect_text("status", "Arrel Courier was added")
        look("source-added")

        page.get_by_label("Address of a feed or a website").fill(post.url("/feed"))
        visit.click("Preview")
        visit.click("Add")
        visit.expect_text("status", "Calmouth Post was added")

        (tmp_path / "list.opml").write_text(
            f'<opml><body><outline text="Ports"><outline text="Echo" xmlUrl="{echo.url("/feed")}"/></outline>'
            f'<outline xmlUrl="{post.url("/feed")}"/><outline xmlUrl="{courier.url("/feed")}"/></body></opml>'
        )
        page.get_by_label("OPML file").set_input_files(tmp_path / "list.opml")
        visit.click("Import")
        visit.expect_text("status", "1 feed added, 2 already known")

        daemon.wait_for(
            lambda: any(one["report_count"] == 2 for one in daemon.stories()),
            "one story of two",
        )
        visit.go("/")
        story = page.get_by_role("link", name="evee").first
        visit.expect_text("main", "2 outlets")
        story.click()
        visit.expect_text("main", "Arrel Courier")
        visit.expect_text("main", "Calmouth Post")

        visit.click("Sources", "link")
        page.get_by_role("link", name="Echo", exact=True).click()
        page.get_by_text("Change this source").click()
        page.get_by_label("Name").fill("The <Echo>")
        visit.click("Save")
        visit.expect_title("The <Echo>")
        look("source")
        for button, is_paused in (("Pause", True), ("Resume", False), ("Pause", True)):
            visit.click(button)
            expect(page.locator(".mark.paused")).to_have_count(1 if is_paused else 0)
        visit.click("All sources", "link")
        expect(page.get_by_role("row", name="The <Echo>")).to_contain_text("paused")
        with page.expect_download() as waiting:
            visit.click("Export as OPML", "link")
        assert echo.url("/feed") in waiting.value.path().read_text()
        page.get_by_role("link", name="The <Echo>", exact=True).click()
        page.get_by_text("Change this source").click()
        visit.click("Remove")
        visit.expect_text("status", "removed")
        assert set(daemon.sources()) == {"Arrel Courier", "Calmouth Post"}

        page.get_by_label("Address of a feed or a website").fill(
            "http://169.254.169.254/feed"
        )
        visit.click("Preview")
        visit.expect_title("Not possible")
        visit.expect_text("main", "not on the public internet")
        complaint = "Failed to load resource: the server responded with a status of 409 (Conflict)"
        assert [one for one in visit.complaints if one != complaint] == []
        assert visit.foreign == []
        context.close()
