"""The web server in a thread of its own, beside the daemon's other work."""

import errno
import logging
import socket
import threading
import time

import msgspec
import uvicorn

from aggregator.errors import AggregatorError, ConfigError
from aggregator.publish.app import create_app
from aggregator.publish.bearers import Tokens
from aggregator.publish.connections import PunctualProtocol, give_up_unread
from aggregator.publish.desk import NewsDesk
from aggregator.publish.hosts import is_loopback
from aggregator.publish.push import Letterbox
from aggregator.publish.settings import PublishSettings
from aggregator.shelf import Shelf

START_DEADLINE_SECONDS = 10.0
STOP_DEADLINE_SECONDS = 5.0  # answers under way may end; then they are cut (the daemon must be gone in 10 s)
CONNECTIONS = 512  # at once, slow ones included; further requests get 503 until one ends


class Server:
    """uvicorn without signal handlers, access log or belief in forwarding headers.

    The access log would hold addresses with tokens in them; believing X-Forwarded-For would let a stranger
    claim to be this machine.
    """

    def __init__(
        self,
        shelf: Shelf,
        settings: PublishSettings,
        letterbox: Letterbox | None = None,
        desk: NewsDesk | None = None,
    ) -> None:
        """Without a `letterbox` nothing is pushed and no token known; without a `desk` nothing corrected."""
        self._shelf = shelf
        self._desk = desk
        self._letterbox = letterbox
        self._settings = settings
        self._uvicorn: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def url(self) -> str:
        """The bound address, `http://127.0.0.1:8080`; only after `start`."""
        bound = msgspec.structs.replace(self._settings, public_url="")
        return bound.base_url

    def start(self) -> str:
        """Binds, serves from another thread, and returns `url`.

        Raises ConfigError for an address that needs a token where there is none, AggregatorError when it
        cannot be bound.
        """
        refuse_open_address(self._settings, self._letterbox)
        self._socket = _bind(self._settings.host, self._settings.port)
        self._settings = msgspec.structs.replace(self._settings, port=self._socket.getsockname()[1])
        self._uvicorn = uvicorn.Server(self._uvicorn_config())
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()
        self._wait_until_started()
        return self.url

    def stop(self) -> None:
        """Takes no more requests, lets those under way end, and returns when the thread is gone."""
        if self._uvicorn and self._thread:
            self._uvicorn.should_exit = True
            self._thread.join(STOP_DEADLINE_SECONDS + 1)
        if self._socket:
            self._socket.close()
        self._uvicorn = self._thread = self._socket = None

    @property
    def is_serving(self) -> bool:
        """Whether the thread lives; the daemon's watchdog asks."""
        return self._thread is not None and self._thread.is_alive()

    def _uvicorn_config(self) -> uvicorn.Config:
        # Without `access_log` it still writes one where somebody hangs a handler on that logger.
        logging.getLogger("uvicorn.access").disabled = True
        return uvicorn.Config(
            create_app(self._shelf, self._settings, letterbox=self._letterbox, desk=self._desk),
            http=PunctualProtocol,
            access_log=False,
            log_config=None,  # the daemon has set up logging
            proxy_headers=False,
            server_header=False,
            lifespan="off",
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=int(STOP_DEADLINE_SECONDS),
        )

    def _serve(self) -> None:
        assert self._uvicorn is not None
        assert self._socket is not None
        self._uvicorn.run(sockets=[self._socket])

    def _wait_until_started(self) -> None:
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while self._uvicorn and not self._uvicorn.started:
            if not self.is_serving or time.monotonic() > deadline:
                self.stop()
                raise AggregatorError(f"the web server did not start on {self.url}; its log says why")
            time.sleep(0.01)


def refuse_open_address(settings: PublishSettings, tokens: Tokens | None) -> None:
    """Raises ConfigError where other machines reach the address and no token opens anything to anybody."""
    if is_loopback(settings.host) or (tokens is not None and tokens.any_may_read()):
        return
    raise ConfigError(
        f"server.host {settings.host!r} can be reached from other machines, which need a token, and there is "
        "none that may read: type `aggregator token create NAME --scope read` and start again, or set "
        "server.host to 127.0.0.1"
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by name: asyncio turns Nagle's delay off only then, and an answer takes 4 instead of 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    give_up_unread(listener)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise AggregatorError(_why_not_bound(host, port, error)) from error
    return listener


def _why_not_bound(host: str, port: int, error: OSError | OverflowError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program: stop that one or set another server.port"
    if number == errno.EACCES:
        return f"port {port} is for root alone: set server.port to one above 1023"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: set server.host to one that is, such as 127.0.0.1"
    return f"cannot listen on {host} port {port}: {error}"
