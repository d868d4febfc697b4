"""What pages forbid, in the words of meta elements and headers."""

from hypothesis import given
from hypothesis import strategies as st

from aggregator.extract.html.robots_meta import Permissions, header_rules, permissions
from tests.support.tables import each_row


@each_row("permissions", "what a list of rules forbids", "declared", "forbidden")
def test_what_a_list_of_rules_forbids(declared: str, forbidden: str) -> None:
    found = permissions(declared)
    assert {
        name for name in Permissions.__struct_fields__ if getattr(found, name)
    } == set(forbidden.split())


def test_rules_of_several_places_add_up() -> None:
    assert permissions("noarchive", "", "nosnippet") == Permissions(
        noarchive=True, nosnippet=True
    )


@each_row("permissions", "what headers forbid", "headers", "rules")
def test_what_headers_forbid(headers: list[list[str]], rules: str) -> None:
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
