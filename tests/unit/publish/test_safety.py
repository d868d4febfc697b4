"""What strangers write cannot break a page, a feed or a link."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from aggregator.publish.sanitise import (
    encode_json,
    one_line,
    plain_title,
    safe_url,
    visible,
)
from aggregator.web.responses import problem
from tests.support.tables import rows


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/",
        "http://example.org:8000/a?b=c#d",
        "HTTPS://EXAMPLE.ORG/",
        "https://пример.example/статья",
        "https://[2001:db8::1]/",
    ],
)
def test_addresses_of_articles_are_linked_as_they_are(url: str) -> None:
    assert safe_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *rows("safety", "everything else is not"),
        "https://example.org/" + "a" * 2048,
    ],
)
def test_everything_else_is_not(url: str | None) -> None:
    assert safe_url(url) is None


@given(st.text(st.characters(exclude_categories=())))
def test_visible_text_is_always_xml_and_stays_so(text: str) -> None:
    element = etree.Element("t")
    element.text = visible(text)
    assert etree.fromstring(etree.tostring(element, encoding="utf-8")).tag == "t"
    assert visible(visible(text)) == visible(text)


@pytest.mark.parametrize(
    "plain", ["AT&T < 3 > 2", "日本語 العربية עברית", "tab\there", "👩‍👩‍👧 ☃", "a\nb"]
)
def test_ordinary_text_of_any_script_is_left_alone(plain: str) -> None:
    assert visible(plain) == plain


def test_marks_that_turn_text_around_are_dropped() -> None:
    assert one_line("  safe\u202e evil\u2066\n title\x00 ") == "safe evil title"


def test_a_title_holds_no_tag_for_readers_that_take_titles_for_html() -> None:
    assert plain_title("<script>x</script> 1 < 2") == "‹script>x‹/script> 1 < 2"


@pytest.mark.later
def test_no_json_turns_the_text_around() -> None:
    marks = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    reported = {f"a{marks}b": [f"{marks}é€漢{marks}", "\u2013 \u2070"]}
    assert msgspec.json.decode(encode_json(reported)) == {
        "ab": ["é€漢", "\u2013 \u2070"]
    }
    refused = problem(400, f"no such{marks} field", more=marks)
    assert not set(marks) & set(bytes(refused.body).decode())
