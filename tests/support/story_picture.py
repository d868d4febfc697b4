"""Makes pictures in docs: the front page, with and without pictures, a story and a storyline, as a reader sees them.

    python -m tests.support.story_picture            (make picture)

The samples, and some articles with pictures, are read into a scratch database, served, and photographed by a
real Chromium in light mode. The addresses of the pictures are invented; Chromium gets plain colours for them.
"""

import json
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from playwright.sync_api import Page, Route, sync_playwright

from aggregator.cli.application import main as command_line
from aggregator.config.story_query import StoryFilter
from aggregator.model.story import StoryView
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.web.server import Server
from tests.support.browser import ARGUMENTS, CHROMIUM
from tests.support.services import all_services
from tests.support.tables import rows

REPOSITORY = Path(__file__).parents[2]
STORY_PICTURE = REPOSITORY / "docs" / "story-page.png"
STORYLINE_PICTURE = REPOSITORY / "docs" / "storyline-page.png"
FRONT_PICTURE = REPOSITORY / "docs" / "front-page.png"
WITH_PICTURES = REPOSITORY / "docs" / "front-with-pictures.png"
STORY = "Kestrow"  # the dam failure: six outlets
WIDTH = 1200  # pixels
FRONT_HEIGHT = 955  # pixels: what leads, and the beginning of the list
BELOW = 30  # pixels of air under it
MOST_BYTES = 250_000
PICTURED = rows("story_picture", "pictured")


def _command(*words: str) -> None:
    """Run a command as a person would."""
    try:
        command_line([*words])
    except SystemExit as end:
        if end.code:
            raise


def _read_pictured(database_url: str, folder: Path) -> None:
    """Read articles that have a picture each."""
    lines = []
    for number, (title, _) in enumerate(PICTURED):
        text = (
            f"{title}. Hundreds came to look, and many of them stayed until the evening. "
            * 4
        )
        picture = f"https://pictures.example/{number}.png"
        html = f'<article><h1>{title}</h1><p>{text}</p><img src="{picture}" width="900" height="500"></article>'
        record = {
            "outlet": "Marenholt Courier",
            "url": f"https://courier.example/{number}",
            "title": title,
            "html": html,
            "published": f"2026-11-1{number + 5}T09:00:00Z",
        }
        lines.append(json.dumps(record))
    file = folder / "pictured.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    _command("--database", database_url, "ingest", str(file))


def _png(colour: tuple[int, int, int]) -> bytes:
    """Return a picture of one colour, 9 by 5 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return (
            struct.pack(">I", len(data))
            + checked
            + struct.pack(">I", zlib.crc32(checked))
        )

    rows = (b"\0" + bytes(colour) * 9) * 5
    head = struct.pack(">IIBBBBB", 9, 5, 8, 2, 0, 0, 0)
    parts = (
        chunk(b"IHDR", head),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _answer(route: Route) -> None:
    number = int(route.request.url.rpartition("/")[2].removesuffix(".png"))
    route.fulfill(body=_png(PICTURED[number][1]), content_type="image/png")


def _largest_story(database: Database) -> StoryView:
    found = StoryReader(database).stories(StoryFilter(query=STORY)).stories
    return max(found, key=lambda story: story.article_count)


def _photograph_down_to(page: Page, address: str, last: str, picture: Path) -> None:
    page.goto(address)
    box = page.locator(last).last.bounding_box()
    assert box is not None, f"the page has {last}"
    height = round(box["y"] + box["height"]) + BELOW
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.screenshot(path=str(picture))


def _photograph(page: Page, address: str, height: int, picture: Path) -> None:
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address, wait_until="networkidle")
    page.screenshot(path=str(picture))


def main() -> None:
    """Make the pictures, or end with words about what is missing."""
    if not CHROMIUM.exists():
        sys.exit(
            f"{CHROMIUM} is not there: apt-get install chromium, or set AGGREGATOR_CHROMIUM"
        )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        url = f"sqlite:///{folder}/picture.db"
        _command("--database", url, "ingest", str(REPOSITORY / "examples" / "articles"))
        database = Database(url)
        server = Server(
            StoryReader(database), PublishSettings(port=0), all_services(database)
        )
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=ARGUMENTS
        )
        try:
            address = server.start()
            page = browser.new_page(
                viewport={"width": WIDTH, "height": 900}, color_scheme="light"
            )
            page.route("https://pictures.example/**", _answer)
            _photograph(page, address, FRONT_HEIGHT, FRONT_PICTURE)
            story = _largest_story(database)
            assert story.storyline is not None, "its event has another story"
            _photograph_down_to(
                page, f"{address}/stories/{story.id}", ".folded", STORY_PICTURE
            )
            line = f"{address}/storylines/{story.storyline.id}"
            _photograph_down_to(page, line, "section.day", STORYLINE_PICTURE)
            _read_pictured(url, Path(folder))
            _photograph(page, address, FRONT_HEIGHT, WITH_PICTURES)
        finally:
            browser.close()
            server.stop()
            database.close()
    for picture in (FRONT_PICTURE, STORY_PICTURE, STORYLINE_PICTURE, WITH_PICTURES):
        size = picture.stat().st_size
        if size > MOST_BYTES:
            sys.exit(
                f"{picture} has {size} bytes, more than {MOST_BYTES}: cut it earlier"
            )
        sys.stderr.write(f"{picture.relative_to(REPOSITORY)}: {size} bytes\n")


if __name__ == "__main__":
    main()
