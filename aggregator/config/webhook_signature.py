"""Signing what webhooks deliver, by the Standard Webhooks scheme (its text: standardwebhooks.com, version 1).

The receiver makes the same HMAC of id, time and body, and compares. The time is signed too, so that what was
overheard cannot be sent again later; the id is the same at every try, so that a receiver knows what it has.
"""

import base64
import binascii
import hashlib
import hmac

from aggregator.model.errors import ConfigError

_PREFIX = "whsec_"
_FEWEST_BYTES, _MOST_BYTES = 24, 64  # of a key, by the scheme


def signing_key(secret: str) -> bytes:
    """The key in `whsec_` and base64. Raises ConfigError, without the text in it, for anything else."""
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or not _FEWEST_BYTES <= len(key) <= _MOST_BYTES:
        raise ConfigError(
            f"give {_PREFIX} and {_FEWEST_BYTES} to {_MOST_BYTES} random bytes in base64; "
            "this makes some: echo whsec_$(openssl rand -base64 32)"
        )
    return key


def signed_headers(key: bytes, id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that go with a delivery that is sent `seconds` after 1970."""
    signed = f"{id_}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
    return {"webhook-id": id_, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{digest}"}
