"""The guard: nothing but the public internet is dialled. Resolver and dialler stand in for the network."""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.config.hosts import ip_address_of
from aggregator.config.tuning import Tuning
from aggregator.model.errors import FetchError
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.sources.fetch.connections.public_addresses import is_public
from tests.support.certificate import server_context, trust
from tests.support.loopback import LoopbackServer, Response, Route, redirect
from tests.support.tables import each_row, rows
from tests.support.waiting import PATIENCE_SECONDS

PUBLIC = "93.184.216.34"


class Network:
    """A network that is not there: names lead where the test says, and every dialled address is noted.

    Addresses that are literals in an odd spelling are read as the C library does, so that no vector is lost.
    """

    def __init__(
        self,
        names: dict[str, list[list[str]]] | None = None,
        server: LoopbackServer | None = None,
    ) -> None:
        self.names = names or {}
        self.server = server  # where a dialled address really leads
        self.dialled: list[str] = []
        self.asked: list[str] = []

    def resolve(self, name: str, port: int, seconds: float) -> list[str]:
        self.asked.append(name)
        if name in self.names:
            answers = self.names[name]
            return answers.pop(0) if len(answers) > 1 else answers[0]
        try:
            return [socket.inet_ntoa(socket.inet_aton(name))]
        except OSError:
            raise FetchError("dns", name) from None

    def dial(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        self.dialled.append(address)
        if self.server is None:
            raise httpcore.ConnectError("nobody there")
        return httpcore.SyncBackend().connect_tcp(
            "127.0.0.1", self.server.port, timeout=seconds
        )

    def client(self, settings: ClientSettings | None = None) -> Client:
        all_tuning = Tuning({"net": {"host_gap_seconds": 0.0}})
        return Client(
            settings or ClientSettings(),
            all_tuning,
            resolve=self.resolve,
            dial=self.dial,
        )


AT_HOME = "192.168.7.0/24"


@contextmanager
def landed(
    routes: Mapping[str, Route],
    names: dict[str, list[list[str]]] | None = None,
    *allowed: str,
) -> Iterator[tuple[Network, Client]]:
    """A network in which every dialled address leads to one server, and a client there."""
    with LoopbackServer(routes) as server:
        network = Network(names, server)
        client = network.client(ClientSettings(allow_private=allowed))
        yield network, client
        client.close()


VECTORS = rows("guard", "vectors")

LOOPBACK_NAMES = {
    name: [["127.0.0.1", "::1"]]
    for name in (
        "localhost",
        "localhost.",
        "localhost.localdomain",
        "ip6-localhost",
        "127.0.0.1.",
    )
} | {"metadata.google.internal": [["169.254.169.254"]], "good.example": [[PUBLIC]]}


NAIVE = rows("guard", "naive")


def test_the_list_is_as_long_as_promised_and_a_naive_client_is_fooled() -> None:
    """The control: IPv4 forms of loopback only, so that nothing leaves this machine."""
    assert len(set(VECTORS)) >= 61
    with (
        LoopbackServer({"*": "a secret"}) as canary,
        httpx.Client(trust_env=False, timeout=PATIENCE_SECONDS) as naive,
    ):
        hits = sum(
            naive.get(f"http://{host}:{canary.port}/").text == "a secret"
            for host in NAIVE
        )
        assert hits == len(NAIVE) >= 15
        assert len(canary.requests) == hits


@pytest.mark.later
def test_no_vector_is_dialled_and_a_canary_on_loopback_is_reached_by_none() -> None:
    """Each vector, and with the canary's own port, dialled in earnest where it should ever come to that."""
    with LoopbackServer({"*": "a secret"}) as canary:
        network = Network(LOOPBACK_NAMES, server=canary)
        clients = [
            network.client(),
            network.client(ClientSettings(allow_private=(AT_HOME,))),
        ]
        vectors = [*VECTORS, *(f"http://{host}/" for host in NAIVE)]
        aimed = [
            re.sub(r"^(\w+://[^/]*?[^/:])(?::[0-9]+)?/", rf"\1:{canary.port}/", one)
            for one in vectors
        ]
        assert sum(str(canary.port) in one for one in aimed) >= 61
        for client in clients:
            for url in [*vectors, *aimed]:
                with pytest.raises(FetchError) as caught:
                    client.fetch(url)
                assert (
                    caught.value.cause in {"refused", "address", "dns"},
                    network.dialled,
                ) == (True, []), url
            client.close()
        assert canary.requests == []


@pytest.mark.later
@pytest.mark.parametrize("host", ["good.example", PUBLIC, "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]",
                                  "[64:ff9b::5db8:d822]"])  # fmt: skip
def test_public_addresses_are_dialled(host: str) -> None:
    network = Network({"good.example": [[PUBLIC]]})
    with pytest.raises(FetchError, match="connect"):
        network.client().fetch(f"http://{host}/")
    assert len(network.dialled) == 1


def test_a_refused_address_is_named_once() -> None:
    with pytest.raises(FetchError) as caught:
        Network({}).client().fetch("http://127.0.0.1/")
    assert str(caught.value).startswith(
        "refused: 127.0.0.1 is not on the public internet; "
    )


def test_one_bad_answer_refuses_the_whole_name() -> None:
    network = Network({"mixed.example": [[PUBLIC, "127.0.0.1"]]})
    with pytest.raises(FetchError, match="refused"):
        network.client().fetch("http://mixed.example/")
    assert network.dialled == []


def test_a_name_is_resolved_once_and_the_checked_address_is_dialled() -> None:
    with landed({"/": "hello"}, {"rebind.example": [[PUBLIC], ["127.0.0.1"]]}) as (
        network,
        client,
    ):
        assert client.fetch("http://rebind.example/").body == b"hello"
        assert (network.asked, network.dialled) == (["rebind.example"], [PUBLIC])
        assert network.server.requests[0].headers["host"] == "rebind.example"
        # Another port is another connection: asked again
        with pytest.raises(FetchError, match="refused"):
            client.fetch("https://rebind.example/")
        assert network.dialled == [PUBLIC]


@pytest.mark.later
@each_row("guard", "redirects are judged like first addresses", "target")
def test_redirects_are_judged_like_first_addresses(target: str) -> None:
    with landed(
        {"/": redirect(target)},
        {"good.example": [[PUBLIC]], "inner.example": [["10.1.2.3"]]},
    ) as (
        network,
        client,
    ):
        with pytest.raises(FetchError) as caught:
            client.fetch("http://good.example/")
        assert caught.value.cause in {"refused", "redirect"}
        assert network.dialled == [PUBLIC]
        assert len(network.server.requests) == 1


def test_a_proxy_in_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        LoopbackServer({"*": "through the proxy"}) as proxy,
        LoopbackServer({"/": "direct"}) as server,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        client = Network({"good.example": [[PUBLIC]]}, server=server).client()
        assert client.fetch("http://good.example/").body == b"direct"
        assert proxy.requests == []
        client.close()


def test_exceptions_are_networks_that_the_operator_names() -> None:
    with landed({"/": "mine"}, {}, AT_HOME) as (network, client):
        assert client.fetch("http://192.168.7.9:8000/", accept="page").body == b"mine"
        with pytest.raises(FetchError, match="refused"):
            client.fetch("http://192.168.8.9/")
        assert network.dialled == ["192.168.7.9"]


HOUSE = {"lan.example": [["192.168.7.9"]], "good.example": [[PUBLIC]]}


def test_what_a_feed_on_the_internet_names_never_leads_into_the_operators_network() -> (
    None
):
    """He allowed it for his own feeds; a stranger's feed must not use that to press buttons at home."""
    with landed({"*": "mine"}, HOUSE, AT_HOME) as (_, client):
        unknown_entry, mine = "http://good.example/feed", "http://lan.example/feed"
        for target in (
            "http://lan.example/off",
            "http://192.168.7.9/off",
            "http://192.168.7.9:8000/off",
        ):
            for before in range(2):  # at first, then after he asked himself
                with pytest.raises(FetchError, match="refused"):
                    client.fetch(target, accept="page", linked_from=unknown_entry)
                assert client.fetch(target).body == b"mine", before
        assert (
            client.fetch("http://lan.example/off", accept="page", linked_from=mine).body
            == b"mine"
        )
        assert (
            client.fetch(
                "http://good.example/page", accept="page", linked_from=mine
            ).body
            == b"mine"
        )
        assert (
            client.fetch(
                "http://good.example/page", accept="page", linked_from=unknown_entry
            ).body
            == b"mine"
        )


ELSEWHERE_AT_HOME = (
    "http://lan.example:8000/off",
    "https://lan.example/off",
    "http://192.168.7.9/off",  # the same machine, by a name that is not the source's
    "http://192.168.7.1/off",
    "http://192.168.7.1:8080/off",
    "http://printer.example/off",
)


@pytest.mark.later
@pytest.mark.parametrize("target", ELSEWHERE_AT_HOME)
def test_a_source_at_home_leads_there_to_its_own_host_and_port_only(
    target: str,
) -> None:
    """Whoever writes a feed there does not choose what else in the operator's network is asked."""
    names = HOUSE | {"printer.example": [["192.168.7.7"]]}
    with landed(
        {"/moved": redirect(target), "/page": redirect("/inner"), "*": "mine"},
        names,
        AT_HOME,
    ) as (
        network,
        client,
    ):
        feed = "http://lan.example/feed"
        assert (
            client.fetch(
                "http://lan.example/page", accept="page", linked_from=feed
            ).body
            == b"mine"
        )
        for address, linked_from in (
            (target, feed),
            ("http://lan.example/moved", None),
        ):
            for accept in ("page", "robots", "feed"):
                with pytest.raises(
                    FetchError, match=r"refused: .*its own host and port only"
                ):
                    client.fetch(
                        address, accept=accept, source_port=80, linked_from=linked_from
                    )
        assert "/off" not in network.server.paths()


def test_a_name_that_changes_sides_is_not_the_operators() -> None:
    """Its owner answers with an address of our network just when we ask whose feed named a page."""
    mine = "192.168.7.9"
    sides = {"both.example": [[PUBLIC], [mine]], "mix.example": [[mine, PUBLIC]]}
    with landed({"*": "mine"}, sides, AT_HOME) as (network, client):
        client.fetch("http://both.example/feed")
        for feed in (
            "http://both.example:81/feed",
            "http://mix.example/feed",
            "http://192.168.8.1/feed",
        ):
            with pytest.raises(FetchError, match="refused"):
                client.fetch(f"http://{mine}/off", accept="page", linked_from=feed)
        assert network.server.paths() == ["/feed"]


@pytest.mark.parametrize(
    "second", [["192.168.7.9"], ["192.168.7.9", PUBLIC], [PUBLIC, "192.168.7.9"]]
)
def test_a_source_on_the_internet_is_not_asked_in_the_operators_network(
    second: list[str],
) -> None:
    """Its owner changes where the name leads: neither the feed nor what it names is asked there."""
    names = {
        "turned.example": [[PUBLIC], second, ["192.168.7.9"]],
        "lan.example": [["192.168.7.9"]],
    }
    with landed({"*": Response(headers={"Connection": "close"})}, names, AT_HOME) as (
        network,
        client,
    ):
        feed = "http://turned.example/feed"
        client.fetch(feed)
        for linked_from in (None, None, feed):
            with pytest.raises(
                FetchError, match=r"refused: turned\.example|refused: port 80"
            ):
                client.fetch(feed, linked_from=linked_from)
        assert network.dialled == [PUBLIC]
        client.fetch("http://lan.example/feed")
        assert network.dialled == [PUBLIC, "192.168.7.9"]


def test_a_stranger_is_led_home_by_no_connection_that_was_open_before() -> None:
    with landed(
        {"*": "mine"}, {"both.example": [["192.168.7.9"], [PUBLIC]]}, AT_HOME
    ) as (network, client):
        client.fetch("http://both.example/feed")
        client.fetch(
            "http://both.example/off",
            accept="page",
            linked_from="http://good.example/feed",
        )
        assert network.dialled == ["192.168.7.9", PUBLIC]


def test_a_redirect_from_the_internet_never_leads_into_the_operators_network() -> None:
    with landed(
        {"/": redirect("http://lan.example/inner"), "/inner": "mine"}, HOUSE, AT_HOME
    ) as (
        network,
        client,
    ):
        for _ in range(2):
            with pytest.raises(FetchError, match="refused"):
                client.fetch("http://good.example/")
            assert client.fetch("http://lan.example/").body == b"mine"
        assert network.server.paths().count("/inner") == 2


@pytest.mark.later
@each_row(
    "guard",
    "only a typed port is asked besides the webs own",
    "accept",
    "source_port",
    "is_dialled",
)
def test_only_a_typed_port_is_asked_besides_the_webs_own(
    accept: str, source_port: int | None, is_dialled: bool
) -> None:
    network = Network({"good.example": [[PUBLIC]]})
    with pytest.raises(FetchError):
        network.client().fetch(
            "http://good.example:8443/", accept=accept, source_port=source_port
        )  # type: ignore[arg-type]
    assert bool(network.dialled) == is_dialled


def test_dead_addresses_of_a_name_are_passed_over() -> None:
    with LoopbackServer({"/": "hello"}) as server:
        network = Network({"good.example": [["93.184.216.35", PUBLIC]]}, server=server)
        reach = network.dial

        def dial(address: str, port: int, seconds: float) -> httpcore.NetworkStream:
            if address != PUBLIC:
                network.dialled.append(address)
                raise httpcore.ConnectTimeout("silent")
            return reach(address, port, seconds)

        client = Client(ClientSettings(), Tuning(), resolve=network.resolve, dial=dial)
        assert client.fetch("http://good.example/").body == b"hello"
        assert network.dialled == ["93.184.216.35", PUBLIC]
        client.close()


@each_row(
    "guard",
    "tls is checked by name and authority though an address is dialled",
    "name",
    "is_known",
    "is_right",
)
def test_tls_is_checked_by_name_and_authority_though_an_address_is_dialled(
    certificate: Path,
    name: str,
    is_known: bool,
    is_right: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if is_known:
        trust(certificate, monkeypatch)
    context = server_context(certificate)
    seen: list[str | None] = []
    remember: Callable[..., None] = lambda _socket, server_name, _context: seen.append(  # noqa: E731
        server_name
    )
    context.sni_callback = remember
    with LoopbackServer({"/": "hello"}, tls=context) as server:
        network = Network({name: [[PUBLIC]]}, server=server)
        client = network.client(ClientSettings())
        with nullcontext() if is_right else pytest.raises(FetchError, match="tls"):
            assert client.fetch(f"https://{name}/").body == b"hello"
        assert (seen, network.dialled) == ([name], [PUBLIC])
        client.close()


@given(st.ip_addresses(v=4))
def test_a_mapped_or_translated_address_is_judged_as_the_one_inside(
    address: object,
) -> None:
    inner = ip_address_of(str(address))
    assert inner is not None
    for spelling in (f"::ffff:{address}", f"64:ff9b::{address}"):
        outer = ip_address_of(spelling)
        assert outer is not None
        assert is_public(outer) == is_public(inner)


@given(st.ip_addresses())
def test_what_python_calls_not_global_is_never_public(address: object) -> None:
    found = ip_address_of(str(address))
    assert found is not None
    inner = getattr(found, "ipv4_mapped", None) or found
    if not inner.is_global and found not in ipaddress.ip_network("64:ff9b::/96"):
        assert not is_public(found)


def test_the_table_knows_what_is_global_does_not() -> None:
    called_global = ["224.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::", "2002:7f00:1::", "fec0::1",
                     "::127.0.0.1", "::ffff:0:7f00:1", "ff0e::1", "192.88.99.1", "192.0.0.8", "3fff::1",
                     "5f00::1"]  # fmt: skip
    for text in called_global:
        address = ip_address_of(text)
        assert address is not None
        assert not is_public(address), text
