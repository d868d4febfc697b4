"""What a line of a story's log says to a person, on the page and on the command line alike."""

import datetime as dt
import json
from typing import get_args

import pytest

from aggregator.pipeline.placement.explain import log_words
from aggregator.store.read.reader import LogLine
from aggregator.store.stories.placement_batch import LogKind


def line(kind: str, **detail: object) -> LogLine:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    return LogLine(at=at, story="s", kind=kind, detail=json.dumps(detail) if detail else None)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (line("merged", into="other"), "gave way to other"),
        (
            line("merged", other="loser", reason="container"),
            "took in loser (it held nothing but a live blog or round-up)",
        ),
        (
            line("moved", to="there", reason="second look", score=1.5),
            "moved to there (the second look, with the score +1.50)",
        ),
        (line("moved", **{"from": "here"}, reason="correction"), "came from here (a correction)"),
        (
            line("regrouped", came=2, went=1, reason="recluster"),
            "decided again: 2 articles came, 1 went (everything was decided again)",
        ),
        (line("regrouped", came=1, went=0), "decided again: 1 article came, 0 went"),
    ],
)
def test_a_line_says_what_happened_and_why(told: LogLine, words: str) -> None:
    assert log_words(told) == words


@pytest.mark.parametrize("kind", get_args(LogKind))
def test_every_kind_has_words_without_names_of_keys(kind: str) -> None:
    assert " " in log_words(line(kind))
