"""Bytes and strings from outside become text that every store can hold."""

import pytest

from aggregator.extract.language.charsets import decode, looks_binary
from aggregator.extract.language.unicode import clean
from tests.support.tables import each_row, mapping, rows

RUSSIAN = "Это новость из Москвы: сегодня утром прошёл сильный дождь. " * 3
JAPANESE = "これは日本語のニュース記事です。東京で地震がありました。" * 3
GERMAN = "Die Straßen in Köln waren über Nacht gesperrt – „alles gut“. " * 3


@pytest.mark.parametrize(
    ("dirty", "good"),
    [
        *rows("characters", "clean"),
        ("x\ud800y\udfffz", "xyz"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_clean(dirty: str, good: str) -> None:
    assert clean(dirty) == good


@each_row("characters", "decode", "text", "codec", "declared")
def test_decode(text: str, codec: str, declared: str | None) -> None:
    assert decode(text.encode(codec), declared) == text


def test_declaration_inside_the_bytes() -> None:
    page = (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=windows-1251">'
        + RUSSIAN
    )
    assert decode(page.encode("cp1251")) == page
    feed = '<?xml version="1.0" encoding="KOI8-R"?>' + RUSSIAN
    assert decode(feed.encode("koi8-r")) == feed


@each_row("characters", "no codec trick raises", "codec")
@pytest.mark.parametrize("data", [b"", b"plain words", bytes(range(256)) * 4])
def test_no_codec_trick_raises(codec: str, data: bytes) -> None:
    assert isinstance(decode(data, codec), str)


BAD_BYTES = mapping("characters", "bad bytes")


@pytest.mark.parametrize(("said", "text"), BAD_BYTES.values(), ids=BAD_BYTES)
@pytest.mark.parametrize("declared", ["utf-8", None])
def test_bad_bytes_do_not_change_the_charset(
    said: str, text: str, declared: str | None
) -> None:
    assert decode(said.encode("latin-1"), declared) == text


@pytest.mark.parametrize("good", [1, 2, 5, 20, 400])
def test_one_bad_byte_harms_nothing_however_few_others_there_are(good: int) -> None:
    said = "The mayor’s plan. " * good
    assert decode(said.encode() + b"It\x92s late.", "utf-8") == said + "It’s late."


def test_looks_binary() -> None:
    assert looks_binary(b"%PDF-1.7 text text")
    assert looks_binary(b"\x89PNG\r\n\x1a\n")
    assert looks_binary(bytes(range(256)) * 20)
    assert not looks_binary(b"")
    assert not looks_binary(GERMAN.encode("utf-16"))
    assert not looks_binary(JAPANESE.encode("shift_jis"))
    assert not looks_binary(JAPANESE.encode("iso-2022-jp"))


@each_row("characters", "text without a label", "text", "codec")
def test_text_without_a_label(text: str, codec: str) -> None:
    assert decode(text.encode(codec)) == text
