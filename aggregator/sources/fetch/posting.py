"""POST requests to webhooks.

The SSRF guard applies as for feeds: a server's name is resolved once, and a private address is refused unless it is
in `fetch.allow_private`. Redirects are not followed, so the operator must enter a new URL. The body of a response is
not read.
"""

import contextlib
from collections.abc import Mapping

import httpx

from aggregator.config.tuning import Tuning
from aggregator.model.clock import Clock
from aggregator.model.structs import FrozenStruct
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.connections.public_addresses import networks_of
from aggregator.sources.fetch.connections.request_budget import RequestBudget
from aggregator.sources.fetch.connections.ssrf_guard import SsrfGuard
from aggregator.sources.fetch.connections.transport import (
    GuardedTransport,
    fetch_error,
    meaning,
    parse_address,
)
from aggregator.sources.fetch.rate_limiter import parse_retry_after
from aggregator.sources.fetch.request_headers import user_agent
from aggregator.sources.fetch.server_keys import server_of
from aggregator.sources.source_limits import net_tuning


class PostResult(FrozenStruct):
    """The result of one request. `status` is None without a response; then `problem` has the reason.

    `problem` contains no part of the URL except its host. `is_stopped` means that `close` ended the request.
    """

    status: int | None
    problem: str = ""
    retry_after_seconds: float | None = None
    is_stopped: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver accepted the request."""
        return self.status is not None and 200 <= self.status < 300


class WebhookPoster:
    """Sends requests, each on a connection of its own. Thread-safe."""

    def __init__(
        self,
        settings: ClientSettings,
        all_tuning: Tuning,
        *,
        deadline_seconds: float,
        response_cap_bytes: int,
        now: Clock,
    ) -> None:
        """Limit a whole request to `deadline_seconds`, and the whole response to `response_cap_bytes`."""
        self._tuning = net_tuning(all_tuning)
        self._agent = user_agent(settings.contact)
        self._deadline_seconds = deadline_seconds
        self._response_cap_bytes = response_cap_bytes
        self._now = now
        self._stopped = False
        self._guard = SsrfGuard(networks_of(settings.allow_private))
        self._transport = GuardedTransport(self._guard)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send one POST. Errors are in the result.

        Raise TooManyFilesError if this process cannot open a connection, which is not the receiver's fault.
        """
        try:
            target = parse_address(url)
            server = server_of(target)
            budget = RequestBudget(
                self._deadline_seconds,
                self._response_cap_bytes,
                {server[1]},
                {server},
            )
            request = httpx.Request(
                "POST",
                target,
                headers={"User-Agent": self._agent, "Connection": "close", **headers},
                content=body,
            )
            with (
                self._guard.budget(budget),
                contextlib.closing(self._transport.handle_request(request)) as response,
            ):
                status, problem = response.status_code, ""
                if not response.is_success:
                    problem = f"http {status}: {meaning(status)}"
                return PostResult(
                    status=status,
                    problem=problem,
                    retry_after_seconds=parse_retry_after(
                        response.headers.get("retry-after"), self._now(), self._tuning
                    ),
                )
        except Exception as error:  # noqa: BLE001 - libraries may raise anything because of a server's data
            failed = fetch_error(error, host_of(url))
        words = str(failed)
        if failed.cause == "address":
            words = "the address cannot be used"
        return PostResult(status=None, problem=words, is_stopped=self._stopped)

    def close(self) -> None:
        """Stop: running requests end at once, and later requests are not sent."""
        # This is set first, because a connection that is cut looks as if the receiver had closed it.
        self._stopped = True
        self._guard.stop()
        self._transport.close()


def host_of(url: str) -> str:
    """Return the host of a URL, for logs; "" if it is invalid."""
    try:
        return httpx.URL(url.strip()).host
    except (httpx.InvalidURL, ValueError):
        return ""
