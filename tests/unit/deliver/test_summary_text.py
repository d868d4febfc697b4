"""What is taken of the answer of a program or model: plain sentences that name articles of the story."""

import json
from typing import Any

import pytest

from aggregator.deliver.summary_texts import in_prose, plain_sentence, sentences_of

IDS = frozenset({"one", "two"})


def answer(*sentences: Any) -> bytes:
    return json.dumps({"sentences": sentences}).encode()


def test_invented_ids_are_dropped_and_so_are_sentences_without_others() -> None:
    found = sentences_of(
        answer(
            {"text": "Six died.", "article_ids": ["two", "nine", "one", "two"]},
            {"text": "Aliens landed.", "article_ids": ["nine"]},
            {"text": "No ids.", "article_ids": []},
            {"text": "Six died.", "article_ids": ["one"]},
            {"text": 5, "article_ids": ["one"]},
            {"text": "Ids are no list.", "article_ids": "one"},
            {"text": "Ids are no text.", "article_ids": [1, None, ["one"]]},
            "no object",
        ),
        IDS,
    )
    assert [(one.text, one.article_ids) for one in found] == [
        ("Six died.", ("two", "one"))
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"no JSON",
        b"\xff\xfe",
        b"[]",
        b'{"sentences": {}}',
        b'{"sentences": ',
        b"[" * 100_000,
    ],
)
def test_an_answer_of_another_form_is_an_error(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="answer"):
        sentences_of(wrong, IDS)


@pytest.mark.later
@pytest.mark.slow
def test_an_answer_has_at_most_twenty_sentences() -> None:
    many = [
        {"text": f"Sentence {n}.", "article_ids": ["one"] * 1000} for n in range(5000)
    ]
    assert len(sentences_of(answer(*many), IDS)) == 20


@pytest.mark.later
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Two\nlines\tand \x1b[31mred\x00.", "Two lines and [31mred ."),
        ("Bold <b>words</b>.", "Bold words ."),
        ("A <script>alert(1)</script> ran.", "A alert(1) ran."),
        ("Hidden &lt;img src=x onerror=y&gt; tag.", "Hidden tag."),
        ("Nested <<b>script>x</script>.", "Nested ‹ script>x ."),
        ("Open <img src=x onerror=y", "Open"),
        ("Five < six.", "Five ‹ six."),
        ("Turned \u202earound\u2066.", "Turned around ."),
        ("Read http://evil.example now.", ""),
        ("Read www.evil.example now.", ""),
        ("Go to javascript:alert(1).", ""),
        ("x" * 601, ""),
        ("x" * 100_000, ""),
        ("<" * 1000, "‹" * 1000),
        ("   ", ""),
    ],
)
def test_a_sentence_is_plain_text(given: str, kept: str) -> None:
    plain = plain_sentence(given)
    assert plain == (kept if len(kept) <= 600 else "")
    assert plain.isprintable()
    assert "<" not in plain


@pytest.mark.later
def test_json_is_found_between_words_and_in_blocks_of_code() -> None:
    assert (
        in_prose('Here it is:\n```json\n{"sentences": []}\n```\nBye.')
        == b'{"sentences": []}'
    )
    assert in_prose("I cannot do that") == b""
    assert in_prose("} {") == b""
