"""The text of a line of the story log, on pages and on the command line."""

import json
from datetime import datetime
from typing import get_args

import pytest

from aggregator.grouping.corrections.decision_words import log_words
from aggregator.store.read.article_detail import LogLine
from aggregator.store.stories.unit_of_work import LogKind
from tests.support.tables import each_row


def line(kind: str, **detail: object) -> LogLine:
    at = datetime.fromisoformat("2026-11-20T00:00Z")
    return LogLine(
        at=at, story="s", kind=kind, detail=json.dumps(detail) if detail else None
    )


@each_row("log_words", "a line says what happened and why", "kind", "detail", "words")
def test_a_line_says_what_happened_and_why(
    kind: str, detail: dict[str, object], words: str
) -> None:
    assert log_words(line(kind, **detail)) == words


@pytest.mark.parametrize("kind", get_args(LogKind))
def test_every_kind_has_words_without_names_of_keys(kind: str) -> None:
    assert " " in log_words(line(kind))
    assert "None" not in log_words(line(kind)), (
        "readers who are not the owner see no details"
    )
