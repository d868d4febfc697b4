"""The rule book: nothing in it is idle, nothing can be misspelt, and its version tells rules apart."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml

from aggregator.cluster.copies.copy_check import CopyRules
from aggregator.cluster.cross_language.features import AcrossRules
from aggregator.cluster.events.weights import EventRules
from aggregator.cluster.fingerprint import LinkRules
from aggregator.cluster.rekeyed_entries import IdentityRules
from aggregator.cluster.vetoes.vetoes import VetoRules
from aggregator.config.tuning import RuleBook, rule_book
from aggregator.daemon.watchdog import ServiceRules
from aggregator.extract.learned_boilerplate import RepeatRules
from aggregator.extract.limits import TextRules
from aggregator.model.errors import ConfigError
from aggregator.model.health_report import WatchRules
from aggregator.pipeline.placement.place import PlacingRules
from aggregator.pipeline.placement.retention import RetentionRules
from aggregator.pipeline.poll import PollRules
from aggregator.pipeline.prefetch import AheadRules
from aggregator.pipeline.workers.executor import WorkRules
from aggregator.sources.limits import NetRules, SourceRules
from aggregator.store.engine.timeouts import DatabaseRules
from aggregator.store.engine.writer_lease import SharingRules
from aggregator.store.maintenance.checks.finding import CheckRules
from aggregator.store.maintenance.repair import ClockRules
from aggregator.store.read.change_stream import ChangeRules
from aggregator.store.read.reader import FrontRules
from aggregator.store.search.search import SearchRules
from aggregator.stories.tuning import StoryRules
from aggregator.web.api.push import PushRules
from aggregator.web.editor import DeskRules
from aggregator.web.webhooks.payload import HookRules
from tests.conftest import REPOSITORY

SHAPES: dict[str, type[msgspec.Struct]] = {
    "text": TextRules,
    "copies": CopyRules,
    "events": EventRules,
    "vetoes": VetoRules,
    "across": AcrossRules,
    "stories": StoryRules,
    "front": FrontRules,
    "changes": ChangeRules,
    "hooks": HookRules,
    "clock": ClockRules,
    "database": DatabaseRules,
    "search": SearchRules,
    "net": NetRules,
    "work": WorkRules,
    "ahead": AheadRules,
    "sources": SourceRules,
    "placing": PlacingRules,
    "polling": PollRules,
    "links": LinkRules,
    "identity": IdentityRules,
    "push": PushRules,
    "desk": DeskRules,
    "repeats": RepeatRules,
    "retention": RetentionRules,
    "service": ServiceRules,
    "watch": WatchRules,
    "checking": CheckRules,
    "sharing": SharingRules,
}
PACKAGE = REPOSITORY / "aggregator"
SHIPPED = yaml.safe_load((PACKAGE / "config/tuning.yaml").read_text())
CODE = {
    path: path.read_text()
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != Path(PACKAGE / "config/tuning.py")
}


def test_every_section_is_some_rooms_own() -> None:
    assert set(SHIPPED) == set(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_every_constant_is_read_and_every_reader_finds_its_constant(name: str) -> None:
    assert set(SHIPPED[name]) == set(SHAPES[name].__struct_fields__)
    rule_book().section(name, SHAPES[name])
    idle = [
        key
        for key in SHIPPED[name]
        if not any(re.search(rf"\.{key}\b|\[\"{key}\"\]", code) for code in CODE.values())
    ]
    assert not idle, f"rules that nothing asks for: {idle}"


def test_an_override_lies_over_the_shipped_rules() -> None:
    before = rule_book().section("events", EventRules)
    after = rule_book({"events": {"window_days": 3}}).section("events", EventRules)
    assert after == msgspec.structs.replace(before, window_days=3.0)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"event": {}}, "rules.event: there is no such section"),
        ({"events": {"windowdays": 1.0}}, "rules.events.windowdays: there is no such rule"),
        ({"events": {"window_days": "14"}}, "rules.events.window_days: give a value like"),
        ({"events": {"story_cap": 1.5}}, "rules.events.story_cap: give a value like"),
        ({"events": {"story_cap": True}}, "rules.events.story_cap: give a value like"),
        ({"events": {"threshold": float("nan")}}, "rules.events.threshold: give a value like"),
    ],
)
def test_an_override_that_cannot_be_is_refused_at_once(
    overrides: dict[str, dict[str, object]], words: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        rule_book(overrides)


def test_the_version_changes_with_every_override_and_with_nothing_else() -> None:
    plain = rule_book().version
    assert re.fullmatch("[0-9a-f]{12}", plain)
    others = {
        rule_book({name: {key: value + 1}}).version
        for name, section in SHIPPED.items()
        for key, value in section.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert plain not in others
    numbers = [
        value for section in SHIPPED.values() for value in section.values() if not isinstance(value, str)
    ]
    assert len(others) == len(numbers)
    assert rule_book({"events": {}, "copies": {"mutual": SHIPPED["copies"]["mutual"]}}).version == plain
    assert (
        rule_book({"events": {"window_days": 3}}).version
        == rule_book({"events": {"window_days": 3.0}}).version
    )


def test_a_book_survives_the_way_to_a_worker() -> None:
    book = rule_book({"copies": {"mutual": 0.5}, "events": {"story_cap": 9}})
    assert RuleBook.from_json(book.to_json()) == book
    assert RuleBook.from_json(book.to_json()).version == book.version
