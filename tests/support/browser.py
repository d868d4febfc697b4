"""A real browser for tests of pages, and a visit that writes down what a page asks for."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.support.waiting import PATIENCE_SECONDS

Role = Literal["button", "dialog", "heading", "link", "main", "status"]

CHROMIUM = Path(os.environ.get("AGGREGATOR_CHROMIUM", "/usr/bin/chromium"))


OUTPUT = Path(__file__).parents[1] / "output"


WITHOUT = ("gpu", "background-networking", "component-update", "sync")


ARGUMENTS = ["--headless", "--no-sandbox", *(f"--disable-{one}" for one in WITHOUT)]


DESK: ViewportSize = {"width": 1100, "height": 900}


PHONE: ViewportSize = {"width": 375, "height": 740}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is not there: apt-get install chromium, or set AGGREGATOR_CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=ARGUMENTS
        )
        expect.set_options(timeout=PATIENCE_SECONDS * 1000)
        yield browser
        browser.close()


class Visit:
    """A page that writes down what it asked for and complained about."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.foreign: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._note_request)
        page.on("console", self._note_message)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._note_failure)

    def _note_request(self, request: Request) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.address).netloc:
            self.foreign.append(request.url)

    def _note_failure(self, request: Request) -> None:
        # The page was left before its icon had come
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.url} {request.failure}")

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def go(self, path: str) -> None:
        assert self.page.goto(self.address + path).ok

    def click(self, name: str, role: Role = "button") -> None:
        self.page.get_by_role(role, name=name).click()

    def expect_text(self, role: Role, text: str) -> None:
        expect(self.page.get_by_role(role)).to_contain_text(text)

    def expect_title(self, text: str) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(text)

    def expect_shown(self, role: Role, name: str) -> None:
        expect(self.page.get_by_role(role, name=name)).to_be_visible()

    def keep(self, name: str) -> None:
        OUTPUT.mkdir(exist_ok=True)
        self.page.screenshot(path=str(OUTPUT / f"{name}.png"), full_page=True)

    def assert_quiet(self) -> None:
        assert (self.foreign, self.complaints) == ([], [])

    def assert_accessible(self) -> None:
        """Nothing that axe calls serious or critical."""
        found = Axe().run(self.page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert [
            (one["id"], [node["html"] for node in one["nodes"]]) for one in serious
        ] == []

    def assert_fits_its_width(self) -> None:
        overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert self.page.evaluate(overflow) == 0
