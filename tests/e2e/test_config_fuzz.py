"""Hundreds of generated configurations against one running daemon: good, bad, odd, and in conflict.

Whatever the file says, the daemon lives and answers; it takes what `config check` passes and nothing else;
and of what it does not take, nothing is in force.
"""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
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
    """Configurations by chance, over one that is good."""

    def __init__(self, chance: random.Random, good: Settings, feeds: list[str]) -> None:
        self._chance = chance
        self._good = good
        self._feeds = feeds  # of sources that are there, in the file and by command
        self._changes: list[Callable[[Settings], None]] = [
            *[self._set, self._source] * 2,
            *[self._query, self._webhook, self._good_change],
        ]

    def text(self, number: int) -> bytes:
        settings = yaml.safe_load(yaml.safe_dump(self._good))
        settings["publish"]["title"] = f"Case {number}"
        for _ in range(self._chance.choice((0, 1, 1, 1, 2, 3))):
            self._chance.choice(self._changes)(settings)
        written = yaml.safe_dump(settings, sort_keys=False).encode()
        return self._damaged(written) if self._chance.random() < 0.15 else written

    def _odd(self) -> Any:
        return self._chance.choice(ODD)

    def _set(self, settings: Settings) -> None:
        name = self._chance.choice(sorted(set(Config.model_fields) - {"server"}))
        shape = Config.model_fields[name].annotation
        keys = sorted(getattr(shape, "model_fields", {}))
        if not keys or self._chance.random() < 0.2:
            settings[name] = self._odd()
        elif isinstance(settings.setdefault(name, {}), dict):
            settings[name][self._chance.choice([*keys, "nope"])] = self._odd()

    def _source(self, settings: Settings) -> None:
        chance = self._chance
        feed = chance.choice([*self._feeds, "http://127.0.0.1:9/other", self._odd()])
        feed = (
            chance.choice((str.upper, str.strip, str))(feed)
            if isinstance(feed, str)
            else feed
        )
        new: Settings = {chance.choice(("feed", "feed", "feed", "folder")): feed}
        if chance.random() < 0.6:
            new["name"] = chance.choice(
                ("Lowland Post", "taken", "fresh", self._odd(), *self._feeds)
            )
        if chance.random() < 0.3:
            keys = (
                "outlet",
                "group",
                "language",
                "timezone",
                "interval",
                "pages",
                "nope",
            )
            new[chance.choice(keys)] = self._odd()
        if isinstance(settings.get("sources"), list):
            settings["sources"].insert(
                chance.randrange(len(settings["sources"]) + 1), new
            )
        if chance.random() < 0.1:
            settings["sources"] = [new]

    def _query(self, settings: Settings) -> None:
        keys = [
            "title",
            "query",
            "since",
            "until",
            "min_outlets",
            "outlet",
            "folder",
            "language",
            "items",
        ]
        name = self._chance.choice(("fires", "more", "stories", "a b", "", "x" * 41))
        if isinstance(settings.get("queries"), dict):
            settings["queries"][name] = {
                self._chance.choice([*keys, "link"]): self._odd()
            }

    def _webhook(self, settings: Settings) -> None:
        hook: Settings = {
            "name": "desk",
            "url": "http://127.0.0.1:9/",
            "secret": f"whsec_{'A' * 32}",
        }
        if self._chance.random() < 0.7:
            hook[self._chance.choice((*hook, "query", "secret_file"))] = self._odd()
        settings["webhooks"] = [hook] * self._chance.choice((1, 1, 2))

    def _good_change(self, settings: Settings) -> None:
        number = self._chance.randrange(50)
        settings |= (
            self._chance.choice(
                (
                    {"queries": {f"q{number}": {"query": "dam -fire", "since": "24h"}}},
                    {
                        "fetch": settings["fetch"]
                        | {"contact": f"desk{number}@example.org"}
                    },
                    {"sources": []},
                    {"sources": [{"feed": one} for one in self._feeds]},
                    {
                        "sources": [
                            {"feed": one, "name": f"n{n}"}
                            for n, one in enumerate(self._feeds)
                        ]
                    },
                    {"families": {"Group": ["One", "Two"]}},
                    {"feeds": {"items": 1 + number}},
                )
            )
            if isinstance(settings.get("fetch"), dict)
            else {}
        )

    def _damaged(self, text: bytes) -> bytes:
        chance = self._chance
        at = chance.randrange(len(text))
        piece = chance.choice(
            (
                b"\x00",
                b"\xff",
                b"\t",
                b"[",
                b"{",
                b": ",
                b"- ",
                b"*a",
                b"&a ",
                b"!!x ",
                b"|\n",
                b"#",
            )
        )
        aliases = "".join(
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
        )
        return chance.choice(
            (
                text[:at] + piece + text[at:],
                text[:at],
                text[:at] + bytes(chance.randrange(256) for _ in range(20)) + text[at:],
                text + b"more: " + b"[" * 5_000,
                text + f"a0: &a0 [x, x]\n{aliases}".encode(),
                text + text,
                b"",
                bytes(chance.randrange(256) for _ in range(200)),
            )
        )


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
