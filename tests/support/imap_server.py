"""An IMAP server on loopback, as far as a reader needs one; tests may answer single commands themselves."""

import base64
import contextlib
import re
import socketserver
import ssl
from collections.abc import Callable, Iterable, Iterator
from threading import Event, Thread

import httpcore

from aggregator.sources.fetch.connections.ssrf_guard import Dial
from tests.support.loopback import Closing
from tests.support.world import Time

USER, PASSWORD = "anna@example.org", 'Zoë "s3cret\\'
Answer = Callable[[str], bytes | Iterable[bytes] | None]


class ImapServer(Closing):
    """Holds one folder, `messages` by their UID. `commands` are those received, without the tags.

    `hostile` gets a command and returns what is sent in place of the answer, or None. `$` in it becomes the
    tag of the command; after b"" the server hangs up.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        folder: str = "INBOX",
    ) -> None:
        self.messages: dict[int, bytes] = {}
        self.validity = 7
        self.folder = folder
        self.offers = ["AUTH=PLAIN"]
        self.commands: list[str] = []
        self.secrets: list[str] = []
        self.hostile: Answer = lambda _: None
        self.greeting = b"* OK ready\r\n"
        self.starttls = starttls
        self.stopping = Event()
        self.silent = Event()
        self._server = _Server(("127.0.0.1", 0), _Session)
        self._server.owner = self
        self._server.tls = tls
        self.port: int = self._server.server_address[1]
        self._scheme = "imaps" if tls else "imap"
        Thread(target=self._server.serve_forever, args=(0.005,), daemon=True).start()

    def add(self, *mails: bytes) -> None:
        """Deliver messages."""
        for one in mails:
            self.messages[max(self.messages, default=0) + 1] = one

    def url(self, folder: str = "INBOX", host: str = "127.0.0.1") -> str:
        """The address of a folder."""
        return f"{self._scheme}://{host}:{self.port}/{folder}"

    def names(self) -> list[str]:
        """The names of the commands received."""
        return [re.match(r"(?:UID )?\S+", one)[0] for one in self.commands]  # type: ignore[index]

    def hang(self) -> Iterator[bytes]:
        """Say nothing any more; `dial` knows."""
        self.silent.set()
        self.stopping.wait(60)
        yield from ()

    def dial(self, time: Time) -> Dial:
        """Connections on which all the seconds to wait pass by `time` at once where the server is silent."""

        def dial(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
            self.silent.clear()
            stream = httpcore.SyncBackend().connect_tcp(address, port, timeout=seconds)
            receive = stream.read

            def read(max_bytes: int, timeout: float | None = None) -> bytes:
                while True:
                    with contextlib.suppress(httpcore.ReadTimeout):
                        return receive(max_bytes, 0.05)
                    if self.silent.is_set():
                        time.run(timeout or 0.0)
                        raise httpcore.ReadTimeout

            stream.read = read  # type: ignore[method-assign]
            return stream

        return dial

    def close(self) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    owner: ImapServer
    tls: ssl.SSLContext | None
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


class _Session(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            if self.server.tls:
                self.request = self.server.tls.wrap_socket(
                    self.request, server_side=True
                )
            self._talk()
        except (OSError, ssl.SSLError):
            pass  # the client hung up
        finally:
            # The server closes the socket that was given, not the encrypted one
            self.request.close()

    def _talk(self) -> None:
        owner = self.server.owner
        lines = self.request.makefile("rb")
        self.request.sendall(owner.greeting)
        while line := lines.readline():
            tag, _, command = line.decode("latin-1").strip().partition(" ")
            if not command.startswith("LOGIN"):
                owner.commands.append(command)
            own = owner.hostile(command)
            if own == b"":
                return
            if own is not None:
                for part in [own] if isinstance(own, bytes) else own:
                    self.request.sendall(part.replace(b"$", tag.encode()))
                continue
            if command == "STARTTLS" and owner.starttls:
                self.request.sendall(f"{tag} OK begin\r\n".encode())
                self.request = owner.starttls.wrap_socket(
                    self.request, server_side=True
                )
                lines = self.request.makefile("rb")
                continue
            if command == "AUTHENTICATE PLAIN":
                self.request.sendall(b"+ \r\n")
                command = f"AUTHENTICATE {lines.readline().decode().strip()}"
            self.request.sendall(self._answer(tag, command))
            if command == "LOGOUT":
                return

    def _answer(self, tag: str, command: str) -> bytes:
        owner, uids = self.server.owner, sorted(self.server.owner.messages)
        name, _, rest = command.partition(" ")
        done = f"{tag} OK done\r\n"
        if name == "CAPABILITY":
            is_plain = owner.starttls and not isinstance(self.request, ssl.SSLSocket)
            offers = ["STARTTLS"] if is_plain else owner.offers
            return f"* CAPABILITY IMAP4rev1 {' '.join(offers)}\r\n{done}".encode()
        if name in ("AUTHENTICATE", "LOGIN"):
            given = base64.b64decode(rest).decode() if name == "AUTHENTICATE" else rest
            owner.secrets.append(given)
            is_known = given in (f"\0{USER}\0{PASSWORD}", f'"{USER}" "s3cret"')
            return (done if is_known else f"{tag} NO {given!r} is wrong\r\n").encode()
        if name == "EXAMINE":
            if rest != f'"{owner.folder}"':
                return f"{tag} NO no such folder {PASSWORD.encode()!r}\r\n".encode()
            return (
                f"* FLAGS (\\Seen)\r\n* {len(uids)} EXISTS\r\n* 0 RECENT\r\n"
                f"* OK [UIDVALIDITY {owner.validity}] valid\r\n{tag} OK [READ-ONLY] done\r\n"
            ).encode()
        if command.startswith("UID SEARCH UID "):
            first = int(command.rsplit(maxsplit=1)[-1].partition(":")[0])
            found = [uid for uid in uids if uid >= first] or uids[-1:]
            return f"* SEARCH {' '.join(map(str, found))}\r\n{done}".encode()
        if command.startswith("UID SEARCH "):
            first, last = map(int, command.rsplit(maxsplit=1)[-1].split(":"))
            found = uids[first - 1 : last]
            return f"* SEARCH {' '.join(map(str, found))}\r\n{done}".encode()
        if command.startswith("UID FETCH") and "BODY.PEEK[]" in command:
            uid = int(rest.split()[1])
            data = owner.messages.get(uid)
            if data is None:
                return done.encode()
            return (
                f"* 1 FETCH (UID {uid} BODY[] {{{len(data)}}}\r\n".encode()
                + data
                + f")\r\n{done}".encode()
            )
        if name == "LOGOUT":
            return f"* BYE\r\n{done}".encode()
        return f"{tag} BAD {name} is not for readers\r\n".encode()


def mail(number: int, text: str, subject: str = "", more: str = "") -> bytes:
    """A newsletter."""
    return (
        f"Message-ID: <{number}@news.example>\r\nMIME-Version: 1.0\r\n"
        "From: Harbour Post <news@harbour.example>\r\n"
        f"List-Id: Harbour Post <list.harbour.example>\r\nSubject: {subject or f'Briefing {number}'}\r\n"
        f"Date: Mon, 12 Oct 2026 {10 + number % 12}:{number % 60:02}:00 +0000\r\n{more}"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
    ).encode()
