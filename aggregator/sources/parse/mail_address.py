"""Finds the web address where the text of a mail is published."""

import html
import itertools
import re
from email.message import EmailMessage
from urllib.parse import parse_qsl, unquote, urlsplit

from aggregator.extract.sites import is_public_name
from aggregator.extract.urls import absolute_url
from aggregator.sources.parse.mail_headers import header

_LINK = re.compile(
    r"<a\s[^<>]{0,1000}?\bhref=[\"']?(https?://[^\s\"'<>]{1,4000}+)[^<>]{0,2000}+>((?:(?!</a)[\s\S]){0,600}+)",
    re.IGNORECASE,
)

# A mix of letters and digits of at least this length may be a subscriber's key, unlike 2026w47 and covid19 (chosen)
_KEY_CHARS = 10
# At most this many mentions of a browser are tried
_MENTIONS_TRIED = 20
_TAG = re.compile(r"<[^<>]*+>?")
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"']+")
_WORDS_AND_NUMBERS = re.compile(r"[^\W_]+")
# Parameters with this prefix name a campaign, and not a reader
_CAMPAIGN = "utm_"
_IN_BROWSER = re.compile(
    r"\b(?:browser|view online|read online|online version|web version|webversion|read (?:this )?on the web"
    r"|online (?:ansehen|lesen|anzeigen|bekijken|lezen)|onlineversion|online-version|webansicht|webversie"
    r"|navigateur|version en ligne|lire en ligne|navegador|ver en línea|versión (?:web|en línea)"
    r"|versão (?:web|online)|ver online|visualizza online|versione (?:web|online)"
    r"|przegląd\w+|wersj\w online|webbläsare\w*|nettleser\w*|браузер\w*|в браузері|prohlížeč\w*|tarayıcı\w*)"
    r"|ブラウザ|浏览器|瀏覽器|브라우저|المتصفح",
    re.IGNORECASE,
)  # fmt: skip


def saved_page_address(message: EmailMessage) -> str | None:
    """Return the address of a page that a browser saved as one file (MHTML), "" if unknown; None for mail."""
    address = header(message, "Snapshot-Content-Location")
    if not address and not header(message, "From").lstrip('"<').startswith("Saved by"):
        return None
    root = message.get_body(("html",))
    if not address and root is not None:  # older browsers write the address only here
        address = str(root.get("Content-Location", ""))
    return absolute_url(address, None) or ""


def address_in_browser(markup: str, text: str) -> str | None:
    """Return the address behind "View in browser", in one of several languages; None if it cannot be used."""
    for link in _LINK.finditer(markup):
        if _IN_BROWSER.search(html.unescape(_TAG.sub(" ", link[2]))):
            return _public(html.unescape(link[1]))
    for words in itertools.islice(_IN_BROWSER.finditer(text), _MENTIONS_TRIED):
        if address := _ADDRESS.search(text, words.end(), words.end() + 2000):
            return _public(address[0])
    return None


def may_be_public(url: str | None) -> bool:
    """Return whether the host of an address has a public name, and the address has no user or password.

    Otherwise a click on the link in a message could send a request into the reader's own network.
    """
    if url is None:
        return False
    parts = urlsplit(url)
    return (
        is_public_name((parts.hostname or "").rstrip(".")) and "@" not in parts.netloc
    )


def _public(link: str) -> str | None:
    """Return an address without query and fragment; None if it may contain a subscriber's key.

    Signs of a key are a parameter that does not name a campaign, and in the path an `@` or a long word of letters and
    digits.
    """
    try:
        parts = urlsplit(link)
        options = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=50)
    except ValueError:
        return None
    if "@" in unquote(parts.path):
        return None
    for name, _ in options:
        if not name.startswith(_CAMPAIGN):
            return None
    for word in _WORDS_AND_NUMBERS.findall(parts.path):
        if len(word) >= _KEY_CHARS and not word.isalpha() and not word.isdecimal():
            return None
    return absolute_url(parts._replace(query="", fragment="").geturl(), None)
