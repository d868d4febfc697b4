"""POST requests to webhooks, and mail to one recipient over SMTP, with TLS.

The SSRF guard applies as for feeds: a server's name is resolved once, and a private address is refused unless
it is in `fetch.allow_private`. Redirects are not followed: the operator must enter a new URL. The body of a
response is read on request only.
"""

import contextlib
import smtplib
import socket
from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any

import httpx
from msgspec.structs import replace

from aggregator.config.settings import MailServer
from aggregator.config.tuning import Tuning
from aggregator.model.core import Clock, FrozenStruct
from aggregator.sources.fetch.certificates import tls_of
from aggregator.sources.fetch.client import ClientSettings, user_agent
from aggregator.sources.fetch.rate_limiter import parse_retry_after
from aggregator.sources.fetch.ssrf_guard import (
    RequestBudget,
    Resolve,
    SsrfGuard,
    networks_of,
)
from aggregator.sources.fetch.transport import (
    GuardedTransport,
    fetch_error,
    meaning,
    name_of,
    parsed,
    port_of,
)
from aggregator.sources.limits import net_tuning
from aggregator.sources.parse.streams.content_coding import decompress_body


class PostResult(FrozenStruct):
    """The result of one request: `status`, or None without a response, with the reason in `problem`.

    `problem` contains no more of the URL than its host. `is_stopped`: the request was ended by `close`.
    """

    status: int | None
    problem: str = ""
    retry_after_seconds: float | None = None
    is_stopped: bool = False
    body: bytes = b""  # if it was requested

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
        """`deadline_seconds` limits a whole request, `response_cap_bytes` the whole response."""
        self._tuning = net_tuning(all_tuning)
        self._agent = user_agent(settings.contact)
        self._deadline_seconds = deadline_seconds
        self._response_cap_bytes = response_cap_bytes
        self._now = now
        self._stopped = False
        self._guard = SsrfGuard(networks_of(settings.allow_private))
        self._transport = GuardedTransport(self._guard)

    def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, reads: bool = False
    ) -> PostResult:
        """Send one POST; with `reads` also read the body of an accepted response. Errors are in the result.

        Raise TooManyFilesError if this process cannot open a connection, which is not the receiver's fault.
        """
        host = host_of(url)
        try:
            return self._post(parsed(url), body, headers, reads=reads)
        except Exception as error:  # noqa: BLE001 - libraries may raise anything because of a server's data
            failed = fetch_error(error, host)
        words = (
            "the address cannot be used" if failed.cause == "address" else str(failed)
        )
        return PostResult(status=None, problem=words, is_stopped=self._stopped)

    def close(self) -> None:
        """Stop: running requests end at once, later ones are not sent."""
        # first, since a connection that is cut looks like one closed by the receiver
        self._stopped = True
        self._guard.stop()
        self._transport.close()

    def _post(
        self, url: httpx.URL, body: bytes, headers: Mapping[str, str], *, reads: bool
    ) -> PostResult:
        server = name_of(url), port_of(url)
        budget = RequestBudget.to_server(
            self._deadline_seconds, self._response_cap_bytes, server
        )
        request = httpx.Request(
            "POST",
            url,
            headers={"User-Agent": self._agent, "Connection": "close", **headers},
            content=body,
        )
        with (
            self._guard.budget(budget),
            contextlib.closing(self._transport.handle_request(request)) as response,
        ):
            status = response.status_code
            result = PostResult(
                status=status,
                problem=""
                if response.is_success
                else f"http {status}: {meaning(status)}",
                retry_after_seconds=parse_retry_after(
                    response.headers.get("retry-after"), self._now(), self._tuning
                ),
            )
            if reads and result.is_accepted:
                encoding = response.headers.get("content-encoding", "")
                content = decompress_body(
                    b"".join(response.iter_raw()), encoding, self._response_cap_bytes
                )
                result = replace(result, body=content)
            return result


def host_of(url: str) -> str:
    """Return the host of a URL, for logs; "" if it is invalid."""
    try:
        return httpx.URL(url.strip()).host
    except (httpx.InvalidURL, UnicodeError, ValueError):
        return ""


# --- mail ---------------------------------------------------------------------------------------------------

_MEANINGS = {
    421: "the server is not available",
    450: "the mailbox is not available at the moment",
    535: "the server refuses the user or the password",
    550: "the server refuses the recipient or the sender",
    552: "the mailbox is full",
    554: "the server refuses the mail",
}


class MailPoster:
    """Sends mail, each on a connection of its own. Thread-safe.

    `resolve` is a parameter for tests, which use loopback only.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        deadline_seconds: float,
        resolve: Resolve | None = None,
    ) -> None:
        """`deadline_seconds` limits the connection and each answer of the server."""
        self._guard = SsrfGuard(networks_of(settings.allow_private), resolve)
        self._deadline_seconds = deadline_seconds
        self._open: set[smtplib.SMTP] = set()
        self._stopped = False

    def send(self, server: MailServer, message: EmailMessage) -> PostResult:
        """Send one mail to the address in its `To`. Errors are returned in the result.

        Raise TooManyFilesError if this process cannot open a connection.
        """
        try:
            self._send(server, message)
        # Its text may repeat what it was sent
        except smtplib.SMTPResponseException as error:
            meaning = _MEANINGS.get(error.smtp_code, "the mail server refuses it")
            problem = f"smtp {error.smtp_code}: {meaning}"
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            problem = f"smtp {code}: {_MEANINGS.get(code, 'the server refuses the recipient')}"
        except smtplib.SMTPNotSupportedError:
            problem = "the mail server does not offer the encryption or the login that its address asks for"
        except Exception as error:  # noqa: BLE001 - libraries may raise anything because of a server's data
            failed = fetch_error(error, server.host)
            is_mail_server = failed.cause != "protocol"
            problem = (
                str(failed)
                if is_mail_server
                else f"{server.host} does not answer as a mail server"
            )
        else:
            return PostResult(status=250)
        return PostResult(status=None, problem=problem, is_stopped=self._stopped)

    def close(self) -> None:
        """Stop: running connections end at once, later ones are not opened."""
        self._stopped = True
        self._guard.stop()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                if one.sock is not None:
                    one.sock.shutdown(socket.SHUT_RDWR)

    def _send(self, server: MailServer, message: EmailMessage) -> None:
        host, port = server.host, server.port
        tls = None if server.security == "none" else tls_of()
        budget = RequestBudget.to_server(self._deadline_seconds, 1 << 20, (host, port))
        guard = self._guard

        class GuardedSmtp(smtplib.SMTP):
            def _get_socket(self, host: str, port: int, timeout: float) -> Any:
                """Connect to a checked address; smtplib's method for this is meant to be replaced."""
                with guard.budget(budget):
                    connected = guard.connect_tcp(host, port, timeout).get_extra_info(
                        "socket"
                    )
                connected.settimeout(timeout)
                if tls is not None and server.security == "tls":
                    return tls.wrap_socket(connected, server_hostname=host)
                return connected

        domain = str(message["From"]).rpartition("@")[2]
        client = GuardedSmtp(
            host, port, local_hostname=domain, timeout=self._deadline_seconds
        )
        self._open.add(client)
        try:
            if server.security == "starttls":
                client.starttls(context=tls)
            if server.user is not None:
                client.login(server.user, server.password)
            client.send_message(message)
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it was accepted
                client.quit()
        finally:
            client.close()
            self._open.discard(client)
