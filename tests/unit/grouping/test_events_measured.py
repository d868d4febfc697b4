"""Limits for the quality of grouping, measured on the labelled files (docs/evaluation.md).

`tests/integration/admin/test_seeds_among_all.py` has the four seeds among all of them.
"""

from collections.abc import Sequence

import pytest

from aggregator.admin.bcubed import GroupingMetrics, measure
from aggregator.admin.evaluate import evaluate
from aggregator.admin.labelled_data import read_dataset
from aggregator.config.tuning import Tuning
from aggregator.sources.parse.records.jsonl import LabelledRecord
from training.dataset import data_folder

DATA = data_folder()
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"no labelled data in {DATA} (set AGGREGATOR_DATA)"
)


def measured(
    records: Sequence[LabelledRecord], clusters: dict[str, str]
) -> GroupingMetrics:
    _, assigned = evaluate(records, Tuning(), executor="inline", workers=1)
    return measure({one.id: one.story for one in assigned}, clusters)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "share", "least_f1", "most_over_merge"),
    [
        pytest.param("fulltext", 4, 0.955, 0.05, marks=pytest.mark.later),
        pytest.param("fulltext", 1, 0.95, 0.10, marks=pytest.mark.torture),
        pytest.param("lookalikes", 1, 0.84, 0.25, marks=pytest.mark.later),
        pytest.param("leads", 1, 0.77, 0.05, marks=pytest.mark.torture),
        pytest.param("headlines", 1, 0.87, 0.30, marks=pytest.mark.torture),
    ],
)
def test_labelled_files_keep_their_quality(name, share, least_f1, most_over_merge):
    """`share` 4: of each fourth event."""
    records = [
        one
        for one in read_dataset(DATA / f"events-{name}.jsonl.gz")
        if one.cluster is not None
    ]
    chosen = set(sorted({one.cluster for one in records})[::share])
    records = [one for one in records if one.cluster in chosen]
    report = measured(records, {one.id: one.cluster for one in records})
    assert report.bcubed.f1 >= least_f1, report
    assert report.over_merge <= most_over_merge, report
