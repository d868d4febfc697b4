"""Which addresses are one article, and which site an address belongs to."""

import pytest

from aggregator.extract.urls import canonical_url, registrable_domain, same_site
from tests.support.tables import each_row, rows


@each_row("urls", "variants have one key", "url", "key")
def test_variants_have_one_key(url: str, key: str) -> None:
    assert canonical_url(url) == key
    assert canonical_url(key) == key


@each_row("urls", "different articles keep different keys", "one", "other")
def test_different_articles_keep_different_keys(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize(
    "url",
    [
        *rows("urls", "what is no web address has no key"),
        "https://" + "x" * 5000,
    ],
)
def test_what_is_no_web_address_has_no_key(url: str) -> None:
    assert canonical_url(url) is None
    assert registrable_domain(url) is None


@each_row("urls", "registrable domain", "url", "domain")
def test_registrable_domain(url: str, domain: str) -> None:
    assert registrable_domain(url) == domain


def test_sites() -> None:
    assert same_site("https://m.example.com/a", "http://www.example.com/b")
    assert not same_site("https://a.blogspot.com/", "https://b.blogspot.com/")
    assert not same_site("http://127.0.0.1:1/", "http://127.0.0.1:2/")
    assert not same_site("nonsense", "nonsense")
