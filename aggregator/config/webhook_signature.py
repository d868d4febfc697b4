"""Signatures of webhook deliveries by Standard Webhooks, version 1 (standardwebhooks.com).

The receiver computes the same HMAC of id, time and body. The signed time prevents later replays; the id is
the same at every attempt, so that the receiver recognizes repeated deliveries.
"""

import base64
import binascii
import hashlib
import hmac

from aggregator.model.errors import ConfigError

_PREFIX = "whsec_"
_MIN_BYTES, _MAX_BYTES = 24, 64  # of a key, by the standard


def signing_key(secret: str) -> bytes:
    """Decode a key given as `whsec_` and base64. Raises ConfigError, whose message omits the secret."""
    text = secret.strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_PREFIX) or not _MIN_BYTES <= len(key) <= _MAX_BYTES:
        raise ConfigError(
            f"give {_PREFIX} and {_MIN_BYTES} to {_MAX_BYTES} random bytes in base64; "
            "this makes some: echo whsec_$(openssl rand -base64 32)"
        )
    return key


def signed_headers(key: bytes, id_: str, seconds: int, body: bytes) -> dict[str, str]:
    """Return the headers of a delivery sent at the Unix time `seconds`."""
    signed = f"{id_}.{seconds}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii")
    return {"webhook-id": id_, "webhook-timestamp": str(seconds), "webhook-signature": f"v1,{digest}"}
