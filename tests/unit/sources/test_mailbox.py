"""Reading a mailbox over IMAP from a server on loopback, good and hostile."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.mails.mailbox import ReadMailbox, read_mailbox
from aggregator.sources.source_limits import source_tuning
from tests.support.certificate import server_context, trust
from tests.support.imap_server import PASSWORD, USER, ImapServer, mail
from tests.support.tables import each_row, mapping, repeated, rows
from tests.support.waiting import PATIENCE_SECONDS, wait_until
from tests.support.world import Time

TUNING = replace(source_tuning(Tuning()), max_entries=5, max_article_bytes=20_000)
DEADLINE_SECONDS = 5.0
LOOPBACK = ("127.0.0.0/8",)


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    with ImapServer() as server:
        yield server


def read(server: ImapServer, state: str | None = None, **more: object) -> ReadMailbox:
    options = {
        "folder": "INBOX",
        "host": "127.0.0.1",
        "user": USER,
        "password": PASSWORD,
    }
    options |= {"networks": LOOPBACK, "tuning": TUNING, "time": Time()} | more
    time: Time = options["time"]  # type: ignore[assignment]
    client = Client(
        ClientSettings(allow_private=options["networks"]),  # type: ignore[arg-type]
        Tuning({"net": {"fetch_deadline_seconds": DEADLINE_SECONDS}}),
        dial=server.dial(time),
        clock=time.monotonic,
    )
    address = server.url(quote(str(options["folder"])), str(options["host"]))
    try:
        address = address.replace("://", f"://{quote(str(options['user']), safe='')}@")
        return read_mailbox(
            client, address, str(options["password"]), options["tuning"], state
        )  # type: ignore[arg-type]
    finally:
        client.close()


def numbers(found: ReadMailbox) -> list[int]:
    return [one.number for one in found.messages]


def fails(server: ImapServer, **more: object) -> str:
    with pytest.raises(FetchError) as caught:
        read(server, **more)  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


@pytest.mark.later
def test_the_newest_messages_first_then_those_that_arrive(imap: ImapServer) -> None:
    imap.add(*(mail(n, "x") for n in range(1, 9)))
    first = read(imap)
    assert (numbers(first), first.state, first.count, first.has_more) == (
        [4, 5, 6, 7, 8],
        "7/8",
        8,
        False,
    )
    assert first.messages[0].data == imap.messages[4]
    again = read(imap, first.state)
    assert (numbers(again), again.state, again.has_more) == ([], "7/8", False)
    imap.add(*(mail(n, "y") for n in range(9, 16)))
    second = read(imap, again.state)
    assert (numbers(second), second.state, second.has_more) == (
        [9, 10, 11, 12, 13],
        "7/13",
        True,
    )
    third = read(imap, second.state)
    assert (numbers(third), third.has_more) == ([14, 15], False)


@pytest.mark.later
def test_nothing_is_changed_at_the_server(imap: ImapServer) -> None:
    imap.add(mail(1, "x"))
    read(imap)
    read(imap, "7/0")
    assert set(imap.names()) == {
        "CAPABILITY", "AUTHENTICATE", "EXAMINE", "UID FETCH", "UID SEARCH", "LOGOUT"
    }  # fmt: skip
    bodies = [one for one in imap.commands if "BODY" in one]
    assert bodies == ["UID FETCH 1 (UID BODY.PEEK[])"] * 2


@pytest.mark.later
def test_an_empty_folder_and_a_message_that_is_gone(imap: ImapServer) -> None:
    assert (read(imap).state, read(imap).messages) == ("7/0", ())
    imap.add(mail(1, "x"), mail(2, "x"))
    imap.hostile = lambda said: (
        b"$ OK done\r\n" if said.startswith("UID FETCH 1 ") else None
    )
    found = read(imap, "7/0")
    assert (numbers(found), found.state, found.has_more) == ([2], "7/2", False)


@pytest.mark.later
def test_a_long_message_is_left_out_and_the_others_are_read(imap: ImapServer) -> None:
    imap.add(mail(1, "x"), mail(2, "x" * 30_000), mail(3, "x"))
    found = read(imap, "7/0")
    assert [(one.number, one.data is None) for one in found.messages] == [
        (1, False),
        (2, True),
    ]
    assert found.has_more
    assert numbers(read(imap, found.state)) == [3]


@pytest.mark.later
@pytest.mark.parametrize("state", [None, "7/0"])
def test_long_messages_are_read_in_several_polls(
    imap: ImapServer, state: str | None
) -> None:
    imap.add(*(mail(n, "x" * 16_000) for n in range(1, 6)))
    first = read(imap, state)
    assert first.has_more
    second = read(imap, first.state)
    assert numbers(first) + numbers(second) == [1, 2, 3, 4, 5]


@pytest.mark.later
@each_row("mailbox", "names of folders", "folder", "sent")
def test_names_of_folders(imap: ImapServer, folder: str, sent: str) -> None:
    imap.folder = sent.strip('"') if "\\" not in sent else sent[1:-1]
    read(imap, folder=folder)
    assert f"EXAMINE {sent}" in imap.commands


@pytest.mark.later
def test_a_server_without_sasl_gets_a_login(imap: ImapServer) -> None:
    imap.offers = []
    read(imap, password="s3cret")
    assert imap.secrets == [f'"{USER}" "s3cret"']
    assert fails(imap) == "login: the server takes only ASCII in users and passwords"
    assert fails(imap, user="a\r\nX LOGOUT", password="b") == (
        "address: a user or folder contains a control character"
    )
    imap.offers = ["LOGINDISABLED"]
    assert fails(imap, password="s3cret") == "login: the server takes no passwords"


@pytest.mark.later
def test_refusals_have_a_cause_without_the_words_of_the_server(
    imap: ImapServer,
) -> None:
    assert (
        fails(imap, password="s3cret!")
        == "login: the server refuses the user or the password"
    )
    assert (
        fails(imap, folder="Spam")
        == "folder: the server has no folder 'Spam', or does not open it"
    )
    imap.greeting = b"* BYE s3cret\r\n"
    assert fails(imap) == "protocol: 127.0.0.1 does not answer as an IMAP server"


@pytest.mark.later
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0.0.0.0", "[::1]", "127.1", "2130706433"]
)
def test_private_addresses_are_refused_unless_allowed(
    imap: ImapServer, host: str
) -> None:
    assert fails(imap, host=host, networks=()).startswith("refused: ")
    assert imap.commands == []


@pytest.mark.later
@pytest.mark.parametrize("kind", ["tls", "starttls"])
def test_tls_with_a_certificate_that_is_checked(
    certificate: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ImapServer(**{kind: server_context(certificate)}) as server:
        server.add(mail(1, "x"))
        assert fails(server).startswith("tls: ")
        assert server.commands == [] if kind == "tls" else server.secrets == []
        trust(certificate, monkeypatch)
        assert numbers(read(server)) == [1]
        if kind == "starttls":
            assert server.commands.index("STARTTLS") < server.commands.index(
                "AUTHENTICATE PLAIN"
            )


@pytest.mark.later
def test_no_password_in_the_clear_but_on_this_machine(imap: ImapServer) -> None:
    imap.add(mail(1, "x"))
    assert numbers(read(imap)) == [1]
    client = Client(
        ClientSettings(allow_private=LOOPBACK),
        Tuning(),
        resolve=lambda *_: ["127.0.0.1"],
    )
    address = imap.url(host="mail.example").replace("://", "://anna@")
    with pytest.raises(FetchError, match="offers no STARTTLS"):
        read_mailbox(client, address, PASSWORD, TUNING)
    client.close()
    assert len(imap.secrets) == 1


def test_what_is_injected_before_the_encryption_is_refused(certificate: Path) -> None:
    with ImapServer(starttls=server_context(certificate)) as server:
        server.hostile = lambda said: (
            b"$ OK go\r\n* CAPABILITY X\r\n" if said == "STARTTLS" else None
        )
        assert (
            fails(server)
            == "tls: the server does not begin the encryption that it offers"
        )


ENDLESS = mapping("mailbox", "endless")


@pytest.mark.later
@pytest.mark.parametrize("what", ENDLESS)
def test_a_hostile_server_is_an_error_in_bounds(imap: ImapServer, what: str) -> None:
    imap.add(mail(1, "x"), mail(2, "x"))
    command, parts = ENDLESS[what]
    data = repeated(parts).encode("latin-1")
    imap.hostile = lambda said: data if said.startswith(command) else None
    if "literal" in what:  # the message is refused, and the rest is read the next time
        found = read(imap, "7/0")
        assert [(one.number, one.data) for one in found.messages] == [(1, None)]
        assert (found.state, found.has_more) == ("7/1", True)
        return
    cause = fails(imap, state="7/0").partition(":")[0]
    assert cause in ("protocol", "too_large", "connect", "login")


FRAGMENTS = [part.encode("latin-1") for part in rows("mailbox", "fragments")]


@pytest.mark.later
@settings(max_examples=25)
@given(
    parts=st.lists(
        st.lists(st.sampled_from(FRAGMENTS), max_size=5), min_size=1, max_size=4
    ),
    at=st.integers(0, 9),
    is_ended=st.booleans(),
    state=st.sampled_from([None, "7/0", "7/1", "7/2/3/2", "8/1", ""]),
)
def test_whatever_a_server_says_is_messages_or_an_error_without_its_words(
    parts: list[list[bytes]], at: int, is_ended: bool, state: str | None
) -> None:
    """From the command number `at` on, single answers are others."""
    with ImapServer() as server:
        server.add(*(mail(n, "x") for n in range(1, 4)))

        def said(number: int) -> Iterator[bytes]:
            yield b"".join(parts[number]) + (b"$ OK done\r\n" if is_ended else b"")
            server.silent.set()

        def answer(_: str) -> Iterator[bytes] | None:
            number = len(server.commands) - at
            return said(number) if 0 <= number < len(parts) else None

        server.hostile = answer
        try:
            found = read(server, state)
        except FetchError as error:
            words = str(error)
        else:
            words = " ".join(one.problem for one in found.messages if one.data is None)
            assert all(one.data is not None or one.problem for one in found.messages)
        assert "s3cret" not in words


FATAL = {
    "hangs up": lambda _: b"",
    "hangs": ImapServer.hang,
    "refuses": lambda _: b"$ NO s3cret\r\n",
    "garbage": lambda _: bytes(range(256)) * 10 + b"\r\n",
    "an announced length that is too short": lambda _: (
        b"* 1 FETCH (UID 3 BODY[] {4}\r\nSubject: a\r\n\r\nb\r\n)\r\n$ OK\r\n"
    ),
    "a length of many digits": lambda _: (
        b"* 1 FETCH (UID 3 BODY[] {" + b"9" * 4500 + b"}\r\n"
    ),
}


@pytest.mark.later
@pytest.mark.parametrize("what", FATAL)
@pytest.mark.parametrize("start", [None, "7/0"])
def test_a_message_at_which_the_connection_always_fails_is_left_out(
    imap: ImapServer, what: str, start: str | None
) -> None:
    imap.add(*(mail(n, "x") for n in range(1, 6)))
    if start is None:
        imap.messages = {n: one for n, one in imap.messages.items() if n > 2}
    imap.hostile = lambda said: (
        FATAL[what](imap) if said.startswith("UID FETCH 3") else None
    )
    state, taken, failed = start, [], []
    while state != "7/5":
        try:
            found = read(imap, state)
        except FetchError as error:
            state = error.state or state
            failed += re.findall(r"message 3 \(attempt \d of 3\)", str(error))
            continue
        state = found.state
        taken += [one if one.data is None else one.number for one in found.messages]
    (aside,) = [one for one in taken if not isinstance(one, int)]
    assert [one for one in taken if isinstance(one, int)] == (
        [4, 5] if start is None else [1, 2, 4, 5]
    )
    assert failed == ["message 3 (attempt 1 of 3)", "message 3 (attempt 2 of 3)"]
    assert aside.number == 3
    assert aside.problem.startswith("reading it failed 3 times (")
    assert "s3cret" not in aside.problem


@pytest.mark.later
def test_attempts_at_a_message_that_is_gone_do_not_count_for_the_next(
    imap: ImapServer,
) -> None:
    imap.add(mail(1, "x"), mail(2, "x"))
    imap.hostile = lambda said: b"" if "BODY" in said else None
    assert "message 2 (attempt 1 of 3)" in fails(imap, state="7/1/1/2")
    one_message = replace(TUNING, max_entries=1)
    assert "message 2 (attempt 1 of 3)" in fails(
        imap, state="6/1/2/2", tuning=one_message
    )
    assert "message 2 (attempt 2 of 3)" in fails(imap, state="7/1/2/1")


@pytest.mark.later
@pytest.mark.parametrize(
    "said", [(b"* X {" + b"9" * 4500 + b"}\r\n",), (b"\xff" * 1000 + b"\r\n",), ()]
)
def test_what_was_read_is_kept_however_the_server_takes_leave(
    imap: ImapServer, said: tuple[bytes, ...]
) -> None:
    def leave(command: str) -> Iterable[bytes] | None:
        return (said or imap.hang()) if command == "LOGOUT" else None

    imap.add(mail(1, "x"))
    imap.hostile = leave
    assert numbers(read(imap)) == [1]


@pytest.mark.later
def test_numbers_that_lie_do_not_move_the_state_back(imap: ImapServer) -> None:
    imap.add(mail(1, "x"))
    imap.hostile = lambda said: (
        b"* SEARCH 3 2 x 99999999999999 -4 7\r\n$ OK done\r\n"
        if said.startswith("UID SEARCH")
        else None
    )
    found = read(imap, "7/5")
    assert (numbers(found), found.state) == ([], "7/7")


@pytest.mark.later
@pytest.mark.parametrize("sent", [(), b"*" * 10_000])
def test_a_server_that_hangs_or_drips_is_cut_at_the_deadline(
    imap: ImapServer, sent: Iterable[int]
) -> None:
    time = Time()
    began = time.monotonic()

    def drip(_: str) -> Iterator[bytes]:
        for one in sent:
            yield bytes([one])
            time.run(0.05)

    imap.hostile = drip if sent else lambda _: imap.hang()
    assert fails(imap, time=time).startswith("timeout: ")
    assert time.monotonic() - began >= DEADLINE_SECONDS


def test_a_stop_ends_a_connection_that_hangs(imap: ImapServer) -> None:
    imap.hostile = lambda _: imap.hang()
    client = Client(ClientSettings(allow_private=LOOPBACK), Tuning())
    ended: list[str] = []

    def ask() -> None:
        try:
            read_mailbox(client, imap.url().replace("://", "://a@"), "b", TUNING)
        except FetchError as error:
            ended.append(error.cause)

    thread = Thread(target=ask)
    thread.start()
    wait_until(lambda: imap.commands, "a command")
    client.close()
    thread.join(PATIENCE_SECONDS)
    # The poller asks whether the program ends
    assert ended in (["stopped"], ["connect"])
