"""Reading by keys and marking stories, in a real browser, and without scripts by the same forms."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from aggregator.model.read_model import SourceView
from aggregator.publish.output_settings import PublishSettings
from aggregator.web.pages.visitor import COOKIE
from aggregator.web.server import Server
from tests.support.browser import DESK, PHONE, Visit
from tests.support.services import all_services
from tests.support.written_stories import MORNING, filled_reader

NEWEST = "/?view=newest"
FROST, MUSEUM = (
    "Late frost spares the pear harvest",
    "Museum returns two bronze figures",
)


@pytest.fixture
def address() -> Iterator[str]:
    reader = filled_reader()
    reader.set_sources(
        *(
            SourceView(id=name, name=name, folder="Crafts")
            for name in ("The-Kiln", "City-Notes")
        )
    )
    server = Server(
        reader,
        PublishSettings(port=0),
        all_services(reader.database, lambda: MORNING),
    )
    yield server.start()
    server.stop()


@pytest.fixture
def visit(browser: Browser, address: str) -> Iterator[Visit]:
    context = browser.new_context(viewport=DESK)
    yield Visit(context.new_page(), address)
    context.close()


def press(page: Page, *keys: str) -> None:
    page.wait_for_load_state()  # keys are heard from then on
    for key in keys:
        page.keyboard.press(key)


def story(page: Page, title: str) -> Locator:
    return page.locator(".story").filter(
        has=page.get_by_role("link", name=title, exact=False)
    )


def heading(page: Page, title: str) -> Locator:
    return page.get_by_role("heading", level=1, name=title)


@pytest.mark.later
def test_a_morning_by_keys_alone(visit: Visit) -> None:
    """Down the list, open, on to the next, back to the same place; what was opened is read."""
    page = visit.page
    visit.go(NEWEST)
    press(page, "j", "j")
    expect(story(page, FROST).get_by_role("link", name=FROST).first).to_be_focused()
    press(page, "o")
    expect(heading(page, FROST)).to_be_visible()
    visit.expect_shown("button", "Mark unread")
    press(page, "j")
    expect(heading(page, MUSEUM)).to_be_visible()
    visit.expect_shown("button", "Mark unread")
    press(page, "s")
    visit.expect_shown("button", "Remove from saved")
    press(page, "k")
    expect(heading(page, FROST)).to_be_visible()
    press(page, "j")
    expect(heading(page, MUSEUM)).to_be_visible()
    press(page, "u")
    page.wait_for_url(f"**{NEWEST}#s-*")
    assert page.locator(".story.is-read").count() == 2
    assert page.locator(".story.is-saved").count() == 1
    press(page, "j")
    expect(
        story(page, "Ferry with 212").get_by_role("link", name="Ferry with 212").first
    ).to_be_focused()
    visit.keep("marked-light")
    visit.assert_accessible()
    visit.assert_quiet()


@pytest.mark.later
def test_keys_mark_the_story_that_has_the_focus(visit: Visit) -> None:
    page = visit.page
    visit.go(NEWEST)
    press(page, "j", "j", "m")
    expect(story(page, FROST)).to_have_class("story is-read")
    press(page, "m", "s")
    expect(story(page, FROST)).to_have_class("story is-saved")
    expect(story(page, FROST).get_by_role("link", name=FROST).first).to_be_focused()
    press(page, "s")
    expect(story(page, FROST)).to_have_class("story")
    visit.go(NEWEST)
    expect(story(page, FROST)).to_have_class("story")
    press(page, "j", "m", "j", "s")
    expect(page.locator(".is-saved")).to_have_count(1)
    visit.go("/?view=saved")
    assert page.locator(".story h3").all_inner_texts() == [FROST]
    visit.go("/?view=unread")
    count = page.locator(".story").count()
    press(page, "A")
    expect(heading(page, "Unread stories")).to_be_attached()
    expect(page.get_by_text("All stories are read")).to_be_visible()
    assert count > 5
    visit.assert_quiet()


def test_the_original_opens_beside(visit: Visit) -> None:
    page = visit.page
    visit.page.context.route(
        "https://*.example/**", lambda route: route.fulfill(body="the original")
    )
    visit.go(NEWEST)
    press(page, "j", "j")
    with page.context.expect_page() as opened:
        press(page, "v")
    assert opened.value.url.startswith("https://harbour-post.example/")
    expect(story(page, FROST)).to_have_class("story is-read")
    visit.assert_quiet()


def test_a_button_marks_without_leaving_the_page_and_keeps_the_focus(
    visit: Visit,
) -> None:
    page = visit.page
    visit.go(NEWEST)
    story(page, FROST).get_by_role("button", name="Mark read").focus()
    press(page, "Enter")
    expect(story(page, FROST).get_by_role("button", name="Mark unread")).to_be_focused()
    page.go_forward()
    assert page.url.endswith(NEWEST)
    visit.assert_quiet()


@pytest.mark.later
def test_sections_of_folders_are_accessible_and_fit_a_phone(
    browser: Browser,
    address: str,
) -> None:
    for name, size in (("desk", DESK), ("phone", PHONE)):
        context = browser.new_context(viewport=size)
        visit = Visit(context.new_page(), address)
        visit.go("/")
        headings = visit.page.locator(".group h2").all_inner_texts()
        assert headings == ["Crafts", "Other stories"], "those of the coast lead"
        visit.keep(f"sections-{name}")
        visit.assert_fits_its_width()
        visit.assert_accessible()
        visit.page.get_by_role("heading", name="Crafts").get_by_role("link").click()
        expect(visit.page).to_have_title("Stories: Crafts")
        visit.assert_quiet()
        context.close()


@pytest.mark.later
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_came_since_the_last_visit_stands_above_a_line(
    browser: Browser,
    address: str,
    scheme: Literal["light", "dark"],
) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    seen = int((MORNING - timedelta(hours=20)).timestamp())
    context.add_cookies([{"name": COOKIE, "value": f":{seen}", "url": address}])
    visit = Visit(context.new_page(), address)
    visit.go(NEWEST)
    line = visit.page.locator(
        ".last-visit", has_text="Above: new since your last visit"
    )
    expect(line).to_have_count(1)
    below = line.locator("xpath=following-sibling::*[1]")
    expect(below.get_by_role("heading")).to_have_text(
        "Potters’ guild elects its first president from the south"
    )
    visit.keep(f"last-visit-{scheme}")
    visit.assert_fits_its_width()
    visit.assert_accessible()
    visit.assert_quiet()
    context.close()
