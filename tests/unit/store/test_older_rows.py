"""Rows of earlier revisions in the form of today."""

from typing import Any

import msgspec
import pytest
import zstandard

from aggregator.store.maintenance.older_rows import plain_rendering


def _packed(value: object) -> bytes:
    return zstandard.compress(msgspec.msgpack.encode(value))


def _unpacked(blob: bytes) -> Any:
    return msgspec.msgpack.decode(zstandard.decompress(blob))


def _sentence(text: str, article: str) -> dict[str, object]:
    return {
        "text": text,
        "article": article,
        "outlet": "Herald",
        "time": None,
        "also": [],
    }


def test_no_sentence_is_attributed_to_another_article() -> None:
    opening = [
        _sentence("The levee broke.", "a"),
        _sentence("Four died.", "b"),
        _sentence("Two lived.", "b"),
    ]
    rendered = _unpacked(
        plain_rendering("", _packed({"title": "Levee breaks", "summary": opening}))
    )
    assert rendered["lead"] == [
        {"text": "The levee broke.", "article_id": "a"},
        {"text": "Four died. Two lived.", "article_id": "b"},
    ]


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"no",
        _packed([1]),
        _packed({"title": "Levee"}),
        _packed({"title": "Levee", "summary": [3]}),
    ],
)
def test_a_damaged_merged_text_leaves_the_headline(blob: bytes) -> None:
    rendered = _unpacked(plain_rendering("Levee breaks", blob))
    assert (rendered["title"], rendered["lead"]) == ("Levee breaks", [])
