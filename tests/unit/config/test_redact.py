"""Secrets are known by their shape, and what is none stays as it is."""

import secrets
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.config.messages import redact, redact_address

MARKER = "k9Xq7Lw2PzR4marker"


@pytest.mark.parametrize(
    "said",
    [
        f"https://reader:{MARKER}@news.example/feed", f"https://{MARKER}@news.example/feed",
        f"https://reader:a@b{MARKER}@news.example/feed", f"postgresql+psycopg://me:{MARKER}@db.example/news",
        f"https://news.example/feed?page=2&api_key={MARKER}&lang=en",
        f"https://news.example/feed?token={MARKER}#top", f"https://news.example/feed?auth[password]={MARKER}",
        f"connection failed: host=db password={MARKER} user=me", f"Authorization: Bearer {MARKER}",
        f"{{'authorization': 'Basic {MARKER}'}}", f"[('Authorization', '{MARKER}')]", f"sent bearer {MARKER}",
        f"GET /t/agg_{MARKER}/feeds/stories.rss", f"the key whsec_{MARKER}/+= is used",
        f'signature="x&sig={MARKER}"',
    ],
)  # fmt: skip
def test_what_is_secret_is_not_said(said: str) -> None:
    shown = redact(said)
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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        (
            "https://h.example/rss/9f8e7d6c5b4a39281706/all",
            "https://h.example/rss/***/all",
        ),
        (
            "https://h.example/f;jsessionid=0A1B2C3D4E5F60718293?p=ab12cd34ef56ab78",
            None,
        ),
        (
            "https://h.example/u/6f1c2a34-0d5e-4b7a-9c8d-112233445566/rss",
            "https://h.example/u/***/rss",
        ),
        ("https://video.example/feeds?channel_id=UC16niRr50aMSBwiO3Y", "the same"),
        ("https://video.example/feeds?channel_id=UC-16niRr50aMSBwiO3Y_x", "the same"),
        ("https://h.example/2026/11/26/ferry-in-fog-off-lindmar?page=2", "the same"),
        ("https://h.example/feeds/internationalnewsheadlines.xml", "the same"),
    ],
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
