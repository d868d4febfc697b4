"""E-mail messages (RFC 5322, MIME): a newsletter as an entry; and the messages of an mbox file.

Bounds hold before and while the library parses: lines, parts and the length of a header. Attachments and
signatures are not read.
"""

import datetime as dt
import hashlib
import html
import itertools
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header
from email.message import EmailMessage
from email.parser import BytesFeedParser
from email.policy import EmailPolicy
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aggregator.extract.language import unicode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.outlets import is_public_name, is_shared_site
from aggregator.extract.plain.mail_footer import without_footer, without_signature
from aggregator.extract.urls import registrable_domain
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.limits import NAME_CHARS
from aggregator.sources.parse.feeds.entry_builder import (
    absolute_url,
    html_of_text,
    plain_title,
    short_key,
)
from aggregator.sources.parse.streams.file_stream import Stream

_MAX_LINES = 200_000  # 10 MiB in base64 are 140,000
_MAX_PARTS = 50  # each level of nesting is compared with each line
_LOCAL_CHARS = 64  # of an address before its "@" (limit: RFC 5321, section 4.5.3.1.1)
_MAX_HEADER_CHARS = 4000
_READ_BYTES = 65_536
_MENTIONS_TRIED = 20

# What the library raises for broken headers and parts, beside defects.
_FAULTS = (
    MessageError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
)
_HEADERS = re.compile(rb"(?:[!-9;-~]{1,80}:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){1,500}+")
_OF_MAIL = re.compile(
    rb"^(?:message-id|mime-version|received|return-path):", re.IGNORECASE | re.MULTILINE
)
_FROM_LINE = re.compile(rb"From \S{1,320} [^\n]{6,60}\d\d:\d\d[^\n]{1,30}\n\Z")
_MESSAGE_ID = re.compile(r"(?<![^\s<>@])[^\s<>@]++@[^\s<>]++")
_QUOTED_FROM = re.compile(rb">+From ")
_LINK = re.compile(
    r"<a\s[^<>]{0,1000}?\bhref=[\"']?(https?://[^\s\"'<>]{1,4000}+)[^<>]{0,2000}+>((?:(?!</a)[\s\S]){0,600}+)",
    re.IGNORECASE,
)
# The tables of a newsletter are its layout; as tables, each cell would be a row of figures.
_TABLE_TAG = re.compile(
    r"(</?)(?:table|tbody|thead|tfoot|tr|td|th)(?=[\s>/])", re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]*+>?")
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"']+")
_WORDS_AND_NUMBERS = re.compile(r"[^\W_]+")
_HARMLESS = "utm_"  # beginning of the parameters that name a campaign, not a reader
# Of letters and digits together: longer ones are keys, and not 2026w47 or covid19 (chosen)
_KEY_CHARS = 10
# In results of a server; kinds within one another and masked signs are read in two ways, so none counts.
_QUOTED = re.compile(r'"[^"()\\]*+"')
_COMMENT = re.compile(r'\([^"()\\]*+\)(?![^\s;])')
_MASKED = re.compile(r'["()\\]')
_BY = re.compile(r"\bby\s+([\w.-]+)")
_PASSED = (["dkim=pass"], ["dmarc=pass"])
_IN_BROWSER = re.compile(
    r"\b(?:browser|view online|read online|online version|web version|webversion|read (?:this )?on the web"
    r"|online (?:ansehen|lesen|anzeigen|bekijken|lezen)|onlineversion|online-version|webansicht|webversie"
    r"|navigateur|version en ligne|lire en ligne|navegador|ver en línea|versión (?:web|en línea)"
    r"|versão (?:web|online)|ver online|visualizza online|versione (?:web|online)"
    r"|przegląd\w+|wersj\w online|webbläsare\w*|nettleser\w*|браузер\w*|в браузері|prohlížeč\w*|tarayıcı\w*)"
    r"|ブラウザ|浏览器|瀏覽器|브라우저|المتصفح",
    re.IGNORECASE,
)  # fmt: skip


class _TooManyPartsError(Exception):
    """More parts than a newsletter has; also the end of deep nesting."""


