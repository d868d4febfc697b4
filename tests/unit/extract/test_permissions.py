"""What pages forbid, in the words of meta elements and headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.extract.html.robots_meta import Permissions, header_rules, permissions


@pytest.mark.parametrize(
    ("declared", "forbidden"),
    [
        ("", ""),
        ("noindex,nofollow", ""),
        ("nocache", "noarchive"),
        ("nosnippet; noarchive", "noarchive nosnippet"),
        ("max-snippet:0", "nosnippet"),
        ("max-snippet: 50, max-image-preview:large", "nosnippet"),
        ("max-snippet:-1, max-image-preview:large, max-video-preview:-1", ""),
        ("max-image-preview: none", "noimage"),
        ("noimageindex", "noimage"),
        ("unavailable_after: 25 Jun 2010 15:00:00 PST, noarchive", "noarchive"),
        ("max-snippet:50, max-snippet:400", "nosnippet"),
        ("max-image-preview:large, max-image-preview:none", "noimage"),
        ("otherbot: noarchive, nosnippet", ""),
        ("otherbot: nosnippet; noarchive", "noarchive"),
        ("googlebot: noarchive, otherbot: nosnippet", "noarchive"),
        ("aggregator: nosnippet", "nosnippet"),
        ("max-snippet:99999999999999999999", ""),
    ],
)
def test_what_a_list_of_rules_forbids(declared: str, forbidden: str) -> None:
    found = permissions(declared)
    assert {
        name for name in Permissions.__struct_fields__ if getattr(found, name)
    } == set(forbidden.split())


def test_rules_of_several_places_add_up() -> None:
    assert permissions("noarchive", "", "nosnippet") == Permissions(
        noarchive=True, nosnippet=True
    )


@pytest.mark.parametrize(
    ("headers", "rules"),
    [
        ([], ""),
        ([("X-Robots-Tag", " noarchive ")], "noarchive"),
        ([("tdm-reservation", "1")], "tdm-reservation"),
        ([("tdm-reservation", "0")], ""),
        (
            [("x-robots-tag", "a: nosnippet"), ("tdm-reservation", " 1")],
            "tdm-reservation; a: nosnippet",
        ),
        (
            [("x-robots-tag", "a: nofollow"), ("x-robots-tag", "noarchive")],
            "a: nofollow; noarchive",
        ),
        ([("x-robots-tag", "noarchive\u00a0\u2014\x00")], "noarchive"),
    ],
)
def test_what_headers_forbid(headers: list[tuple[str, str]], rules: str) -> None:
    assert header_rules(headers) == rules
    assert permissions(rules).tdm_reserved == (
        ("tdm-reservation", "1") in [(n, v.strip()) for n, v in headers]
    )
    assert permissions(rules).noarchive == any(
        "noarchive" in value for _, value in headers
    )


@given(st.text(max_size=200))
def test_any_text_can_be_read(declared: str) -> None:
    assert permissions(f"noarchive, {declared}").noarchive
