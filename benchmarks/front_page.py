"""What it costs to lay out and write a front page: thirty stories of one to nine outlets, no database.

python -m benchmarks.front_page

Prints processor time, so that other work on the machine counts little.
"""

import datetime as dt
import time

from aggregator.model.read_model import StoryListItem
from aggregator.web.filters import parse_filter
from aggregator.web.jinja import environment
from aggregator.web.pages.pages import arranged, feed_links
from aggregator.web.settings import PublishSettings

STORIES = 30
RUNS = 100
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
SUMMARY = (
    "A ferry carrying 212 passengers ran aground off Lind island on Thursday evening in dense fog, and all "
    "of them were taken off by lifeboats before midnight, the coastguard said. "
) * 2


def story(number: int) -> StoryListItem:
    """An invented one."""
    outlets = tuple(f"Outlet {n}" for n in range(1 + number % 9))
    return StoryListItem(
        id=f"story{number}",
        title=f"Ferry {number} runs aground off Lind island ‘in fog’",
        summary=SUMMARY,
        language="en",
        updated=NOON - dt.timedelta(hours=number),
        article_count=len(outlets),
        outlet_count=len(outlets),
        unknown_outlet_count=0,
        report_count=len(outlets),
        outlets=outlets,
    )


def main() -> None:
    """Median and largest of the runs."""
    template = environment().get_template("front.html")
    settings = PublishSettings()
    stories = [story(number) for number in range(STORIES)]
    values = {
        "site_title": settings.title, "index": False, "prefix": "", "feeds": feed_links(settings),
        "signed_in": False, "may_correct": False, "form": "", "here": "/", "newest": False, "number": 1,
        "next": "?page=2", "next_is_newest": False, "languages": ["de", "en"], "folders": ("Coast",),
        "wanted": parse_filter([], NOON, default_limit=STORIES), "filtered": "", "asked": {}, "queries": (),
        "today": NOON.date(),
    }  # fmt: skip
    spent = []
    for _ in range(RUNS):
        started = time.process_time()
        page = template.render(front=arranged(stories, NOON.date(), is_first=True), **values)
        spent.append((time.process_time() - started) * 1000)
    spent.sort()
    print(
        f"{STORIES} stories, {len(page):,} characters: {spent[RUNS // 2]:.1f} ms, at most {spent[-1]:.1f} ms"
    )


if __name__ == "__main__":
    main()
