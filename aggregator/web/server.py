"""The server of the web application, in its own thread."""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import cast

import uvicorn

from aggregator.config import kept_files
from aggregator.config.hosts import (
    is_loopback,
    loopback_owner_notice,
    open_address_problem,
)
from aggregator.model.errors import AggregatorError, ConfigError
from aggregator.publish.output_settings import PublishSettings
from aggregator.store.read.reader import StoryReader
from aggregator.web.dependencies import Services
from aggregator.web.security import connection_limits
from aggregator.web.web_app import create_app

START_DEADLINE_SECONDS = 10.0
# Active requests are cancelled after this time, because the daemon must exit within 10 s.
STOP_DEADLINE_SECONDS = 5.0
_log = logging.getLogger(__name__)
NewLoop = Callable[[], asyncio.AbstractEventLoop]


class Server:
    """uvicorn in a thread, without signal handlers, access log and forwarding headers.

    The access log would contain addresses with tokens. `ConnectionLimiter` applies forwarding headers, but only those
    of trusted proxies.
    """

    def __init__(
        self,
        reader: StoryReader,
        settings: PublishSettings,
        services: Services,
        *,
        new_loop: NewLoop = asyncio.new_event_loop,
    ) -> None:
        """`new_loop` returns the event loop, whose clock decides when the deadlines of connections have passed."""
        # `start` replaces the port with the bound port.
        self.settings = settings
        # The address as it is configured
        self._address = f"{settings.host} {settings.port}"
        self.services = services
        self._create = partial(create_app, reader, services=services)
        self._new_loop = new_loop
        self._serving: tuple[_QuietServer, threading.Thread, socket.socket] | None = (
            None
        )

    @property
    def url(self) -> str:
        """The bound address, such as `http://127.0.0.1:8080`; valid after `start`."""
        return self.settings.model_copy(update={"public_url": ""}).base_url

    def start(self) -> str:
        """Bind the address, start the thread that serves, and return `url`.

        Raises ConfigError if the address requires a token and none exists, AggregatorError if it cannot be
        bound.
        """
        self.refuse_open_address()
        kept = kept_files.take(self._address)
        kept_files.close_rest()
        if kept is None:
            bound = _bind(self.settings.host, self.settings.port)
        else:
            bound = socket.socket(fileno=kept)
        settings = self.settings = self.settings.model_copy(
            update={"port": bound.getsockname()[1]}
        )
        limiter = connection_limits.ConnectionLimiter(
            self._create(settings), settings.trusted_proxies
        )
        # `access_log=False` is not enough: uvicorn would still write a log if this logger had a handler.
        logging.getLogger("uvicorn.access").disabled = True
        server = _QuietServer(
            uvicorn.Config(
                limiter,
                interface="asgi3",
                http=cast(
                    "type[asyncio.Protocol]",
                    partial(connection_limits.TimeoutProtocol, limiter),
                ),
                access_log=False,
                log_config=None,  # the daemon has set up logging
                proxy_headers=False,
                server_header=False,
                lifespan="off",
                ws="none",
                backlog=connection_limits.BACKLOG,
                timeout_graceful_shutdown=int(STOP_DEADLINE_SECONDS),
            )
        )
        thread = threading.Thread(
            target=self._serve, args=(server, bound), name="web", daemon=True
        )
        self._serving = server, thread, bound
        thread.start()
        deadline = time.monotonic() + START_DEADLINE_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                self.stop()
                raise AggregatorError(
                    f"the web server did not start on {self.url}; see the log"
                )
            time.sleep(0.01)
        if settings.is_owner_on_loopback:
            _log.info(
                "%s",
                loopback_owner_notice(settings.host, settings.port),
                extra={"event": "loopback_owner_allowed"},
            )
        return self.url

    def refuse_open_address(self) -> None:
        """Raise ConfigError if other machines can reach the address and no token has the scope read."""
        host = self.settings.host
        if not (is_loopback(host) or self.services.push.any_may_read()):
            raise ConfigError("; ".join(open_address_problem(host)))

    def stop(self) -> None:
        """Accept no more requests, and wait until active ones and the thread have ended, but only for some seconds."""
        if self._serving is not None:
            server, thread, bound = self._serving
            server.end()
            thread.join(STOP_DEADLINE_SECONDS + 1)
            bound.close()
        self._serving = None

    def keep_address(self) -> None:
        """Pass the address on to the program that this process becomes next; meanwhile, connections wait."""
        if self._serving is not None:
            kept_files.keep(self._address, self._serving[2].fileno())

    @property
    def is_serving(self) -> bool:
        """Whether the thread is alive, which the daemon checks regularly."""
        return self._serving is not None and self._serving[1].is_alive()

    def _serve(self, server: "_QuietServer", bound: socket.socket) -> None:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            connection_limits.log_lack_of_files(runner.get_loop())
            runner.run(server.serve(sockets=[bound]))


_LAST_REQUESTS_SECONDS = 0.1  # (chosen)
_TURNS = 5  # of the event loop; asyncio takes three from accepting a connection to its protocol


class _QuietServer(uvicorn.Server):
    """uvicorn that sleeps until `end`, because its own loop would wake ten times a second."""

    _ending: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    async def main_loop(self) -> None:
        """Return after `end` was called."""
        _, event = self._ending = asyncio.get_running_loop(), asyncio.Event()
        if not self.should_exit:
            await event.wait()
        for listening in self.servers:
            listening.close()
        # Connections that were accepted just now may still send a request.
        await asyncio.sleep(_LAST_REQUESTS_SECONDS)
        # On a busy machine, the server may not know such a connection yet, and would neither answer nor close it.
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def end(self) -> None:
        """Shut down. Other threads may call this at any time."""
        self.should_exit = True  # first: `main_loop` may be about to wait
        if self._ending is not None:
            loop, event = self._ending
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(event.set)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY if the protocol is explicit; a response then takes 4 ms instead of 44 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    # A name with a part that is too long raises UnicodeError.
    except (OSError, UnicodeError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise AggregatorError(
            f"cannot listen on {host} port {port}: {why}; see server.host and server.port"
        ) from error
    return listener
