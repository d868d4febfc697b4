"""The headers of a mail, which may be any text."""

from email.errors import MessageError
from email.message import EmailMessage

from aggregator.extract.language import unicode

# The library raises these for broken headers and parts, besides listing defects.
FAULTS = (
    MessageError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
    RecursionError,
)
# The longest part of an address before its "@" (RFC 5321, section 4.5.3.1.1)
LOCAL_CHARS = 64


def header(message: EmailMessage, name: str) -> str:
    """Return the first header of a name, with RFC 2047 words decoded; "" if there is none or one is broken."""
    return next(iter(headers(message, name)), "")


def headers(message: EmailMessage, name: str) -> list[str]:
    """Return all headers of a name, decoded in the same way; [] if one is broken."""
    try:
        return [
            unicode.clean(str(value)).strip() for value in message.get_all(name, ())
        ]
    except FAULTS:
        return []
