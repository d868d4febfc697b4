"""Sends mail over SMTP, on connections of the guard."""

import contextlib
import smtplib
import socket
from email.message import EmailMessage
from typing import Any

from aggregator.config.delivery_settings import MailServer
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.connections.certificates import tls_of
from aggregator.sources.fetch.connections.public_addresses import networks_of
from aggregator.sources.fetch.connections.request_budget import RequestBudget
from aggregator.sources.fetch.connections.ssrf_guard import Resolve, SsrfGuard
from aggregator.sources.fetch.connections.transport import fetch_error
from aggregator.sources.fetch.posting import PostResult

_MEANINGS = {
    421: "the server is not available",
    450: "the mailbox is not available at the moment",
    535: "the server refuses the user or the password",
    550: "the server refuses the recipient or the sender",
    552: "the mailbox is full",
    554: "the server refuses the mail",
}


class _GuardedSmtp(smtplib.SMTP):
    """A session on a connection of the guard; connects at once."""

    def __init__(
        self, guard: SsrfGuard, server: MailServer, domain: str, seconds: float
    ) -> None:
        """Greet the server as `domain`; wait `seconds` for the connection and for each answer."""
        self._guard, self._server = guard, server
        super().__init__(
            server.host, server.port, local_hostname=domain, timeout=seconds
        )

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        """Connect to a checked address; smtplib's method for this is meant to be replaced."""
        budget = RequestBudget.to_server(timeout, 1 << 20, (host, port))
        with self._guard.budget(budget):
            stream = self._guard.connect_tcp(host, port, timeout)
        connected = stream.get_extra_info("socket")
        connected.settimeout(timeout)
        if self._server.security == "tls":
            return tls_of().wrap_socket(connected, server_hostname=host)
        return connected


class MailPoster:
    """Sends mail, each on a connection of its own. Thread-safe.

    Only tests pass `resolve`; they use loopback only.
    """

    def __init__(
        self,
        settings: ClientSettings,
        *,
        deadline_seconds: float,
        resolve: Resolve | None = None,
    ) -> None:
        """Limit the connection and each answer of the server to `deadline_seconds`."""
        self._guard = SsrfGuard(networks_of(settings.allow_private), resolve)
        self._deadline_seconds = deadline_seconds
        self._open: set[smtplib.SMTP] = set()
        self._stopped = False

    def send(self, server: MailServer, message: EmailMessage) -> PostResult:
        """Send one mail to the address in its `To`. Errors are returned in the result.

        Raise TooManyFilesError if this process cannot open a connection.
        """
        try:
            domain = str(message["From"]).rpartition("@")[2]
            client = _GuardedSmtp(self._guard, server, domain, self._deadline_seconds)
            self._open.add(client)
            try:
                if server.security == "starttls":
                    client.starttls(context=tls_of())
                if server.user is not None:
                    client.login(server.user, server.password)
                client.send_message(message)
                with contextlib.suppress(
                    smtplib.SMTPException, OSError
                ):  # it was accepted
                    client.quit()
            finally:
                client.close()
                self._open.discard(client)
        # A server's text is not quoted: it may repeat the words it was sent
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
            problem = str(failed)
            if failed.cause == "protocol":
                problem = f"{server.host} does not answer as a mail server"
        else:
            return PostResult(status=250)
        return PostResult(status=None, problem=problem, is_stopped=self._stopped)

    def close(self) -> None:
        """Stop: running connections end at once, later ones are not opened."""
        self._stopped = True
        self._guard.stop()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                if connection.sock is not None:
                    connection.sock.shutdown(socket.SHUT_RDWR)
