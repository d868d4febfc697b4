"""A polled world with two affairs, hostile feeds beside the honest ones, and what readers see of honest stories."""

from typing import Any

from aggregator.store.engine.database import Database
from aggregator.text.lines import word_list
from tests.support.articles import (
    DYKES,
    FLOOD,
    FLOOD_ELSEWHERE,
    FUND,
    STRIKE,
)
from tests.support.newsroom import Newsroom
from tests.support.polled_world import PolledWorld
from tests.support.polling import feed_source
from tests.support.site_feeds import address_of
from tests.support.story_checks import what_is_wrong

HERALD, POST, ECHO = HONEST = ("herald.example", "post.example", "echo.example")
SPAM = "spam.example"
LEVEE, UNDER_WATER, VOTE, LATE, STRUCK = (
    "Levee breaks at Pennmouth, four dead",
    "Pennmouth under water",
    "Parliament votes for dykes",
    "Fund for dykes pays late",
    "Dock workers walk out in Sennick",
)
# What a reader sees at a place of a list, except the number of stories of a storyline, to which a guest may add
_PLACE = word_list("id title summary updated picture outlet_count report_count")
_STORYLINE = word_list("id title day_outlet_count day_report_count")


class AffairsWorld(PolledWorld):
    """Three honest feeds tell of a levee on day 0, of a vote for dykes on days 2 and 4, and of a strike on day 0.

    Their reports are of midnight, so their hours are unknown, and the late report of the vote is one of the same event.
    """

    def __init__(self, database: Database, *, with_standing: bool = True) -> None:
        super().__init__(database)
        self.room = Newsroom(database)
        self.add(*HONEST, SPAM)
        if with_standing:
            self.trust(*HONEST)
        self.run(12)  # the world begins at noon
        self.report(HERALD, LEVEE, FLOOD)
        self.report(POST, UNDER_WATER, FLOOD_ELSEWHERE)
        self.report(ECHO, STRUCK, STRIKE)
        self.run(48)
        self.report(ECHO, VOTE, DYKES)
        self.run(48)
        self.report(POST, LATE, FUND)

    def close(self) -> None:
        self.room.close()
        super().close()

    def source_of(self, host: str) -> str:
        """The id of the source of a host."""
        return feed_source(address_of(host)).id

    def page(self, path: str) -> str:
        """What the owner's browser shows."""
        self._catch_up()
        return self.room.get(path).text

    def read_json(self, path: str) -> Any:
        """What the API or a feed answers."""
        self._catch_up()
        return self.room.read_json(path)

    def _catch_up(self) -> None:
        """Do what the daemon does when it is idle."""
        self.rig.pipeline.index_text(lambda: False)
        self.rig.render()
        self.room.clock.time = self.time.now

    def stories(self, parameters: str = "") -> list[Any]:
        """The stories of a list, as the API answers it."""
        listed: list[Any] = self.read_json(f"/api/v1/stories?{parameters}")["stories"]
        return listed

    def storyline_of(self, title: str) -> Any:
        """The storyline of the story of the article with this title."""
        return self.read_json(f"/api/v1/storylines/{self.story_of(title)}")

    def seen(self) -> dict[str, Any]:
        """What readers see of honest stories and their storylines, by where they look.

        Stories that only hostile feeds tell are left out.
        """
        every = self.stories()
        hostile = {story["id"] for story in every if not _is_honest(story)}
        items = self.read_json("/feeds/stories.json?fold=storylines")["items"]
        lines = self.read_json("/api/v1/storylines")["storylines"]
        return {
            "all stories": _places(every),
            "front page": _places(self.stories("order=front")),
            "folded list": _places(self.stories("fold=storylines")),
            "folded feed": [
                [item["id"], item["title"], item["date_modified"], item["url"]]
                for item in items
                if item["id"].rpartition("/")[2] not in hostile
            ],
            "storylines": [_picked(line, _STORYLINE) for line in lines],
        }

    def assert_sound(self) -> None:
        """Fail if something in the database contradicts something else."""
        assert what_is_wrong(self.database, self.rig.pipeline.placer) == []


def _is_honest(story: Any) -> bool:
    return any(article["url"].split("/")[2] in HONEST for article in story["articles"])


def _places(stories: list[Any]) -> list[dict[str, Any]]:
    places = []
    for story in filter(_is_honest, stories):
        place = _picked(story, _PLACE)
        if story["storyline"]:
            place["part of"] = _picked(story["storyline"], _STORYLINE)
        places.append(place)
    return places


def _picked(values: Any, names: list[str]) -> dict[str, Any]:
    return {name: values[name] for name in names}
