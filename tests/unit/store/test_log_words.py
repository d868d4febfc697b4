"""The text of a line of the story log, on pages and on the command line."""

import datetime as dt
import json
from typing import get_args

import pytest

from aggregator.grouping.corrections.decision_words import log_words
from aggregator.store.read.article_detail import LogLine
from aggregator.store.stories.unit_of_work import LogKind


def line(kind: str, **detail: object) -> LogLine:
    at = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    return LogLine(
        at=at, story="s", kind=kind, detail=json.dumps(detail) if detail else None
    )


@pytest.mark.parametrize(
    ("logged", "words"),
    [
        (line("merged", into="other"), "merged into other"),
        (
            line("moved", to="there", reason="second look", score=1.5),
            "moved to there (second look, score +1.50)",
        ),
        (
            line("moved", **{"from": "here"}, reason="correction"),
            "came from here (correction)",
        ),
        (
            line("regrouped", came=2, went=1, reason="recluster"),
            "regrouped: 2 articles added, 1 removed (all decisions were repeated)",
        ),
        (line("regrouped", came=1, went=0), "regrouped: 1 article added, 0 removed"),
    ],
)
def test_a_line_says_what_happened_and_why(logged: LogLine, words: str) -> None:
    assert log_words(logged) == words


@pytest.mark.parametrize("kind", get_args(LogKind))
def test_every_kind_has_words_without_names_of_keys(kind: str) -> None:
    assert " " in log_words(line(kind))
    assert "None" not in log_words(line(kind)), (
        "readers who are not the owner see no details"
    )
