"""The four articles that the project grew out of: one story, alone in it, among everything, in any order.

All dev data is laid around them. The runs take minutes each; `make test` runs a slice.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from aggregator.admin.evaluate import evaluate
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.tuning import Tuning
from aggregator.sources.parse.records.jsonl import LabelledRecord
from tests.support.seed_articles import seeds

SETS = ("fulltext", "leads", "lookalikes", "headlines")
ORDERS = ("first", "last", "shuffled 1", "shuffled 2")


def all_articles(data: Path) -> list[LabelledRecord]:
    return [
        one for name in SETS for one in read_dataset(data / f"events-{name}.jsonl.gz")
    ]


def of_syria(records: Sequence[LabelledRecord]) -> list[LabelledRecord]:
    """Every article that names Syria or a Syrian, all dates removed."""
    naming = [
        one
        for one in records
        if "syria" in f"{one.entry.title} {one.entry.text}".casefold()
    ]
    return [replace(one, entry=replace(one.entry, published=None)) for one in naming]


def mixed(
    others: Sequence[LabelledRecord], four: Sequence[LabelledRecord], order: str
) -> list[LabelledRecord]:
    if order == "first":
        return [*four, *others]
    if order == "last":
        return [*others, *four]
    # The others stay in their order (time), the four come anywhere among them, in any order.
    chance = Random(order)
    found = list(others)
    for seed in chance.sample(list(four), len(four)):
        found.insert(chance.randint(0, len(found)), seed)
    return found


def assert_one_story_of_four(records: Sequence[LabelledRecord]) -> None:
    _, assigned = evaluate(records, Tuning(), executor="processes", workers=2)
    home = {one.id: one.story for one in assigned}
    homes = {home[f"seed {n}"] for n in range(4)}
    assert len(homes) == 1, "the seeds are in several stories"
    beside = [
        one.id
        for one in assigned
        if one.story in homes and not one.id.startswith("seed ")
    ]
    assert beside == [], "others are in the seeds' story"


@pytest.mark.later
def test_among_every_twentieth_article(data: Path) -> None:
    assert_one_story_of_four(mixed(all_articles(data)[::20], seeds(data), "shuffled 3"))


@pytest.mark.later
@pytest.mark.parametrize(
    "order",
    [
        "last",
        *(
            pytest.param(one, marks=pytest.mark.torture)
            for one in ORDERS
            if one != "last"
        ),
    ],
)
def test_among_those_of_syria_without_dates(data: Path, order: str) -> None:
    others = of_syria(all_articles(data))
    assert len(others) > 50
    assert_one_story_of_four(mixed(others, seeds(data), order))
