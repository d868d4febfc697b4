"""Hundreds of generated configurations against one running daemon: good, bad, odd, and in conflict.

Whatever the file says, the daemon lives and answers; it takes what `config check` passes and nothing else;
and of what it does not take, nothing is in force.
"""

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from aggregator.config.loader import load
from aggregator.config.settings import Config
from aggregator.intake.manage.configured_sources import configured_sources
from aggregator.model.clock import utc_now
from tests.support.daemon_process import DaemonProcess
from tests.support.outlets import DAM, FIRE, Outlet
from tests.support.seeds import drawn
from tests.support.tables import rows

pytestmark = pytest.mark.later

Settings = dict[str, Any]

_LISTENING = re.compile(r"listening on (http://[^\s,]+)")
_OF_THE_MACHINE = re.compile(r"cannot listen on|need a token")
ODD = (*rows("config_fuzz", "odd"), "x" * 100_000, "9" * 4000)


class Generator:
    """Configurations by chance, over one that is good.

    In the changes of the table ODD stands for any odd value, FEED 0 to FEED 2 for the sources that are there:
    one of the file, two that were added by command. LOUD 0 is the first one in capitals.
    """

    def __init__(self, chance: Random, good: Settings, feeds: list[str]) -> None:
        self._chance = chance
        self._good = good
        self._words: dict[str, str] = {
            f"FEED {n}": one for n, one in enumerate(feeds)
        } | {"LOUD 0": feeds[0].upper()}

    def text(self, number: int) -> bytes:
        settings: Settings = yaml.safe_load(yaml.safe_dump(self._good))
        settings["publish"]["title"] = f"Case {number}"
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 3))):
            change = self._chance.choice((self._odd_section, self._listed))()
            more = change.pop("more sources", [])
            settings |= change
            if isinstance(settings["sources"], list):
                settings["sources"] += more
        written = yaml.safe_dump(settings, sort_keys=False).encode()
        return self._damaged(written) if self._chance.random() < 0.15 else written

    def _odd_section(self) -> Settings:
        """An odd value in place of a section, or for one of its keys, or for one that it has not."""
        name = self._chance.choice(sorted(set(Config.model_fields) - {"server"}))
        keys = [*getattr(Config.model_fields[name].annotation, "model_fields", {})]
        if not keys or self._chance.random() < 0.2:
            return {name: self._chance.choice(ODD)}
        key = self._chance.choice([*keys, "nope"])
        return {name: self._good.get(name, {}) | {key: self._chance.choice(ODD)}}

    def _listed(self) -> Settings:
        found: Settings = self._filled(
            self._chance.choice(rows("config_fuzz", "changes"))
        )
        return found

    def _filled(self, change: Any) -> Any:
        match change:
            case dict():
                return {name: self._filled(value) for name, value in change.items()}
            case list():
                return [self._filled(one) for one in change]
            case "ODD":
                return self._chance.choice(ODD)
        return self._words.get(change, change)

    def _damaged(self, text: bytes) -> bytes:
        """The text with something in it, and perhaps cut there."""
        chance, size = self._chance, len(text)
        pieces = [piece.encode("latin-1") for piece in rows("config_fuzz", "pieces")]
        piece = chance.choice([*pieces, b"more: " + b"[" * 5000, chance.randbytes(20)])
        at = chance.choice((0, chance.randrange(size), size))
        return text[:at] + piece + chance.choice((text[at:], text, b""))


def asked_of_file(daemon: DaemonProcess) -> list[str]:
    """The addresses that the daemon asks because the file names them."""
    found = daemon.rows(
        "SELECT address FROM source WHERE origin = 'config' AND NOT paused"
    )
    return sorted(address for (address,) in found)


def wanted_of_file(file: Path) -> list[str]:
    return sorted(one.address for one in configured_sources(load(file), utc_now()))


@pytest.mark.parametrize(
    "cases",
    [10, pytest.param(500, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])],
)
def test_no_configuration_ends_the_daemon_or_is_half_in_force(
    cases: int, tmp_path: Path
) -> None:
    outlet = Outlet("Lowland Post", "rss", [FIRE])
    added, named = (Outlet(name, "rss", [DAM]) for name in ("Added", "Named"))
    settings: Settings = {
        "sources": [outlet.settings()],
        "queries": {"fires": {"query": "fire"}},
    }
    with DaemonProcess(tmp_path, settings | {"publish": {"title": "First"}}) as daemon:
        feeds = [one.server.url("/feed") for one in (outlet, added, named)]
        for typed in ([feeds[1]], [feeds[2], "--name", "taken"]):
            said = daemon.command("sources", "add", *typed)
            assert said.returncode == 0, said.stderr
        file = tmp_path / "config.yaml"
        good = yaml.safe_load(file.read_text())
        generator = Generator(drawn("fuzz"), good, feeds)
        shown, asked, taken = daemon.feed_title(), asked_of_file(daemon), 0
        for number in range(cases):
            text = generator.text(number)
            (tmp_path / "config.yaml.new").write_bytes(text)
            (tmp_path / "config.yaml.new").replace(file)
            checked = daemon.command("config", "check")
            said = daemon.reload()
            daemon.address = _LISTENING.findall(daemon.log())[-1]
            what = f"case {number}: {said}\n{checked.stderr}\n{text[:3000]!r}"
            is_accepted = "config reloaded" in said
            assert "Traceback" not in daemon.log(), what
            assert is_accepted == (checked.returncode == 0) or _OF_THE_MACHINE.search(
                said
            ), what
            if is_accepted:
                taken += 1
                assert asked_of_file(daemon) == wanted_of_file(file), what
                shown, asked = daemon.feed_title(), asked_of_file(daemon)
            assert (daemon.feed_title(), asked_of_file(daemon)) == (shown, asked), what
            assert daemon.get("/healthz").status_code == 200, what
        print(f"{taken} of {cases} were taken")
        daemon.configure(settings | {"publish": {"title": "Last"}})
        assert "config reloaded" in daemon.reload()
        daemon.address = _LISTENING.findall(daemon.log())[-1]
        assert daemon.feed_title() == "Last"
        listed = daemon.command(
            "sources", "list", "--format", "jsonl"
        ).stdout.splitlines()
        states = {
            row["url"]: (row["id"], row["state"]) for row in map(json.loads, listed)
        }
        # Nothing is lost: what the file took over and dropped is paused
        for one in (added, named):
            id_, state = states[one.server.url("/feed")]
            if state == "paused":
                assert daemon.command("sources", "resume", id_).returncode == 0
        polls = [one.polls() for one in (outlet, added, named)]
        daemon.wait_for(
            lambda: all(
                one.polls() > old
                for one, old in zip((outlet, added, named), polls, strict=True)
            ),
            f"all three feeds to be asked; those added by command: {states}",
        )
        assert daemon.faults() == []
        assert daemon.stop() == 0
    for one in (outlet, added, named):
        one.server.close()
