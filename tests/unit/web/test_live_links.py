"""What live blogs of other stories tell of a story: on its page, in its JSON, within readers' rights."""

import datetime as dt
import json

import httpx
import pytest

from aggregator.model.core import LiveBlogLink, StoryView
from aggregator.web.excerpts import Access, count_words, for_reader
from aggregator.web.server import Server
from aggregator.web.settings import PublishSettings
from aggregator.web.story_json import whole_story_json
from tests.support.memory_reader import MemoryReader, a_story
from tests.support.waiting import PATIENCE_SECONDS


def a_link(text: str, *, nosnippet: bool = False, clock: int = 875) -> LiveBlogLink:
    return LiveBlogLink(
        article="liveblog",
        title="Storm in the west: live",
        outlet="Vessaly Now",
        url="https://now.example/live",
        live_blog_story="homestory",
        story="ferry",
        position=3,
        clock_minutes=clock,
        text=text,
        score=9.5,
        day=dt.date(2026, 11, 19),
        nosnippet=nosnippet,
    )


def test_the_page_and_the_json_show_entries_with_time_and_live_blog() -> None:
    reader = MemoryReader()
    reader.put(a_story(id="ferry", links=(a_link("The <b>ferry</b> is afloat again."),)))
    server = Server(reader, PublishSettings(port=0))
    url = server.start()
    try:
        page = httpx.get(f"{url}/stories/ferry", trust_env=False, timeout=PATIENCE_SECONDS).text
        link = httpx.get(f"{url}/api/v1/stories/ferry", trust_env=False, timeout=PATIENCE_SECONDS).json()[
            "links"
        ][0]
    finally:
        server.stop()
    assert "In live blogs" in page
    assert "14:35" in page
    assert 'href="/stories/homestory#a-liveblog"' in page
    assert "The &lt;b&gt;ferry&lt;/b&gt; is afloat again." in page
    assert (link["clock"], link["day"], link["story"]) == ("14:35", "2026-11-19", "homestory")


def test_a_story_without_links_has_an_empty_list() -> None:
    assert json.loads(whole_story_json(a_story(), None))["links"] == []


@pytest.mark.parametrize("access", ["excerpt", "all"])
def test_of_one_live_blog_only_so_many_words_go_out(access: Access) -> None:
    story: StoryView = a_story(links=tuple(a_link("word " * 40, clock=clock) for clock in (60, 120)))
    bounded, _ = for_reader(story, None, access, 30)
    carried = count_words(bounded.links[0].title) + sum(count_words(one.text) for one in bounded.links)
    assert carried <= 30 + 1  # the mark of a cut
    assert bounded.links[0].text
    silent, _ = for_reader(a_story(links=(a_link("word", nosnippet=True),)), None, access, 30)
    assert silent.links[0].text == ""
    whole, _ = for_reader(story, None, "owner", 30)
    assert whole.links == story.links
