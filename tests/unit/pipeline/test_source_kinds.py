"""The kinds of sources: each key of a source in config.yaml has a module."""

import pytest

from aggregator.config.settings import SOURCE_KINDS, Config, SourceConfig
from aggregator.model.errors import ConfigError
from aggregator.pipeline.kinds.source_kind import SourceKind, source_kind


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
        source_kind("folder").address(SourceConfig(folder="~nobody-of-this-name/x"), Config())
