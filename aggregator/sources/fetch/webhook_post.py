"""Posting to an address that the operator typed: one request, its status, and nothing of the answer kept.

The same guard as for feeds: a name that leads into a private network is refused unless `fetch.allow_private`
has it. Redirects are not followed: whoever moved says so to the operator, not to us.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import closing

import httpx
import msgspec

from aggregator.config.tuning import Tuning
from aggregator.model.errors import ConfigError, FetchError, TooManyFilesError
from aggregator.sources.fetch.client import ClientSettings, user_agent
from aggregator.sources.fetch.rate_limiter import parse_retry_after
from aggregator.sources.fetch.ssrf_guard import (
    Dial,
    RequestBudget,
    Resolve,
    SsrfGuard,
    networks_of,
    system_dial,
    system_resolve,
)
from aggregator.sources.fetch.transport import (
    GuardedTransport,
    as_our_error,
    meaning,
    name_of,
    parsed,
    port_of,
    tls_of,
)
from aggregator.sources.limits import net_tuning


class PostResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one request: `status` as answered; None where no answer came, and `problem` says why.

    `problem` never names more of the address than its host. `is_stopped`: we ended it ourselves.
    """

    status: int | None
    problem: str = ""
    retry_after_seconds: float | None = None
    is_stopped: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver said that it has it."""
        return self.status is not None and 200 <= self.status < 300


class WebhookPoster:
    """Sends requests, each on a connection of its own. Safe to use from many threads.

    `resolve` and `dial` are there for tests: a test never leaves loopback.
    """

    def __init__(
        self,
        settings: ClientSettings,
        all_tuning: Tuning,
        *,
        deadline_seconds: float,
        answer_cap_bytes: int,
        now: Callable[[], dt.datetime],
        resolve: Resolve = system_resolve,
        dial: Dial = system_dial,
    ) -> None:
        """`deadline_seconds` holds a whole request, `answer_cap_bytes` all that comes back."""
        self._tuning = net_tuning(all_tuning)
        self._agent = user_agent(settings.contact)
        self._deadline_seconds = deadline_seconds
        self._answer_cap_bytes = answer_cap_bytes
        self._now = now
        self._stopped = False
        try:
            exceptions = networks_of(settings.allow_private)
        except ValueError as error:
            raise ConfigError(f"fetch.allow_private: {error}") from error
        self._guard = SsrfGuard(exceptions, resolve, dial)
        # A kept connection that died meanwhile would look like a receiver that failed.
        self._transport = GuardedTransport(self._guard, tls_of(settings.ca_file), most_idle_connections=0)

    @property
    def longest_wait_seconds(self) -> float:
        """The longest that an answer may ask to wait."""
        return self._tuning.retry_after_most_seconds

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """One POST. Whatever goes wrong is in what it gives back.

        Raises TooManyFilesError where this process may open no connection: that is not the receiver's doing.
        """
        host = host_of(url)
        try:
            return self._post(parsed(url, self._tuning.url_cap_chars), body, headers)
        except Exception as error:
            failed = as_our_error(error, host)
            if isinstance(failed, TooManyFilesError):
                raise failed from error
        is_unusable = isinstance(failed, FetchError) and failed.cause == "address"
        words = "the address cannot be used" if is_unusable else str(failed)
        return PostResult(status=None, problem=words, is_stopped=self._stopped)

    def close(self) -> None:
        """Stop: requests under way end at once, later ones are not sent."""
        self._stopped = True  # first: a connection that is cut looks like one that the receiver closed
        self._guard.stop()
        self._transport.close()

    def _post(self, url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> PostResult:
        port = port_of(url)
        home = frozenset({(name_of(url), port)})  # the operator typed it
        budget = RequestBudget(self._deadline_seconds, self._answer_cap_bytes, frozenset({port}), home=home)
        request = httpx.Request(
            "POST", url, headers={"User-Agent": self._agent, "Connection": "close", **headers}, content=body
        )
        with (
            self._guard.budget(budget),
            closing(self._transport.handle_request(request)) as response,
        ):
            return self._read(response)

    def _read(self, response: httpx.Response) -> PostResult:
        """The head says it all: the rest of an answer is not read."""
        status = response.status_code
        wait = parse_retry_after(response.headers.get("retry-after"), self._now(), self._tuning)
        problem = "" if 200 <= status < 300 else f"http {status}: {meaning(status)}"
        return PostResult(status=status, problem=problem, retry_after_seconds=wait)


def host_of(url: str) -> str:
    """The host of an address, for logs; "" where it is none."""
    try:
        return httpx.URL(url.strip()).host
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return ""
