"""A daemon that has become large begins anew at rest: in the same process, with the same address."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.support.daemon_process import MAIN, DaemonProcess
from tests.support.loopback import free_port
from tests.support.outlets import Outlet, report

pytestmark = pytest.mark.later

DAM = report(
    "Marenholt Courier/kestrow-dam-gives-way",
    "Kestrow Dam gives way above Tarrowmere, killing at least four",
    hours_ago=30,
)
FIRE = report(
    "Marenholt Courier/chemical-fire-in-halverne-harbour",
    "Chemical fire in Halverne harbour leaves 16 injured and thousands indoors",
    hours_ago=9,
)
AT_REST = "    beginning anew"
LARGE_AT_ONCE = {
    "watchdog": {"rest_seconds": 1.0, "renewed_from_bytes": 1, "check_seconds": 0.2}
}


@pytest.fixture
def outlet() -> Iterator[Outlet]:
    outlet = Outlet("Marenholt Courier", "rss", [DAM])
    yield outlet
    outlet.server.close()


@pytest.fixture
def daemon(tmp_path: Path, outlet: Outlet) -> Iterator[DaemonProcess]:
    sources = [outlet.settings() | {"interval": "1h"}]
    settings: dict[str, Any] = {"server": {"port": free_port()}, "sources": sources}
    with DaemonProcess(
        tmp_path, settings, tuning=LARGE_AT_ONCE, program=MAIN
    ) as daemon:
        yield daemon


def listenings(daemon: DaemonProcess) -> int:
    return len(daemon.lines("listening on "))


def wait_until_anew(daemon: DaemonProcess, times: int = 2) -> None:
    daemon.wait_for(lambda: listenings(daemon) == times, "the daemon to listen again")


def test_it_answers_polls_nothing_again_and_loses_nothing(
    daemon: DaemonProcess, outlet: Outlet
) -> None:
    pid, refused, is_over = daemon.process.pid, [], Event()

    def ask() -> None:
        while not is_over.wait(0.02):
            try:
                httpx.get(daemon.address + "/healthz", timeout=60)
            except httpx.ConnectError as error:
                refused.append(error)
            except httpx.TransportError:
                # Accepted in the moment in which the server ended, as at every reload
                pass

    asking = Thread(target=ask)
    asking.start()
    try:
        story = daemon.wait_for(daemon.stories, "a story")[0]["id"]
        polls = len(outlet.server.paths())
        wait_until_anew(daemon)
    finally:
        is_over.set()
        asking.join()
    assert not refused
    assert daemon.is_running()
    assert daemon.process.pid == pid
    assert [one["id"] for one in daemon.stories()] == [story]
    assert len(outlet.server.paths()) == polls

    other = Outlet("Radio Vessaly", "rss", [FIRE])
    daemon.command("sources", "add", other.server.url("/feed"))
    daemon.wait_for_stories(2)
    other.server.close()
    assert listenings(daemon) == 2  # it does not begin anew all the time
    # Also with the address that it was given
    assert "config reloaded" in daemon.reload()
    assert len(daemon.stories()) == 2
    daemon.kill()
    assert daemon.faults() == []


def test_no_other_process_becomes_the_writer_meanwhile(daemon: DaemonProcess) -> None:
    daemon.wait_for_line(AT_REST)
    ended = daemon.command("db", "check", "--repair")  # for a writer alone
    assert ended.returncode != 0
    wait_until_anew(daemon)


def test_a_stop_while_it_begins_anew_is_a_stop(daemon: DaemonProcess) -> None:
    daemon.wait_for_line(AT_REST)
    assert daemon.stop() in (0, -signal.SIGTERM)
    assert daemon.faults() == []


def test_killed_while_it_begins_anew_it_starts_as_ever(daemon: DaemonProcess) -> None:
    daemon.wait_for_line(AT_REST)
    daemon.kill()
    daemon.start()
    assert len(daemon.wait_for(daemon.stories, "the story")) == 1
    assert daemon.stop() == 0
    assert daemon.faults() == []


def test_with_a_changed_configuration_it_waits_for_a_person(
    tmp_path: Path, daemon: DaemonProcess
) -> None:
    with (tmp_path / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("nonsense: 1\n")
    daemon.wait_for(daemon.stories, "a story")
    daemon.wait_for_line("not beginning anew")
    assert listenings(daemon) == 1
    assert not daemon.lines(AT_REST)


def test_systemd_hears_that_it_is_ready_again(tmp_path: Path, outlet: Outlet) -> None:
    folder = tmp_path / "daemon"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        settings = {"sources": [outlet.settings() | {"interval": "1h"}]}
        address = str(tmp_path / "notify")
        with DaemonProcess(
            folder, settings, tuning=LARGE_AT_ONCE, NOTIFY_SOCKET=address
        ) as daemon:
            states: list[str] = []
            while states.count("READY=1") < 2:
                states += [
                    line
                    for line in systemd.recv(4096).decode().splitlines()
                    if "STATUS" not in line
                ]
            assert daemon.is_running()
    assert "STOPPING=1" not in states
    assert states.index("READY=1") < [
        state.partition("=")[0] for state in states
    ].index("RELOADING")


def test_a_port_that_the_system_chose_stays(tmp_path: Path, outlet: Outlet) -> None:
    settings: dict[str, Any] = {
        "server": {"port": 0},
        "sources": [outlet.settings() | {"interval": "1h"}],
    }
    with DaemonProcess(
        tmp_path, settings, tuning=LARGE_AT_ONCE, program=MAIN
    ) as daemon:
        address = daemon.address
        wait_until_anew(daemon)
        assert httpx.get(address + "/healthz", timeout=60).status_code == 200
