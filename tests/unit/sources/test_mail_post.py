"""Mail over SMTP to a server on loopback: TLS, login, refusals, and addresses that are not reached."""

import threading
from email.message import EmailMessage
from pathlib import Path

import pytest

from aggregator.config.delivery_settings import MailSecurity
from aggregator.config.delivery_settings import MailServer as Server
from aggregator.sources.fetch.client import ClientSettings
from aggregator.sources.fetch.mails.mail_posting import MailPoster
from tests.support.certificate import server_context, trust
from tests.support.loopback import LoopbackServer
from tests.support.mail_server import PASSWORD, USER, MailServer

SENDER = "news@a.example"
LOOPBACK = ("127.0.0.0/8",)


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        SENDER,
        "anna@b.example",
        "Übersicht",
    )
    message["Message-ID"] = "<msg_1@a.example>"
    message.set_content("Grüße")
    return message


def at(port: int, security: MailSecurity = "none", **login: str) -> Server:
    """A server on loopback."""
    return Server(
        host="127.0.0.1", port=port, security=security, sender=SENDER, **login
    )


def poster(*networks: str, seconds: float = 5.0) -> MailPoster:
    return MailPoster(ClientSettings(allow_private=networks), deadline_seconds=seconds)


def test_mail_arrives_whole() -> None:
    with MailServer() as server:
        sent = poster(*LOOPBACK).send(at(server.port), mail())
        assert sent.is_accepted
        (taken,) = server.taken
        assert (taken["Subject"], taken.get_content().strip()) == ("Übersicht", "Grüße")
        assert server.ids() == ["<msg_1@a.example>"]


def test_a_private_address_is_refused_unless_it_is_allowed() -> None:
    with MailServer() as server:
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "::1"):
            sent = poster().send(
                Server(host=host, port=server.port, security="none", sender=SENDER),
                mail(),
            )
            assert not sent.is_accepted
            assert "fetch.allow_private" in sent.problem
        assert server.came == 0


def test_a_name_is_resolved_once_and_every_address_of_it_is_checked() -> None:
    asked: list[str] = []

    def resolve(name: str, _port: int, _seconds: float) -> list[str]:
        asked.append(name)
        return ["93.184.216.34", "127.0.0.1"]

    guarded = MailPoster(ClientSettings(), deadline_seconds=5.0, resolve=resolve)
    sent = guarded.send(
        Server(host="mail.example", port=25, security="none", sender=SENDER), mail()
    )
    assert "127.0.0.1" in sent.problem
    assert asked == ["mail.example"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("451 later", "smtp 451: the mail server refuses it"),
        ("554 no anna@b.example", "smtp 554: the server refuses the mail"),
    ],
)
def test_a_refusal_is_told_without_the_words_of_the_server(
    answer: str, words: str
) -> None:
    with MailServer() as server:
        server.answer = lambda: answer
        sent = poster(*LOOPBACK).send(at(server.port), mail())
        assert (sent.status, sent.problem) == (None, words)


def test_a_server_that_is_no_mail_server_or_away() -> None:
    with LoopbackServer() as web:
        sent = poster(*LOOPBACK, seconds=0.3).send(at(web.port), mail())
    assert not sent.is_accepted
    assert sent.problem
    away = poster(*LOOPBACK).send(at(9), mail())
    assert "127.0.0.1" in away.problem or "connection" in away.problem.lower()


def test_without_encryption_no_password_is_sent() -> None:
    with MailServer() as server:
        sent = poster(*LOOPBACK).send(
            at(server.port, "starttls", user=USER, password=PASSWORD), mail()
        )
        assert (
            sent.problem
            == "the mail server does not offer the encryption or the login that its address asks for"
        )
        assert server.logins == []


def test_login_after_starttls_with_a_certificate_that_is_checked(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MailServer(server_context(certificate)) as server:
        given = at(server.port, "starttls", user=USER, password=PASSWORD)
        unknown = poster(*LOOPBACK).send(given, mail())
        assert "certificate" in unknown.problem
        assert server.logins == []
        trust(certificate, monkeypatch)
        assert poster(*LOOPBACK).send(given, mail()).is_accepted
        wrong = at(server.port, "starttls", user=USER, password="no")
        refused = poster(*LOOPBACK).send(wrong, mail())
        assert (
            refused.problem == "smtp 535: the server refuses the user or the password"
        )
        assert len(server.taken) == 1


def test_a_stop_ends_a_connection_that_hangs() -> None:
    with MailServer() as server:
        entered, ended = threading.Event(), threading.Event()

        def hang() -> str:
            entered.set()
            ended.wait(20.0)
            return "250 taken"

        server.answer = hang
        sending = poster(*LOOPBACK, seconds=60.0)
        results = []
        thread = threading.Thread(
            target=lambda: results.append(sending.send(at(server.port), mail()))
        )
        thread.start()
        assert entered.wait(20.0)
        sending.close()
        thread.join(20.0)
        ended.set()
        assert [one.is_stopped for one in results] == [True]
