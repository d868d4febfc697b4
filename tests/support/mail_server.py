"""A mail server on loopback (aiosmtpd) that can be told how to answer, and the mail that it took."""

import ssl
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from tests.support.loopback import Closing, free_port
from tests.support.waiting import wait_until

USER, PASSWORD = "reader", "qX7secret"


class MailServer(Closing):
    """Takes mail from anyone, or with `tls` only after STARTTLS and a login."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.answer: Callable[[], str] = lambda: "250 taken"
        self.came = 0
        self.taken: list[EmailMessage] = []
        self.logins: list[str] = []
        self._lock = threading.Lock()
        given = {"tls_context": tls, "require_starttls": True, "auth_required": True}
        more: dict[str, Any] = (
            given | {"authenticator": self._login} if tls is not None else {}
        )
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port or free_port(), **more
        )
        self._controller.start()
        self.port: int = self._controller.port
        self.address = f"mailto://127.0.0.1:{self.port}?from=news@a.example"

    def _login(
        self,
        _server: object,
        _session: Session,
        _envelope: Envelope,
        kind: str,
        given: Any,
    ) -> AuthResult:
        assert isinstance(given, LoginPassword)
        is_right = (given.login, given.password) == (USER.encode(), PASSWORD.encode())
        self.logins.append(kind)
        return AuthResult(success=is_right, handled=False)

    async def handle_DATA(
        self, _server: object, _session: Session, envelope: Envelope
    ) -> str:
        answer = self.answer()
        with self._lock:
            self.came += 1
            if answer.startswith("250"):
                mail = message_from_bytes(
                    envelope.content or b"", policy=policy.default
                )
                assert isinstance(mail, EmailMessage)
                assert [mail["To"]] == envelope.rcpt_tos
                self.taken.append(mail)
        return answer

    def ids(self) -> list[str]:
        """The ids of the deliveries that were taken, in order."""
        return [str(mail["X-Delivery"]) for mail in self.taken]

    def wait(self, look: Callable[[], object]) -> None:
        """Until `look()` is true."""
        wait_until(look, "mail")

    def close(self) -> None:
        self._controller.stop()


def plain_text(mail: EmailMessage) -> str:
    """The text of a mail for people."""
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
