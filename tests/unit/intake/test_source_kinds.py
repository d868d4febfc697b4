"""The kinds of sources: each key of a source in config.yaml has a module."""

from datetime import datetime

import msgspec
import pytest

from aggregator.config.settings import Config
from aggregator.config.source_settings import SOURCE_KINDS, SourceConfig
from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import FeedJob, read_feed
from aggregator.intake.kinds.source_kind import SourceKind, source_kind
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import ConfigError
from aggregator.sources.source_limits import source_tuning
from tests.support.tables import numbered


@pytest.mark.parametrize("name", SOURCE_KINDS)
def test_each_key_of_a_source_is_a_kind(name: str) -> None:
    assert isinstance(source_kind(name), SourceKind)


def test_a_source_is_of_the_kind_of_its_key() -> None:
    assert SourceConfig(feed="https://a.example/").kind == "feed"
    assert SourceConfig(folder="articles").kind == "folder"


def test_a_kind_refuses_what_it_cannot_read() -> None:
    with pytest.raises(ConfigError, match="there is no port 0"):
        source_kind("feed").address(SourceConfig(feed="https://a.example:0/"), Config())
    with pytest.raises(ConfigError, match="~nobody-of-this-name"):
        source_kind("folder").address(
            SourceConfig(folder="~nobody-of-this-name/x"), Config()
        )


def listed(page: str, selector: str) -> ParsedFeed:
    job = FeedJob(
        data=page.encode(),
        selectors=(selector, "a", "", "time"),
        source="port",
        seen=datetime.fromisoformat("2026-11-20T00:00Z"),
        url="https://port.example/news",
        content_type="text/html; charset=utf-8",
        tuning=source_tuning(Tuning()),
    )
    return msgspec.msgpack.decode(
        read_feed(msgspec.msgpack.encode(job)), type=ParsedFeed
    )


def links(count: int) -> str:
    return "".join(numbered("<p><a href=/%n>Dockers strike %n</a></p>", count))


@pytest.mark.later
def test_a_page_of_countless_links_is_read_up_to_its_bound() -> None:
    found = listed(links(15_000), "p:nth-child(n + 9001)")
    assert (found.entry_count, found.entries[-1].url) == (
        1000,
        "https://port.example/9999",
    )
    assert found.problem == "the page is too large: its end is not read"
    assert listed(links(1000), "p").problem is None


def test_items_inside_each_other_are_not_read_again_and_again() -> None:
    nested = "<div>" * 100 + links(1500)
    assert listed(nested, "div").problem == (
        "`list:` matches elements that are inside each other, too many to read"
    )
    assert listed(nested, "div > p").entry_count == 1500
    assert listed("<div>" * 20 + links(1500), "div").entry_count == 1
