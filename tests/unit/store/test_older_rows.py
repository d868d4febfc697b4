"""Rows of earlier revisions in the form of today."""

import base64
from typing import Any

import msgspec
import pytest
import zstandard

from aggregator.store.maintenance.older_rows import as_of_today, plain_rendering


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


def test_the_opening_of_a_merged_text_becomes_the_lead() -> None:
    opening = [_sentence("The levee broke.", "a"), _sentence("Four died.", "a")]
    merged = {
        "title": "Levee breaks",
        "lead": opening[0],
        "summary": opening,
        "facts": [],
        "only": opening,
    }
    assert _unpacked(plain_rendering("Headline", _packed(merged))) == {
        "title": "Levee breaks",
        "lead": [{"text": "The levee broke. Four died.", "article_id": "a"}],
        "openings": [],
        "quotations": [],
        "version": 1,
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


def test_rows_of_an_export_are_converted_once() -> None:
    blob = _packed({"title": "Levee breaks", "summary": []})
    row = {
        "title": "Levee breaks",
        "text": "",
        "merged_story": base64.b64encode(blob).decode(),
    }
    converted = as_of_today("story", row, "0033")
    assert converted == {
        "title": "Levee breaks",
        "text": "",
        "rendered": plain_rendering("", blob),
    }
    assert as_of_today("story", converted, "0034") == converted
    assert as_of_today("story", {"merged_story": None}, "0033") == {"rendered": None}
    assert as_of_today("article", row, "0033") == row


@pytest.mark.parametrize("is_compared", [True, False])
def test_whether_an_article_is_compared_had_another_name(is_compared: bool) -> None:
    row = {"id": "a", "counts_in_centroid": is_compared}
    for revision in ("0033", "0034"):
        assert as_of_today("article", row, revision) == {
            "id": "a",
            "is_compared": is_compared,
        }
    assert as_of_today("article", {"is_compared": is_compared}, "0035") == {
        "is_compared": is_compared
    }
