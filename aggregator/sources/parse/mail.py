"""Reads e-mail messages (RFC 5322, MIME), such as newsletters, as entries, and the messages of an mbox file.

The number of lines is limited before the library parses a message, and the number of parts and the length of headers
while it parses. Attachments and signatures are not read.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from email.header import decode_header
from email.message import EmailMessage
from email.parser import BytesFeedParser
from email.policy import EmailPolicy
from typing import Any

from aggregator.extract.language import unicode
from aggregator.extract.language.charsets import decode
from aggregator.extract.language.declared_dates import parse_declared
from aggregator.extract.plain.mail_footer import without_footer, without_signature
from aggregator.extract.urls import absolute_url
from aggregator.model.entry import Entry
from aggregator.model.errors import ReadError
from aggregator.sources.parse.feeds.entry_builder import (
    html_of_text,
    plain_title,
    short_key,
)
from aggregator.sources.parse.mail_address import (
    address_in_browser,
    may_be_public,
    saved_page_address,
)
from aggregator.sources.parse.mail_headers import FAULTS, header
from aggregator.sources.parse.mail_sender import outlet_of_mail
from aggregator.sources.parse.streams.file_stream import Stream

_MAX_LINES = 200_000  # a message of 10 MiB in base64 has 140,000

# The library compares each line with the boundary of each level of nesting.
_MAX_PARTS = 50


_MAX_HEADER_CHARS = 4000

_READ_BYTES = 65_536


_HEADERS = re.compile(rb"(?:[!-9;-~]{1,80}:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){1,500}+")

_OF_MAIL = re.compile(
    rb"^(?:message-id|mime-version|received|return-path):", re.IGNORECASE | re.MULTILINE
)

_FROM_LINE = re.compile(rb"From \S{1,320} [^\n]{6,60}\d\d:\d\d[^\n]{1,30}\n\Z")

_MESSAGE_ID = re.compile(r"(?<![^\s<>@])[^\s<>@]++@[^\s<>]++")

_QUOTED_FROM = re.compile(rb">+From ")

# Newsletters use tables for their layout. If they stayed tables, each cell would be read as a row of figures.
_TABLE_TAG = re.compile(
    r"(</?)(?:table|tbody|thead|tfoot|tr|td|th)(?=[\s>/])", re.IGNORECASE
)


class _BoundedPolicy(EmailPolicy):
    """The default policy with headers of bounded length, because the library's time is not linear in their length."""

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
    """Yield the messages of an mbox file (mboxo, mboxrd), with quoted From lines unquoted.

    A message longer than `limit_bytes` is cut, but stays longer than the limit, so that the caller notices. A damaged
    file loses its last message.
    """
    message = bytearray()
    count = 0
    is_line_start = was_blank = True
    while line := stream.readline(_READ_BYTES):
        if is_line_start and was_blank and _FROM_LINE.match(line):
            if count:
                yield bytes(message)
            message = bytearray()
            count += 1
        elif len(message) <= limit_bytes:
            message += line[1:] if is_line_start and _QUOTED_FROM.match(line) else line
        was_blank = is_line_start and not line.strip(b"\r\n")
        is_line_start = line.endswith(b"\n")
    if count == 0 and message:
        raise ReadError("this is not an mbox file: it does not begin with a From line")
    if count and not stream.damage:
        yield bytes(message)


def entry_of_mail(data: bytes, *, source: str, seen: datetime | None) -> Entry:
    """Return a message as an entry with its HTML, else its text, and with its address on the web if it has one.

    Raise ReadError for a message that cannot be parsed, exceeds the limits, or has no text.
    """
    if max(data.count(b"\n"), data.count(b"\r")) > _MAX_LINES:
        raise ReadError(f"this message has more than {_MAX_LINES:,} lines")
    try:
        message = _parse(data)
        page = _text(message, "html")
        text = _text(message, "plain")
    except FAULTS as error:
        raise ReadError(
            f"this message cannot be parsed ({type(error).__name__})"
        ) from error
    markup = without_footer(
        _TABLE_TAG.sub(r"\1div", page) or html_of_text(without_signature(text))
    )
    if not markup:
        raise ReadError(
            "this message has no text: only attachments, or it is encrypted"
        )
    title = plain_title(_subject(message))
    digest = hashlib.blake2b(data, digest_size=16).hexdigest()
    address = saved_page_address(message)
    if address is not None:  # a saved page, whose date is the time of saving
        return Entry(
            source=source,
            guid=None if address else digest,
            url=address or None,
            title=title,
            html=page or markup,
            is_page=True,
        )
    message_id = _MESSAGE_ID.search(header(message, "Message-ID"))
    archived = absolute_url(header(message, "Archived-At").strip("<> "), None)
    addresses = (archived, address_in_browser(page, text))
    return Entry(
        source=source,
        guid=short_key(message_id[0] if message_id else digest),
        url=next(filter(may_be_public, addresses), None),
        title=title,
        html=markup,
        is_page=bool(page),
        published=parse_declared(header(message, "Date"), None, seen),
        outlet=outlet_of_mail(message),
    )


def _parse(data: bytes) -> EmailMessage:
    parts = 0

    def one_more(policy: EmailPolicy) -> EmailMessage:
        nonlocal parts
        parts += 1
        if parts > _MAX_PARTS:
            # This also ends deep nesting.
            raise ReadError(f"this message has more than {_MAX_PARTS} parts")
        return EmailMessage(policy)

    # The stub does not know that the parser passes the policy on.
    parser = BytesFeedParser(one_more, policy=_BoundedPolicy())  # type: ignore[arg-type]
    parser.feed(data)
    message = parser.close()
    assert isinstance(message, EmailMessage)
    if not message.keys():
        raise ReadError("this is not a message: it has no header")
    return message


def _text(message: EmailMessage, kind: str) -> str:
    """Return the text of the first part of type text/`kind` that is not an attachment, or ""."""
    part = message.get_body((kind,))
    data = part.get_payload(decode=True) if part else None
    if not part or not isinstance(data, bytes):
        return ""
    return unicode.clean(decode(data, part.get_content_charset())).strip()


def _subject(message: EmailMessage) -> str:
    """Return the subject; if the library cannot decode it, decode its charsets as browsers do.

    Some senders call GBK by the name of GB2312, split a character between two encoded words, or encode nothing.
    """
    subject = header(message, "Subject")
    if "\ufffd" not in subject:
        return subject
    raw = {name.lower(): value for name, value in message.raw_items()}["subject"]
    decoded = ""
    try:
        for part, charset in decode_header(raw):
            data = part
            if isinstance(data, str):
                data = data.encode("utf-8", "surrogateescape")
            decoded += decode(data, charset or message.get_content_charset())
    except FAULTS:
        return subject
    return unicode.clean(decoded).strip()
