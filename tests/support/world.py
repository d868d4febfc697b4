"""A web of invented sites behind one server on loopback, and a clock that tests move.

    with World() as world:
        world.sites["news.example"] = {"/feed": Resource(rss)}
        client = world.client(rule_book())
        client.fetch("http://news.example/feed")

Names lead to public addresses that are never dialled: the dialler lands on loopback, whatever it is given.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpcore

from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from tests.support.articles import NOON
from tests.support.loopback import (
    Closing,
    LoopbackServer,
    Request,
    Response,
    Route,
    routed,
)


class Time:
    """One clock for the wall and for gaps between requests; it runs when it is told, or waited for."""

    def __init__(self, start: datetime = NOON) -> None:
        self.now = start
        self._ran = 1e6

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self._ran

    def run(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._ran += seconds

    def jump(self, seconds: float) -> None:
        """The wall's clock alone is set to another time."""
        self.now += timedelta(seconds=seconds)


class World(Closing):
    """`sites` are routes by host and path; `down` are hosts without a name, `closed` those without a server.

    `asked` has every request with its moment: (seconds by the monotonic clock, host, path).
    """

    def __init__(self, time: Time | None = None) -> None:
        self.time = time or Time()
        self.sites: dict[str, Mapping[str, Route]] = {}
        self.down: set[str] = set()
        self.closed: set[str] = set()
        self.offline = False
        self.asked: list[tuple[float, str, str]] = []
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._server = LoopbackServer({"*": self._answer})

    def client(self, all_tuning: Tuning, **settings: Any) -> Client:
        """A client whose network is this world."""
        return Client(
            ClientSettings(**settings),
            all_tuning,
            resolve=self._resolve,
            dial=self._dial,
            now=self.time,
            clock=self.time.monotonic,
            pause=self.time.run,
        )

    def paths(self, host: str) -> list[str]:
        """What was asked of a host, in order."""
        return [path for _, name, path in self.asked if name == host]

    def forget_what_was_asked(self) -> None:
        """For a long time: what was asked in it fills the memory of the tests."""
        self.asked.clear()
        self._server.requests.clear()

    def close(self) -> None:
        self._server.close()

    def _resolve(self, name: str, _port: int, _seconds: float) -> list[str]:
        if self.offline or name in self.down:
            raise FetchError("dns", f"{name}: there is no such name")
        if name not in self._addresses:
            number = len(self._addresses)
            self._addresses[name] = f"93.184.{number // 250}.{number % 250 + 1}"
            self._names[self._addresses[name]] = name
        return [self._addresses[name]]

    def _dial(self, address: str, _port: int, seconds: float) -> httpcore.NetworkStream:
        if self._names[address] in self.closed:
            raise httpcore.ConnectError("Connection refused")
        return httpcore.SyncBackend().connect_tcp(
            "127.0.0.1", self._server.port, timeout=seconds
        )

    def _answer(self, request: Request) -> Response:
        host = request.headers["host"].partition(":")[0]
        self.asked.append((self.time.monotonic(), host, request.path))
        return routed(self.sites.get(host, {}), request)
