"""Secrets are known by their shape, and what is none stays as it is."""

import secrets
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config.messages import redact, redact_address
from tests.support.tables import each_row

MARKER = "k9Xq7Lw2PzR4marker"


@each_row("redact", "what is secret is not said", "said")
def test_what_is_secret_is_not_said(said: str) -> None:
    shown = redact(said.replace("MARKER", MARKER))
    assert MARKER not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "said",
    [
        "Kestrow Dam gives way above Tarrowmere, killing at least four",
        "https://news.example/feed?keyword=homs&author=Smith&page=2",
        "mail the desk@news.example, or see https://news.example/@desk/1",
        "Token of thanks: passwords are passed on, the bearer of bad news says",
        "placed ab12 as opened in cd34",
    ],
)
def test_what_is_no_secret_stays(said: str) -> None:
    assert redact(said) == said


@each_row(
    "redact",
    "long words of letters and digits in an address may be keys",
    "address",
    "shown",
)
def test_long_words_of_letters_and_digits_in_an_address_may_be_keys(
    address: str, shown: str | None
) -> None:
    hidden = redact_address(address)
    assert hidden == (
        address
        if shown == "the same"
        else shown or "https://h.example/f;jsessionid=***?p=***"
    )


@settings(max_examples=50)
@given(st.text(max_size=400))
def test_it_takes_any_text_and_a_second_time_changes_nothing(said: str) -> None:
    once = redact(said)
    assert redact(once) == once


@settings(max_examples=50)
@given(
    st.sampled_from(
        [
            "https://u:{}@h.example/",
            "https://h.example/?key={}",
            "agg_{}",
            "Authorization: Bearer {}",
        ]
    ),
    st.text(string.ascii_letters + string.digits + "-_", min_size=12, max_size=60),
    st.text(max_size=40),
    st.text(max_size=40),
)
def test_wherever_it_stands(shape: str, secret: str, before: str, after: str) -> None:
    secret += secrets.token_hex(8)  # so that it is not in the words around by chance
    assert secret not in redact(f"{before} {shape.format(secret)} {after}")
