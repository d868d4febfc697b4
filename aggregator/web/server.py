"""The web server in a thread of its own, beside the daemon's other work."""

import asyncio
import errno
import logging
import socket
import threading
import time
from functools import partial
from typing import cast

import fastapi.dependencies.models
import msgspec
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from aggregator.config.hosts import is_loopback
from aggregator.model.errors import AggregatorError, ConfigError
from aggregator.model.read_model import StoryReader
from aggregator.web.api.push import PushEndpoint
from aggregator.web.app import create_app
from aggregator.web.editor import EditorService
from aggregator.web.health import HealthSource
from aggregator.web.security.connection_limits import (
    BACKLOG,
    ConnectionLimiter,
    TimeoutProtocol,
    give_up_unread,
    tell_in_words,
)
from aggregator.web.security.token_auth import TokenStore
from aggregator.web.security.trusted_proxies import TrustedProxies
from aggregator.web.settings import PublishSettings

START_DEADLINE_SECONDS = 10.0
STOP_DEADLINE_SECONDS = 5.0  # answers under way may end; then they are cut (the daemon must be gone in 10 s)


class Server:
    """uvicorn without signal handlers, access log or belief in forwarding headers.

    The access log would hold addresses with tokens in them; believing X-Forwarded-For would let a stranger
    claim to be this machine.
    """

    def __init__(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        push_endpoint: PushEndpoint | None = None,
        editor: EditorService | None = None,
        watch: HealthSource | None = None,
    ) -> None:
        """Without a `push_endpoint` nothing is pushed and no token known; without a `editor` nothing
        corrected.

        Without a `watch` `/healthz` alone tells how the daemon does.
        """
        self._wanted = (settings.host, settings.port)
        self._reader = reader
        self._editor = editor
        self._push_endpoint = push_endpoint
        self._watch = watch
        self._settings = settings
        self._listener: _Listener | None = None

    @property
    def url(self) -> str:
        """The bound address, `http://127.0.0.1:8080`; only after `start`."""
        return msgspec.structs.replace(self._settings, public_url="").base_url

    def start(self) -> str:
        """Binds, serves from another thread, and returns `url`.

        Raises ConfigError for an address that needs a token where there is none, AggregatorError when it
        cannot be bound.
        """
        refuse_open_address(self._settings, self._push_endpoint)
        self._listen(_bind(*self._wanted))
        return self.url

    def change(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        push_endpoint: PushEndpoint | None = None,
        editor: EditorService | None = None,
        watch: HealthSource | None = None,
    ) -> str:
        """Shows other things, or the same elsewhere, from now on; returns `url`.

        A request under way ends as it began. The connections stay where the address stays; else the new one
        is bound first and the old one let go then. Raises as `start`, and then all stays as it was.
        """
        assert self._listener is not None
        refuse_open_address(settings, push_endpoint)
        before = (self._wanted, self._reader, self._settings, self._push_endpoint, self._editor, self._watch)
        bound = self._settings.port
        self._reader, self._push_endpoint, self._editor, self._watch = reader, push_endpoint, editor, watch
        wanted = (settings.host, settings.port)
        try:
            if wanted == self._wanted:
                self._settings = msgspec.structs.replace(settings, port=bound)
                self._listener.show(self._app(), settings)
            else:
                self._wanted, self._settings = wanted, settings
                self._move()
        except Exception:
            self._wanted, self._reader, self._settings, self._push_endpoint, self._editor, self._watch = (
                before
            )
            if not self.is_serving:
                self._listen(_bind(self._settings.host, bound))
            raise
        _let_go_of_old_apps()
        return self.url

    def stop(self) -> None:
        """Takes no more requests, lets those under way end, and returns when the thread is gone."""
        if self._listener:
            self._listener.stop()
        self._listener = None
        _let_go_of_old_apps()

    @property
    def is_serving(self) -> bool:
        """Whether the thread lives; the daemon's watchdog asks."""
        return self._listener is not None and self._listener.is_alive

    def _move(self) -> None:
        """From the address that is bound to the one that is wanted."""
        try:
            listener = _bind(*self._wanted)
        except AggregatorError:
            if self._listener is None or self._listener.port != self._wanted[1]:
                raise
            self.stop()  # the same port on other addresses of the machine is free only then
            listener = _bind(*self._wanted)
        old = self._listener
        self._listen(listener)
        if old:
            old.stop()

    def _listen(self, bound: socket.socket) -> None:
        self._settings = msgspec.structs.replace(self._settings, port=bound.getsockname()[1])
        listener = _Listener(self._app(), bound, self._settings)
        if not listener.start():
            listener.stop()
            raise AggregatorError(f"the web server did not start on {self.url}; its log says why")
        self._listener = listener

    def _app(self) -> ASGIApp:
        return create_app(
            self._reader,
            self._settings,
            push_endpoint=self._push_endpoint,
            editor=self._editor,
            watch=self._watch,
        )


class _Listener:
    """One bound socket with its thread, which answers by an application that may be changed for another."""

    def __init__(self, app: ASGIApp, bound: socket.socket, settings: PublishSettings) -> None:
        self.port: int = bound.getsockname()[1]
        self._app = app
        self._limiter = ConnectionLimiter(settings.trusted_proxies)
        self._socket = bound
        # Without `access_log` it still writes one where somebody hangs a handler on that logger.
        logging.getLogger("uvicorn.access").disabled = True
        self._uvicorn = uvicorn.Server(
            uvicorn.Config(
                self._answer,
                interface="asgi3",
                http=cast("type[asyncio.Protocol]", partial(TimeoutProtocol, self._limiter)),
                access_log=False,
                log_config=None,  # the daemon has set up logging
                proxy_headers=False,
                server_header=False,
                lifespan="off",
                ws="none",
                backlog=BACKLOG,
                timeout_graceful_shutdown=int(STOP_DEADLINE_SECONDS),
            )
        )
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def show(self, app: ASGIApp, settings: PublishSettings) -> None:
        """Requests that begin from now on are answered by `app`."""
        self._app = app
        self._limiter.proxies = TrustedProxies(settings.trusted_proxies)

    def start(self) -> bool:
        """Whether it answers, within START_DEADLINE_SECONDS."""
        self._thread.start()
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while not self._uvicorn.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def stop(self) -> None:
        self._uvicorn.should_exit = True
        self._thread.join(STOP_DEADLINE_SECONDS + 1)
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._serve_connections())

    async def _serve_connections(self) -> None:
        tell_in_words(asyncio.get_running_loop())
        await self._uvicorn.serve(sockets=[self._socket])

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def _let_go_of_old_apps() -> None:
    """FastAPI remembers each endpoint it ever saw, and by it the whole app: a megabyte or more a change."""
    for one in vars(fastapi.dependencies.models).values():
        if callable(forget := getattr(one, "cache_clear", None)):
            forget()


def refuse_open_address(settings: PublishSettings, tokens: TokenStore | None) -> None:
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
    except (OSError, OverflowError, UnicodeError) as error:  # UnicodeError: of a name with too long a label
        listener.close()
        raise AggregatorError(_why_not_bound(host, port, error)) from error
    return listener


def _why_not_bound(host: str, port: int, error: OSError | OverflowError | UnicodeError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program: stop that one or set another server.port"
    if number == errno.EACCES:
        return f"port {port} is for root alone: set server.port to one above 1023"
    if number == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: set server.host to one that is, such as 127.0.0.1"
    return f"cannot listen on {host} port {port}: {error}"