class _BoundedPolicy(EmailPolicy):
    """The default policy with headers of bounded length: the library's time is not linear in it."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, Any]:
        name, value = super().header_source_parse(sourcelines)
        return name, str(value)[:_MAX_HEADER_CHARS]


def looks_like_mail(head: bytes) -> bool:
    """Return whether bytes begin with the header of a message, as stored by a mail program."""
    headers = _HEADERS.match(head.replace(b"\r\n", b"\n"))
    return headers is not None and _OF_MAIL.search(headers[0]) is not None


def looks_like_mbox(head: bytes) -> bool:
    """Return whether bytes begin with the "From " line of an mbox file."""
    return _FROM_LINE.match(head[: head.find(b"\n") + 1]) is not None


def messages(stream: Stream, limit_bytes: int) -> Iterator[bytes]:
    """Yield the messages of an mbox file (mboxo, mboxrd), unquoted.

    Yield more than `limit_bytes` bytes of one that is longer; of the message at which a damaged file ends,
    nothing.
    """
    message, count = bytearray(), 0
    is_line_start = was_blank = True
    while line := stream.readline(_READ_BYTES):
        if is_line_start and was_blank and _FROM_LINE.match(line):
            if count:
                yield bytes(message)
            message, count = bytearray(), count + 1
        elif len(message) <= limit_bytes:
            message += line[1:] if is_line_start and _QUOTED_FROM.match(line) else line
        was_blank, is_line_start = (
            is_line_start and not line.strip(b"\r\n"),
            line.endswith(b"\n"),
        )
    if count == 0 and message:
        raise ReadError("this is not an mbox file: it does not begin with a From line")
    if count and not stream.damage:
        yield bytes(message)


def entry_of_mail(data: bytes, *, source: str, seen: dt.datetime | None) -> Entry:
    """Return a message as an entry: its HTML, else its text, with the address at which it is on the web.

    Raise ReadError for a message that cannot be parsed, is beyond the bounds, or has no text.
    """
    if max(data.count(b"\n"), data.count(b"\r")) > _MAX_LINES:
        raise ReadError(f"this message has more than {_MAX_LINES:,} lines")
    message = _parsed(data)
    texts = {kind: _text(message, kind) for kind in ("html", "plain")}
    body = _TABLE_TAG.sub(r"\1div", texts["html"]) or html_of_text(
        without_signature(texts["plain"])
    )
    markup = without_footer(body)
    if not markup:
        raise ReadError(
            "this message has no text: only attachments, or it is encrypted"
        )
    title = plain_title(_subject(message))
    page = _saved_page_address(message)
    if page is not None:  # the date is that of saving
        guid = None if page else hashlib.blake2b(data, digest_size=16).hexdigest()
        return Entry(
            source=source,
            guid=guid,
            url=page or None,
            title=title,
            html=texts["html"] or markup,
            is_page=True,
        )
    archived = absolute_url(_header(message, "Archived-At").strip("<> "), None)
    message_id = _MESSAGE_ID.search(_header(message, "Message-ID"))
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Entry(
        source=source,
        guid=short_key(message_id[0] if message_id else digest),
        url=next(
            filter(
                _may_be_public, (archived, _web_address(texts["html"], texts["plain"]))
            ),
            None,
        ),
        title=title,
        html=markup,
        is_page=bool(texts["html"]),
        published=parse_declared(_header(message, "Date"), None, seen),
        outlet=_outlet(message),
    )


def _saved_page_address(message: EmailMessage) -> str | None:
    """Return the address of a page that a browser saved as one file (MHTML), "" if unknown; None for mail."""
    address = _header(message, "Snapshot-Content-Location")
    if not address and not _header(message, "From").lstrip('"<').startswith("Saved by"):
        return None
    root = message.get_body(("html",))
    if not address and root is not None:  # older browsers have it there only
        address = str(root.get("Content-Location", ""))
    return absolute_url(address, None) or ""


def _parsed(data: bytes) -> EmailMessage:
    parts = 0

    def one_more(policy: EmailPolicy) -> EmailMessage:
        nonlocal parts
        parts += 1
        if parts > _MAX_PARTS:
            raise _TooManyPartsError
        return EmailMessage(policy)

    # The stub does not know that it passes the policy on.
    parser = BytesFeedParser(one_more, policy=_BoundedPolicy())  # type: ignore[arg-type]
    try:
        parser.feed(data)
        message = parser.close()
    except _TooManyPartsError:
        raise ReadError(f"this message has more than {_MAX_PARTS} parts") from None
    except _FAULTS as error:
        raise ReadError(
            f"this message cannot be parsed ({type(error).__name__})"
        ) from error
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise ReadError("this is not a message: it has no header")
    return message


def _text(message: EmailMessage, kind: str) -> str:
    """Return the text of the first part of type text/`kind` that is no attachment, or ""."""
    try:
        part = message.get_body((kind,))
        data = part.get_payload(decode=True) if part else None
        charset = part.get_content_charset() if part else None
    except _FAULTS as error:
        raise ReadError(
            f"this message cannot be parsed ({type(error).__name__})"
        ) from error
    return (
        unicode.clean(unicode.decode(data, charset)).strip()
        if isinstance(data, bytes)
        else ""
    )


def _header(message: EmailMessage, name: str) -> str:
    """Return a header with its RFC 2047 words decoded; "" if there is none or it is broken."""
    return next(iter(_headers(message, name)), "")


def _subject(message: EmailMessage) -> str:
    """Return the subject; where the library cannot decode it, by the charsets as browsers know them.

    Senders call GBK by the name of GB2312, divide a character between two encoded words, or encode nothing.
    """
    subject = _header(message, "Subject")
    if "\ufffd" not in subject:
        return subject
    raw = {name.lower(): value for name, value in message.raw_items()}["subject"]
    decoded = ""
    try:
        for part, charset in decode_header(raw):
            is_bytes = isinstance(part, bytes)
            data = part if is_bytes else part.encode("utf-8", "surrogateescape")
            decoded += unicode.decode(data, charset or message.get_content_charset())
    except _FAULTS:
        return subject
    return unicode.clean(decoded).strip()


def _headers(message: EmailMessage, name: str) -> list[str]:
    """Return all headers of a name, likewise; [] if one is broken."""
    try:
        return [
            unicode.clean(str(value)).strip() for value in message.get_all(name, ())
        ]
    except _FAULTS:
        return []


def _outlet(message: EmailMessage) -> str:
    """Return the site that has sent a message, as the own mail server found, else the address in From.

    Anyone can write any List-Id, and any name in From: they say nothing. No address has the form of the key
    of a site or of a channel there.
    """
    name, _, host = (
        _header(message, "From").rpartition("<")[2].strip(" >").lower().rpartition("@")
    )
    site = _site_of(host)
    if site is None or is_shared_site(site) or site not in _authenticated(message):
        return plain_title(f"{name[-_LOCAL_CHARS:]}@{host}".replace("/", ""))[
            :NAME_CHARS
        ]
    return site


def _authenticated(message: EmailMessage) -> set[str | None]:
    """Return the sites that a message comes from, by the results of the own server (RFC 8601).

    They stand above what the sender wrote, and name the server: the last by which the message was received
    under a name of the internet, which deliveries within a host do not have.
    """
    results = _COMMENT.sub(
        " ", _QUOTED.sub("?", _header(message, "Authentication-Results"))
    )
    server, *clauses = results.lower().split(";")
    hosts = (_BY.search(received) for received in _headers(message, "Received"))
    own_site = next(
        (site for host in hosts if host and (site := _site_of(host[1]))), None
    )
    if (
        own_site is None
        or own_site != _site_of(server.strip().partition(" ")[0])
        or _MASKED.search(results)
    ):
        return set()
    confirmed = set()
    for words in map(str.split, clauses):
        # An address may contain "header.d=", but no space outside of quotes
        if words[:1] in _PASSED:
            values = dict(word.partition("=")[::2] for word in words)
            signer = values.get("header.i", "").rpartition("@")[2]
            confirmed.add(
                _site_of(values.get("header.d") or values.get("header.from") or signer)
            )
    return confirmed


def _site_of(host: str) -> str | None:
    """Return the registrable domain of a host; None if that is no name of the internet."""
    return (
        registrable_domain(f"https://{host}") if is_public_name(host.lower()) else None
    )


def _web_address(markup: str, text: str) -> str | None:
    """Return the address behind "View in browser", in the words of several languages."""
    for link in _LINK.finditer(markup):
        if _IN_BROWSER.search(html.unescape(_TAG.sub(" ", link[2]))):
            return _public(html.unescape(link[1]))
    for words in itertools.islice(_IN_BROWSER.finditer(text), _MENTIONS_TRIED):
        if address := _ADDRESS.search(text, words.end(), words.end() + 2000):
            return _public(address[0])
    return None


def _may_be_public(url: str | None) -> bool:
    """Return whether the host of an address has a name of the internet; False with a user or password.

    A message must not make readers send requests to their own network by a click.
    """
    if url is None:
        return False
    parts = urlsplit(url)
    return (
        is_public_name((parts.hostname or "").rstrip(".")) and "@" not in parts.netloc
    )


def _public(link: str) -> str | None:
    """Return an address without query and fragment; None if it may contain a key of the subscriber.

    That is one with a parameter other than those of campaigns, with an `@`, or with a long word of letters
    and digits in its path.
    """
    try:
        parts = urlsplit(link)
        names = [
            name
            for name, _ in parse_qsl(
                parts.query, keep_blank_values=True, max_num_fields=50
            )
        ]
    except ValueError:
        return None
    words = _WORDS_AND_NUMBERS.findall(parts.path)
    has_key = any(
        len(word) >= _KEY_CHARS and not word.isalpha() and not word.isdecimal()
        for word in words
    )
    if (
        has_key
        or "@" in unquote(parts.path)
        or not all(word.startswith(_HARMLESS) for word in names)
    ):
        return None
    return absolute_url(parts._replace(query="", fragment="").geturl(), None)
