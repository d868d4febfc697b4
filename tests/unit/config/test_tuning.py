"""The tuning: every constant is used, no misspelt one is accepted, and each change gives another version."""

import re
from pathlib import Path

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.daemon.watchdog import ServiceTuning
from aggregator.deliver.transmit import WebhookTuning
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.learned_boilerplate import BoilerplateTuning
from aggregator.grouping.copies.copy_check import CopyTuning
from aggregator.grouping.deletion.retention import RetentionTuning
from aggregator.grouping.pairs.hours import HoursTuning
from aggregator.grouping.pairs.pair_model import PairTuning
from aggregator.grouping.pairs.weights import EventTuning
from aggregator.grouping.story_options import PlacingTuning
from aggregator.intake.polling.poll_decision import PollTuning
from aggregator.intake.workers.executor import WorkerTuning
from aggregator.sources.source_limits import NetTuning, SourceTuning
from aggregator.store.engine.engines import DatabaseTuning
from aggregator.store.read.front_page_rows import FrontPageTuning
from aggregator.stories.story_tuning import StoryTuning
from aggregator.web.api.push_endpoint import PushTuning
from aggregator.web.editor import EditorTuning
from tests.conftest import REPOSITORY
from tests.support.tables import each_row

SHAPES: dict[str, type[msgspec.Struct]] = {
    "text": ExtractTuning,
    "copies": CopyTuning,
    "events": EventTuning,
    "pairs": PairTuning,
    "hours": HoursTuning,
    "stories": StoryTuning,
    "front_page": FrontPageTuning,
    "webhooks": WebhookTuning,
    "database": DatabaseTuning,
    "net": NetTuning,
    "work": WorkerTuning,
    "sources": SourceTuning,
    "placing": PlacingTuning,
    "polling": PollTuning,
    "push": PushTuning,
    "editor": EditorTuning,
    "boilerplate": BoilerplateTuning,
    "retention": RetentionTuning,
    "watchdog": ServiceTuning,
}
PACKAGE = REPOSITORY / "aggregator"
SHIPPED = yaml.safe_load((PACKAGE / "config/tuning.yaml").read_text())
CODE = {
    path: path.read_text()
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != Path(PACKAGE / "config/tuning.py")
}


def test_every_section_has_one_struct() -> None:
    assert set(SHIPPED) == set(SHAPES)


@pytest.mark.later
@pytest.mark.parametrize("name", SHAPES)
def test_every_constant_is_read_and_every_reader_finds_its_constant(name: str) -> None:
    assert set(SHIPPED[name]) == set(SHAPES[name].__struct_fields__)
    Tuning().section(name, SHAPES[name])
    idle = [
        key
        for key in SHIPPED[name]
        if not any(
            re.search(rf"\.{key}\b|\[\"{key}\"\]", code) for code in CODE.values()
        )
    ]
    assert not idle, f"constants that no code reads: {idle}"


def test_an_override_replaces_a_shipped_constant() -> None:
    before = Tuning().section("events", EventTuning)
    after = Tuning({"events": {"window_days": 3}}).section("events", EventTuning)
    assert after == replace(before, window_days=3.0)


@each_row(
    "tuning", "an override that cannot be is refused at once", "overrides", "words"
)
def test_an_override_that_cannot_be_is_refused_at_once(
    overrides: dict[str, dict[str, object]], words: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Tuning(overrides)


def test_the_version_changes_with_every_override_and_with_nothing_else() -> None:
    plain = Tuning().version
    assert re.fullmatch("[0-9a-f]{12}", plain)
    others = {
        Tuning({name: {key: value + 1}}).version
        for name, section in SHIPPED.items()
        for key, value in section.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    assert plain not in others
    numbers = [
        value
        for section in SHIPPED.values()
        for value in section.values()
        if isinstance(value, int | float)
    ]
    assert len(others) == len(numbers)
    assert (
        Tuning(
            {"events": {}, "copies": {"mutual": SHIPPED["copies"]["mutual"]}}
        ).version
        == plain
    )


def test_a_tuning_survives_the_way_to_a_worker() -> None:
    all_tuning = Tuning({"copies": {"mutual": 0.5}, "events": {"story_cap": 9}})
    assert Tuning.from_json(all_tuning.to_json()) == all_tuning
    assert Tuning.from_json(all_tuning.to_json()).version == all_tuning.version
