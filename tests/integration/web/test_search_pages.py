"""A search that finds nothing, on the page and in JSON, on both databases."""

import html
import re

import pytest

from tests.support.articles import record
from tests.support.newsroom import STRANGER, Newsroom


@pytest.mark.later
def test_a_misspelt_word_is_one_link_away_from_its_story(either: Newsroom) -> None:
    page = either.get(
        "/search?q=penmouth&language=&since=2020-01-01", **STRANGER | read_by(either)
    ).text
    assert "Nothing found" in page
    (link,) = re.findall(
        r'href="(/search\?[^"]*q=pennmouth)">“<bdi>pennmouth</bdi>”', page
    )
    assert "since=2020-01-01" in link
    assert "Pennmouth under water" in either.get(html.unescape(link)).text


def test_json_names_the_nearest_words(either: Newsroom) -> None:
    answer = either.read_json("/api/v1/search?query=penmouth")
    assert (answer["articles"], answer["nearest"]) == ([], "pennmouth")
    assert either.read_json("/api/v1/search?query=pennmouth")["nearest"] is None


def test_what_was_typed_is_shown_as_text(either: Newsroom) -> None:
    page = either.get("/search?q=penmouth+%22%3Cscript%3Ealert()%3C/script%3E").text
    assert "<script>alert" not in page
    assert "pennmouth &#34;&lt;script&gt;" in page


def test_the_best_stories_are_followed_by_more(either: Newsroom) -> None:
    letters = "abcdefghijklmnopqrstuvwxy"
    for letter in letters:
        words = [
            f"{letter}{end}{letter}"
            for end in ("ama", "olo", "iri", "usu", "ele", "ana", "oto", "idi")
        ]
        title, text = f"Buoy {words[0]} {words[1]}", " ".join(words * 4)
        either.writer.take(record("Post", letter, title, f"{text}."))
    either.writer.pipeline.index_text(lambda: False)
    either.writer.render()
    page = either.get("/search?q=buoy").text
    assert "20 stories for" in page
    (link,) = re.findall(r'href="(/search\?[^"]*more=1)"', page)
    rest = either.get(html.unescape(link)).text
    assert f"{len(letters)} stories for" in rest
    assert "More stories" not in rest


def read_by(room: Newsroom) -> dict[str, str]:
    return {"Authorization": f"Bearer {room.token('visitor', 'read')}"}
