"""Makes docs/front-page.png and docs/story-page.png: the samples, as a reader sees them.

    python -m tests.support.story_picture            (make picture)

The samples are read into a scratch database, served, and photographed by a real Chromium in light mode.
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from aggregator.cli.app import main as command_line
from aggregator.model.read_model import StoryFilter
from aggregator.publish.settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.server import Server
from tests.e2e.test_pages import ARGUMENTS, CHROMIUM

REPOSITORY = Path(__file__).parents[2]
STORY_PICTURE = REPOSITORY / "docs" / "story-page.png"
FRONT_PICTURE = REPOSITORY / "docs" / "front-page.png"
STORY = "Kestrow"  # the dam failure: six outlets
WIDTH = 1200  # pixels
FRONT_HEIGHT = 1050  # pixels: what leads, and the beginning of the list
BELOW = 30  # pixels of air under it
MOST_BYTES = 250_000


def _read_samples(database_url: str) -> None:
    """As a person would: aggregator ingest examples/articles."""
    try:
        command_line(
            [
                "--database",
                database_url,
                "ingest",
                str(REPOSITORY / "examples" / "articles"),
            ]
        )
    except SystemExit as end:
        if end.code:
            raise


def _largest_story(database: Database) -> str:
    found = StoryReader(database).stories(StoryFilter(query=STORY)).stories
    return max(found, key=lambda story: story.article_count).id


def _photograph_story(page: Page, address: str) -> None:
    page.goto(address)
    last = page.locator(".folded").bounding_box()
    assert last is not None, "the page has folded texts"
    height = round(last["y"] + last["height"]) + BELOW
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.screenshot(path=str(STORY_PICTURE))


def _photograph_front(page: Page, address: str) -> None:
    page.goto(address)
    page.set_viewport_size({"width": WIDTH, "height": FRONT_HEIGHT})
    page.screenshot(path=str(FRONT_PICTURE))


def main() -> None:
    """Make the pictures, or end with words about what is missing."""
    if not CHROMIUM.exists():
        sys.exit(
            f"{CHROMIUM} is not there: apt-get install chromium, or set AGGREGATOR_CHROMIUM"
        )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = f"sqlite:///{folder}/picture.db"
        _read_samples(url)
        database = Database(url)
        server = Server(StoryReader(database), PublishSettings(port=0))
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=ARGUMENTS
        )
        try:
            address = server.start()
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 900}, color_scheme="light"
            )
            _photograph_front(page, address)
            _photograph_story(page, f"{address}/stories/{_largest_story(database)}")
        finally:
            browser.close()
            server.stop()
            database.close()
    for picture in (FRONT_PICTURE, STORY_PICTURE):
        size = picture.stat().st_size
        if size > MOST_BYTES:
            sys.exit(
                f"{picture} has {size} bytes, more than {MOST_BYTES}: cut it earlier"
            )
        sys.stderr.write(f"{picture.relative_to(REPOSITORY)}: {size} bytes\n")


if __name__ == "__main__":
    main()
