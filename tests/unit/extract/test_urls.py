"""Which addresses are one article, and which site an address belongs to."""

import pytest

from aggregator.extract.urls import canonical_url, registrable_domain, same_site

SAME = [
    # tracking parameters
    ("https://example.com/a?utm_source=feed&utm_medium=rss", "https://example.com/a"),
    ("https://example.com/a?fbclid=Iw", "https://example.com/a"),
    ("https://example.com/a?gclid=x&id=7", "https://example.com/a?id=7"),
    ("https://example.com/a?id=7&mc_cid=1&mc_eid=2", "https://example.com/a?id=7"),
    ("https://example.com/a?xtor=RSS-1", "https://example.com/a"),
    ("https://example.com/a?source=rss", "https://example.com/a"),
    ("https://example.com/a;jsessionid=AB12?x=1", "https://example.com/a?x=1"),
    ("https://example.com/a?", "https://example.com/a"),
    # order, case, ports, scheme, fragment
    ("https://example.com/a?b=2&a=1", "https://example.com/a?a=1&b=2"),
    ("http://example.com/a", "https://example.com/a"),
    ("http://example.com:80/a", "https://example.com/a"),
    ("https://example.com:443/a", "https://example.com/a"),
    ("https://example.com./a", "https://example.com/a"),
    ("https://example.com/a#comments", "https://example.com/a"),
    ("https://example.com/a/", "https://example.com/a"),
    ("https://example.com", "https://example.com/"),
    ("//example.com/a", "https://example.com/a"),
    ("  https://example.com/a\n", "https://example.com/a"),
    ("https://example.com\\a\\b", "https://example.com/a/b"),
    # dots, doubled slashes, escapes
    ("https://example.com/a/../b", "https://example.com/b"),
    ("https://example.com/../../b", "https://example.com/b"),
    ("https://example.com/a/%2e%2e/b", "https://example.com/b"),
    ("https://example.com/a//b/./c", "https://example.com/a/b/c"),
    ("https://example.com/café", "https://example.com/caf%C3%A9"),
    ("https://example.com/index.html", "https://example.com/"),
    # www, mobile and AMP twins
    ("https://www.example.com/a", "https://example.com/a"),
    ("https://m.example.com/a", "https://example.com/a"),
    ("https://mobile.example.co.uk/a", "https://example.co.uk/a"),
    ("https://en.m.example.org/wiki/A", "https://en.example.org/wiki/A"),
    ("https://amp.example.com/a", "https://example.com/a"),
    ("https://example.com/a/amp/", "https://example.com/a"),
    ("https://example.com/news/amp/world-123", "https://example.com/news/world-123"),
    ("https://example.com/a.amp", "https://example.com/a"),
    ("https://example.com/a.amp.html", "https://example.com/a.html"),
    ("https://example.com/a?amp=1", "https://example.com/a"),
    ("https://www.google.com/amp/s/www.example.com/a", "https://example.com/a"),
    (
        "https://www-example-com.cdn.ampproject.org/c/s/www.example.com/a",
        "https://example.com/a",
    ),
    (
        "https://www.google.com/url?q=https%3A%2F%2Fexample.com%2Fa&sa=U",
        "https://example.com/a",
    ),
    (
        "https://www.google.com/url?rct=j&sa=t&url=https://example.com/a&ct=ga",
        "https://example.com/a",
    ),
    (
        "http://www.bing.com/news/apiclick.aspx?url=https%3a%2f%2fexample.com%2fa&c=1",
        "https://example.com/a",
    ),
    (
        "https://l.facebook.com/l.php?u=https%3A%2F%2Fexample.com%2Fa%3Ffbclid%3Dx",
        "https://example.com/a",
    ),
    ("https://example.com/a/amp.html", "https://example.com/a"),
    ("https://m.example.com/a?m=1", "https://example.com/a"),
    ("https://example.com/a?utm_source=x#xtor=RSS-3208", "https://example.com/a"),
    # credentials and other alphabets
    ("https://user:secret@example.com/a", "https://example.com/a"),
    ("https://münchen.example/a", "https://xn--mnchen-3ya.example/a"),
]


@pytest.mark.parametrize(("url", "key"), SAME)
def test_variants_have_one_key(url: str, key: str) -> None:
    assert canonical_url(url) == key
    assert canonical_url(key) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/?id=1", "https://example.com/?id=2"),
        ("https://example.com/A", "https://example.com/a"),
        ("https://example.com/?source=11", "https://example.com/?source=12"),
        ("https://example.com/a%2Fb", "https://example.com/a/b"),
        ("https://one.example.com/a", "https://two.example.com/a"),
        ("https://example.com:8080/a", "https://example.com:8081/a"),
        ("https://example.com/q=%E9", "https://example.com/q=%E8"),
        ("https://m.com/a", "https://example.com/a"),
        ("https://amp-example.com/a", "https://example.com/a"),
        (
            "https://evilgoogle.com/url?url=https://example.com/a",
            "https://example.com/a",
        ),
    ],
)
def test_different_articles_keep_different_keys(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


@pytest.mark.parametrize(
    "url",
    [
        "", "javascript:alert(1)", "JavaScript://example.com/%0aalert(1)", "data:text/html,x",
        "ftp://example.com/a", "example.com/a", "https://", "https://example.com:99999/",
        "https://exa mple.com/", "https://[::1/a", "https://a..b/", "https://" + "x" * 5000,
        "https://" + "ü" * 300 + ".example/",
    ],
)  # fmt: skip
def test_what_is_no_web_address_has_no_key(url: str) -> None:
    assert canonical_url(url) is None
    assert registrable_domain(url) is None


@pytest.mark.parametrize(
    ("url", "domain"),
    [
        ("https://news.bbc.co.uk/a", "bbc.co.uk"),
        ("https://example.com", "example.com"),
        ("https://a.b.example.com:8443/x", "example.com"),
        ("https://someone.blogspot.com/x", "someone.blogspot.com"),
        ("https://www.outlet.example/a", "outlet.example"),
        ("http://127.0.0.1:8080/a", "127.0.0.1:8080"),
        ("http://127.0.0.1/a", "127.0.0.1"),
        ("http://localhost:9000/a", "localhost:9000"),
        ("http://[::1]:81/a", "[::1]:81"),
    ],
)
def test_registrable_domain(url: str, domain: str) -> None:
    assert registrable_domain(url) == domain


def test_sites() -> None:
    assert same_site("https://m.example.com/a", "http://www.example.com/b")
    assert not same_site("https://a.blogspot.com/", "https://b.blogspot.com/")
    assert not same_site("http://127.0.0.1:1/", "http://127.0.0.1:2/")
    assert not same_site("nonsense", "nonsense")
