"""Every decision explains itself: its shares add up to its score, and two articles say why they are apart."""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from aggregator.admin.labelled_data import read_dataset
from aggregator.cli.explain_command import explanation_text
from aggregator.grouping.corrections.decision_words import reason_value
from aggregator.grouping.corrections.explanation import explain_article
from aggregator.model.entry import Published
from aggregator.model.errors import UsageError
from aggregator.model.evidence import Evidence, Reason
from aggregator.store import codecs
from aggregator.store.engine.database import Database
from aggregator.store.read.reader import StoryReader
from aggregator.store.tables import article
from tests.support.articles import (
    FLOOD,
    FLOOD_ELSEWHERE,
    NOON,
    STRIKE,
    Rig,
    record,
)
from tests.support.rows import column
from tests.support.tables import each_row

SETS = ("fulltext", "leads", "lookalikes", "headlines")


def evidence_of_all(database: Database) -> list[Evidence]:
    rows = column(database, article.c.evidence)
    return [codecs.unpack(row, Evidence) for row in rows]


def wrong_sums(found: Sequence[Evidence]) -> list[Evidence]:
    """Decisions whose shares, or those of the story that came second, do not add up."""
    return [one for one in found if not (_adds_up(one) and _rival_adds_up(one))]


def _adds_up(evidence: Evidence) -> bool:
    total = evidence.bias + math.fsum(reason.share for reason in evidence.reasons)
    return evidence.score is None or math.isclose(total, evidence.score, abs_tol=1e-6)


def _rival_adds_up(evidence: Evidence) -> bool:
    rival = evidence.runner_up
    if rival is None or not rival.reasons:
        return True
    total = evidence.bias + math.fsum(reason.share for reason in rival.reasons)
    return math.isclose(total, rival.score, abs_tol=1e-6)


def placed(rig: Rig, path: Path, most: int | None) -> None:
    records = read_dataset(path)[:most]
    entries = [
        replace(one.entry, source="set", guid=str(number), authority="handed")
        for number, one in enumerate(records)
    ]
    for start in range(0, len(entries), 400):
        rig.take(*entries[start : start + 400])


@pytest.mark.later
@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("fulltext", 120),
        ("headlines", 120),
        *(pytest.param(name, None, marks=pytest.mark.torture) for name in SETS),
    ],
)
def test_shares_add_up_to_the_score_on_the_dev_data(
    sqlite: Database, data: Path, name: str, most: int | None
) -> None:
    rig = Rig(sqlite)
    placed(rig, data / f"events-{name}.jsonl.gz", most)
    found = evidence_of_all(sqlite)
    assert len(found) > 100
    assert sum(one.score is not None for one in found) > 10, (
        "too few decisions by score to say anything"
    )
    assert {one.rules_version for one in found} == {rig.all_tuning.version}
    assert wrong_sums(found) == []


@pytest.fixture
def three(database: Database) -> tuple[StoryReader, list[str], Rig]:
    rig = Rig(database)
    done = rig.take(
        record("Herald", "1", "Levee breaks at Pennmouth, four dead", FLOOD),
        record(
            "Courier",
            "2",
            "Four dead as river Arrel floods Pennmouth",
            FLOOD_ELSEWHERE,
        ),
        record("Herald", "3", "Dock workers in Sennick walk out", STRIKE),
    )
    return StoryReader(database), [one.article for one in done], rig


def test_an_article_tells_how_it_came(
    three: tuple[StoryReader, list[str], Rig],
) -> None:
    reading, (first, second, _), rig = three
    reported = explain_article(reading, second, None, rig.all_tuning)
    assert reported.evidence.stage == "event"
    assert (
        "Ilse Brandt"
        in " ".join((*reported.shared.names, *reported.shared.words)).title()
    )
    text = explanation_text(reported)
    assert re.search(r"time between the reports +0 min +gives +\+", text)
    words = (
        text.split("shared with the story at that time, words: ")[1]
        .splitlines()[0]
        .split(", ")
    )
    assert (
        tuple(words)
        == tuple(dict.fromkeys(map(str.casefold, words)))
        == tuple(reported.shared.words)
    )
    for words in ("It joined this story: score", "words of the whole text", "sum"):
        assert words in text
    assert "It founded this story" in explanation_text(
        explain_article(reading, first, None, rig.all_tuning)
    )


def test_two_articles_say_why_they_are_together_or_apart(
    three: tuple[StoryReader, list[str], Rig],
) -> None:
    reading, (first, second, third), rig = three
    together = explain_article(reading, first, second, rig.all_tuning).pair
    assert together is not None
    assert together.same_story
    assert math.isclose(
        together.score, together.bias + math.fsum(r.share for r in together.reasons)
    )
    apart = explain_article(reading, first, third, rig.all_tuning).pair
    assert apart is not None
    assert not apart.same_story
    assert apart.score < together.score
    assert math.isclose(
        apart.score, apart.bias + math.fsum(r.share for r in apart.reasons)
    )


def test_a_copy_shows_the_passages(three: tuple[StoryReader, list[str], Rig]) -> None:
    reading, (first, _, _), rig = three
    (copy,) = rig.take(record("Mirror", "9", "Pennmouth under water", FLOOD))
    reported = explain_article(reading, copy.article, first, rig.all_tuning)
    assert reported.evidence.stage == "copy"
    assert reported.passages
    assert " ".join(reported.passages[0].split()) in " ".join(FLOOD.split())
    assert reported.pair is not None
    assert reported.pair.copy is not None


def test_an_article_that_is_not_there_is_said_in_words(
    three: tuple[StoryReader, list[str], Rig],
) -> None:
    reading, _, rig = three
    with pytest.raises(UsageError, match="there is no article nothing"):
        explain_article(reading, "nothing", None, rig.all_tuning)


@each_row(
    "explaining",
    "the time between reports is in a suitable unit",
    "days",
    "words",
    "words_of_days",
)
def test_the_time_between_reports_is_in_a_suitable_unit(
    days: float, words: str, words_of_days: str
) -> None:
    """Articles of a day have no minutes between them."""
    reason = Reason(name="days", value=days, share=0.0)
    said = reason_value(reason), reason_value(reason, is_of_day=True)
    assert said == (words, words_of_days)


def test_explain_says_that_a_date_is_known_to_the_day(database: Database) -> None:
    rig = Rig(database)
    day = Published(time=NOON.replace(hour=0), precision="day")
    first, second = rig.take(
        record("Arrel Courier", "1", "Levee on the Arrel breaks", FLOOD, published=day),
        record(
            "Sennick Echo",
            "2",
            "Levee on the Arrel breaks at night",
            FLOOD_ELSEWHERE,
            published=day,
        ),
    )
    explained = explain_article(
        StoryReader(rig.database), second.article, first.article, rig.all_tuning
    )
    assert explained.is_of_day
    assert explained.pair is not None
    assert explained.pair.is_of_day
    text = explanation_text(explained)
    assert "0 min" not in text
    assert re.search("time between the reports +0 days", text)
    assert "times are compared in days" in text
