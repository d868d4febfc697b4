"""What holds for any input at all."""

import unicodedata
from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aggregator.config.tuning import Tuning
from aggregator.extract.clean_article import clean_entry
from aggregator.extract.extract_limits import ExtractTuning
from aggregator.extract.html.dom import html_to_text
from aggregator.extract.language.dates import published_from_text
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.language.unicode import clean
from aggregator.extract.plain.saved_text import read_saved_text
from aggregator.extract.urls import canonical_url, registrable_domain
from aggregator.extract.wire.wire import find_wire
from aggregator.model.entry import Entry
from aggregator.text.sentences import split_sentences
from tests.support.tables import rows

SEEN = datetime.fromisoformat("2025-03-10T00:00Z")
ALL_TUNING = Tuning()
TUNING = ALL_TUNING.section("text", ExtractTuning)
ANY_TEXT = st.text(st.characters())  # lone surrogates and controls included
URL_PARTS = st.lists(
    st.sampled_from(rows("text_properties", "parts of addresses")),
    max_size=14,
).map("".join)
LINES = st.lists(
    st.sampled_from(rows("text_properties", "lines")),
    max_size=12,
).map("\n".join)


# Punctuation that was read with a wrong codec, once or twice, and what may stand inside it
MISREAD = st.text("itâ€œ™˜¦Ã¢‚¬„\x80\x93\x94\x99\x9c\x9d\u200b\u0302\xad", max_size=20)


@given(ANY_TEXT | MISREAD)
def test_clean_is_idempotent_and_storable(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(
        unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in once
    )
    once.encode("utf-8")


@given(URL_PARTS | ANY_TEXT | ANY_TEXT.map(lambda text: "https://example.com/" + text))
def test_keys_are_idempotent_and_of_a_site(url: str) -> None:
    key = canonical_url(url) or "https://example.com/"
    assert canonical_url(key) == key
    assert key.isascii()
    assert key.startswith("https://")
    assert registrable_domain(key)


@given(ANY_TEXT, st.sampled_from([None, "Europe/Berlin", "../etc", "\0"]))
def test_dates_are_plausible_or_unknown(text: str, zone: str | None) -> None:
    for found in (
        parse_declared(text, zone, SEEN),
        published_from_text([text], zone, SEEN),
    ):
        assert found is None or datetime.fromisoformat(
            "1990-01-01T00:00Z"
        ) <= found.time <= SEEN + timedelta(days=1)


@given(st.integers(631_238_400, 1_741_478_400))
def test_declared_moments_are_read_back(seconds: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    for text in (moment.isoformat(), moment.strftime("%a, %d %b %Y %H:%M:%S +0000")):
        assert parse_declared(text, None, SEEN).time == moment


@given(LINES | ANY_TEXT)
def test_sentences_stand_in_their_paragraph(text: str) -> None:
    for paragraph in clean(text).split("\n"):
        position = 0
        for sentence in split_sentences(paragraph):
            position = paragraph.index(sentence, position) + len(sentence)


@given(LINES | ANY_TEXT)
# Told above a line that is taken as headline
@example("21:30: It rained.\n(AP) — It is.\n(AP) — It is.")
def test_saved_texts_keep_their_sentences(text: str) -> None:
    saved = read_saved_text(clean(text), TUNING)
    find_wire(saved.paragraphs, TUNING, saved.lines, saved.author)
    kept = "\n".join((saved.title, *saved.paragraphs))
    for sentence in (
        "The bridge was closed on Monday, the port said.",
        "Nobody came.",
        "It rained.",
    ):
        assert (sentence in kept) == (sentence in text)


@given(
    ANY_TEXT
    | st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<b",
                "a=",
                '"',
                ">",
                "<script>",
                "x",
                "&amp;",
                "<!--",
                "]]>",
            ]
        )
    ).map("".join)
)
def test_fragments_give_clean_lines(fragment: str) -> None:
    text = html_to_text(fragment)
    assert text == clean(text)
    assert "\n\n" not in text


@given(
    ANY_TEXT,
    ANY_TEXT,
    ANY_TEXT,
    st.none() | st.binary(max_size=300),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=60)
def test_the_door_never_raises(
    title: str, text: str, html: str, page: bytes | None, is_page: bool, is_saved: bool
) -> None:
    entry = Entry(
        source="s",
        title=title,
        text=text,
        html=html,
        is_page=is_page,
        is_saved_text=is_saved,
        author=title,
    )
    article = clean_entry(
        entry,
        page=page,
        page_charset="utf-8",
        page_url="https://example.com/a",
        seen=SEEN,
        tuning=ALL_TUNING,
    ).article
    for value in (
        article.title,
        article.text,
        article.lead,
        article.author or "",
        article.outlet or "",
    ):
        assert value == clean(value)
