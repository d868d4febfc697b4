"""Articles that look like something else, in three languages; good pages are never refused."""

import datetime as dt
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aggregator.config.tuning import effective_tuning
from aggregator.extract.article import clean_article
from aggregator.model.core import CleanArticle, Entry

DATA = Path(os.environ.get("AGGREGATOR_DATA", Path(__file__).resolve().parents[4] / "shared" / "data"))
SEEN = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
ALL_TUNING = effective_tuning()

SENTENCES = {
    "en": "The old harbour bridge was closed on Monday after inspectors found cracks in two of its pillars.",
    "de": "Die alte Hafenbrücke ist seit Montag gesperrt, weil Prüfer in zwei Pfeilern Risse gefunden haben.",
    "fr": "Le vieux pont du port est fermé depuis lundi, des fissures ayant été trouvées dans deux piliers.",
}
HEADLINES = {
    "en": ["Ferry runs all night", "Mayor under fire over the bridge", "Four schools stay closed on Friday"],
    "de": ["Fähre fährt die ganze Nacht", "Bürgermeister gerät in die Kritik", "Vier Schulen bleiben zu"],
    "fr": [
        "Le bac circule toute la nuit",
        "Le maire sous le feu des critiques",
        "Quatre écoles restent fermées",
    ],
}
CONSENT = {
    "en": (
        "Before you continue",
        "We and our 214 partners use cookies. Accept all cookies or manage your choices.",
    ),
    "de": (
        "Ihre Einwilligung",
        "Wir verwenden Cookies. Cookies akzeptieren oder Datenschutzeinstellungen öffnen.",
    ),
    "fr": ("Vos choix", "Nous utilisons des traceurs. Accepter et fermer ou continuer sans accepter."),
}
PAYWALL = {
    "en": "Subscribe now to continue reading. Already a subscriber? Log in here.",
    "de": "Jetzt weiterlesen: Dieser Artikel ist nur für Abonnenten. Monatlich kündbar.",
    "fr": "Cet article est réservé aux abonnés. Déjà abonné ? Connectez-vous.",
}
every_language = pytest.mark.parametrize("tag", SENTENCES)


def page(title: str, body: str, tag: str) -> bytes:
    head = f"<meta charset=utf-8><title>{title}</title>"
    return f"<!doctype html><html lang={tag}><head>{head}</head><body>{body}</body></html>".encode()


def read(fetched: bytes) -> CleanArticle:
    return clean_article(Entry(source="s"), fetched, None, "https://lantern.example/a", SEEN, ALL_TUNING)


def read_text(text: str, title: str = "") -> CleanArticle:
    return clean_article(Entry(source="s", title=title, text=text), None, None, None, SEEN, ALL_TUNING)


def article(tag: str, paragraphs: int) -> str:
    return "".join(f"<p>{SENTENCES[tag]} ({n})</p>" for n in range(paragraphs))


@every_language
def test_a_short_article_on_a_page_full_of_links(tag: str) -> None:
    links = "".join(f"<li><a href=/{n}>{line}</a></li>" for n in range(30) for line in HEADLINES[tag])
    found = read(page("Bridge", f"<ul>{links}</ul><article>{article(tag, 4)}</article>", tag))
    assert found.verdict == "ok"
    assert HEADLINES[tag][0] not in found.text


@every_language
def test_a_table_is_no_list_of_links(tag: str) -> None:
    rows = "".join(f"<tr><td>{n}</td><td>Ada Lorne</td><td>{90 - n}</td></tr>" for n in range(40))
    body = f"<article><p>{SENTENCES[tag]}</p><table>{rows}</table></article>"
    assert read(page(HEADLINES[tag][1], body, tag)).verdict == "ok"


@every_language
def test_an_article_with_a_notice_in_it_is_one(tag: str) -> None:
    notice = f"<p>{CONSENT[tag][1]}</p><p>{PAYWALL[tag]}</p>"
    found = read(page(HEADLINES[tag][0], f"<article>{article(tag, 20)}</article><div>{notice}</div>", tag))
    assert found.verdict == "ok"


@every_language
def test_texts(tag: str) -> None:
    assert read_text(f"{SENTENCES[tag]}\n{SENTENCES[tag]}", HEADLINES[tag][0]).verdict == "ok"
    assert read_text("", HEADLINES[tag][0]).verdict == "stub"
    # A person's text about cookies or subscriptions is no wall: only pages are.
    assert read_text(f"{CONSENT[tag][1]}\n{SENTENCES[tag]}", HEADLINES[tag][0]).verdict == "ok"


def test_nothing_at_all() -> None:
    assert read_text(" \n \n").verdict == "empty"
    assert read(b"").verdict == "empty"
    assert read(b"%PDF-1.7 \x00\x01\x02").verdict == "binary"


def good_pages() -> Iterator[tuple[str, bytes, str]]:
    for name in ("pages", "pages-world"):
        folder = DATA / name
        for page_id, truth in json.loads((folder / "ground-truth.json").read_text(encoding="utf-8")).items():
            raw = gzip.decompress((folder / "html" / f"{page_id}.html.gz").read_bytes())
            yield page_id, raw, truth.get("url")


@pytest.mark.skipif(not (DATA / "pages").is_dir(), reason="the sample pages are not here (AGGREGATOR_DATA)")
def test_no_good_page_is_refused() -> None:
    refused = {
        page_id: verdict
        for page_id, raw, url in good_pages()
        if (verdict := clean_article(Entry(source="s"), raw, None, url, SEEN, ALL_TUNING).verdict) != "ok"
    }
    assert refused == {}
