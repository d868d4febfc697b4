"""Saved queries: what config.yaml may say, and the stories that it means."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from aggregator.config.loader import load
from aggregator.config.publish_settings import is_query_name
from aggregator.config.settings import Config
from aggregator.config.story_query import SavedQuery, StoryFilter
from aggregator.model.errors import UsageError

NOW = datetime.fromisoformat("2026-11-20T08:00Z")


def _config(folder: Path, text: str) -> Config:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def test_a_saved_query_means_its_filters_now(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        """
queries:
  homs: {query: homs, since: 24h, until: 2026-11-20, min_reports: 3, min_outlets: 2, language: en}
  coast:
    folder: Coast
    outlet: Harbour Post
    title: The coast
    items: 5
    link: article
""",
    )
    assert [query.key for query in config.queries.values()] == ["homs", "coast"]
    assert config.saved_query("homs").story_filter(NOW, 7) == StoryFilter(
        query="homs",
        since=NOW - timedelta(days=1),
        until=datetime.fromisoformat("2026-11-20T23:59:59.999999Z"),
        min_reports=3,
        min_outlets=2,
        language="en",
        limit=7,
    )
    coast = config.saved_query("coast")
    assert (coast.title, coast.items, coast.link) == ("The coast", 5, "article")
    assert coast.story_filter(NOW, 9) == StoryFilter(
        folder="Coast", outlet="Harbour Post", limit=9
    )


def test_a_name_that_no_query_has_is_said_with_those_there_are(tmp_path: Path) -> None:
    config = _config(tmp_path, "queries:\n  homs: {query: homs}\n  coast: {}")
    with pytest.raises(UsageError, match=r"'nosuch'; config\.yaml has: coast, homs"):
        config.saved_query("nosuch")
    assert Config().queries == {}


def test_an_empty_query_means_every_story() -> None:
    assert SavedQuery().named("all").story_filter(NOW, 50) == StoryFilter()


@pytest.mark.parametrize("name", ["homs", "a", "A-1_b", "2026", "x" * 40])
def test_names_that_may_stand_in_addresses(name: str) -> None:
    assert is_query_name(name)


@pytest.mark.parametrize(
    "name", ["", "-x", "x.y", "a b", "ü", "x" * 41, "stories", "DIGEST", "../x", "x\n"]
)
def test_names_that_may_not(name: str) -> None:
    assert not is_query_name(name)
