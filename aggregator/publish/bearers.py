"""Who asks with a token: reading it off a request, and what becomes of wrong ones."""

import base64
import binascii
import ipaddress
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from aggregator.store.tokens import MARK, Token

BAD_TOKENS_A_MINUTE = 10  # from one address; then it hears 429 (hardening, section 5)
_MINUTE_SECONDS = 60.0
_ADDRESSES = 1000  # that are remembered; a flood of others makes us forget the oldest


class Tokens(Protocol):
    """What the door asks about tokens; both may raise AggregatorError."""

    def holder(self, secret: str) -> Token | None:
        """The token with this secret, while it is in force."""
        ...

    def note_use(self, token: Token) -> None:
        """Remember when it was used."""
        ...


def secret_in(authorization: str) -> str | None:
    """The token in an Authorization header: a Bearer's, or the password of Basic.

    A password that does not look like a token of ours is meant for a proxy in front, which may pass it on.
    """
    scheme, _, given = authorization.strip().partition(" ")
    given = given.strip()
    if scheme.lower() == "bearer":
        return given
    if scheme.lower() != "basic":
        return None
    try:
        pair = base64.b64decode(given, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return None
    password = pair.partition(":")[2]
    return password if password.startswith(MARK) else None


class BadTokens:
    """Counts wrong tokens by address, within the last minute.

    Who has used up his tries hears so only for wrong tokens: behind a proxy all share one address, and a
    stranger who guesses must not lock out the others. (A token has 256 random bits: nobody guesses one.)
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, deque[float]] = {}

    def wait_seconds(self, address: str) -> int:
        """Counts one more; 0, or in how many seconds the address may try again."""
        network, now = _network(address), self._clock()
        tries = self._tries.pop(network, None) or deque(maxlen=BAD_TOKENS_A_MINUTE)
        self._tries[network] = tries  # at the end: the last to be forgotten
        if len(self._tries) > _ADDRESSES:
            del self._tries[next(iter(self._tries))]
        while tries and now - tries[0] >= _MINUTE_SECONDS:
            tries.popleft()
        if len(tries) == BAD_TOKENS_A_MINUTE:
            return int(_MINUTE_SECONDS - (now - tries[0])) + 1
        tries.append(now)
        return 0


def _network(address: str) -> str:
    """An IPv6 address by its first 64 bits: all others are its owner's to choose."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return address
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
