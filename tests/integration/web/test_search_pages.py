"""A search that finds nothing, on the page and in JSON, on both databases."""

import html
import re

from tests.support.newsroom import STRANGER, Newsroom


def test_a_misspelt_word_is_one_link_away_from_its_story(either: Newsroom) -> None:
    page = either.get("/search?q=penmouth&language=&since=2020-01-01", **STRANGER | read_by(either)).text
    assert "Nothing found" in page
    (link,) = re.findall(r'href="(/search\?[^"]*q=pennmouth)">“<bdi>pennmouth</bdi>”', page)
    assert "since=2020-01-01" in link
    assert "Pennmouth under water" in either.get(html.unescape(link)).text


def test_json_names_the_nearest_words(either: Newsroom) -> None:
    answer = either.get("/api/v1/search?query=penmouth").json()
    assert (answer["articles"], answer["nearest"]) == ([], "pennmouth")
    assert either.get("/api/v1/search?query=pennmouth").json()["nearest"] is None


def test_what_was_typed_is_shown_as_text(either: Newsroom) -> None:
    page = either.get("/search?q=penmouth+%22%3Cscript%3Ealert()%3C/script%3E").text
    assert "<script>alert" not in page
    assert "pennmouth &#34;&lt;script&gt;" in page


def read_by(room: Newsroom) -> dict[str, str]:
    return {"Authorization": f"Bearer {room.token('visitor', 'read')}"}
