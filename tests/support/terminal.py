"""A folder to type commands in, and what they said."""

import json
import os
import pty
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from aggregator.cli.application import main
from aggregator.config.story_query import StoryFilter
from aggregator.publish.sanitise import encode_json
from aggregator.publish.story_json import page_of
from aggregator.store.engine.database import Database
from aggregator.store.engine.process_lock import open_process_lock
from aggregator.store.read.reader import StoryReader
from tests.support import forked
from tests.support.articles import FLOOD, FLOOD_ELSEWHERE, STRIKE

SCRIPT = Path(sys.executable).with_name("aggregator")


DAY = "2026-10-12T12:00:00Z"


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def lines(self) -> list[Any]:
        """Standard output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class Terminal:
    """A folder to work in, with a config.yaml that may fetch from loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configure()

    def configure(self, more: str = "") -> None:
        settings = "fetch:\n  allow_private: [127.0.0.0/8]\n  host_gap: 0s\nwork:\n  executor: inline\n"
        self.write("config.yaml", settings + more)

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def type(
        self, *arguments: str | bytes, stdin: bytes = b"", **environment: str
    ) -> Said:
        """Run the program; a stack trace fails the test at once."""
        ended = forked.run(
            [os.fsdecode(one) for one in arguments],
            self.folder,
            kept(environment),
            stdin,
        )
        said = Said(ended.code, ended.out, ended.err.decode())
        assert "Traceback" not in said.err, said.err
        return said

    def type_on_screen(self, columns: int, *arguments: str) -> str:
        """What is printed where standard output is a terminal of so many columns, without its colours."""
        code, shown = on_screen(
            self.folder,
            arguments,
            os.environ | {"COLUMNS": str(columns), "TERM": "xterm"},
        )
        assert code == 0
        return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'aggregator.db'}"

    @contextmanager
    def as_writer(self) -> Iterator[None]:
        """Be the writer of its database, one that places nothing."""
        with closing(Database(self.database)) as database:
            lease = open_process_lock(database)
            assert lease.acquire()
            yield
            lease.release()

    def stories(self) -> list[dict[str, Any]]:
        """As `stories --format json` gives them, without starting a program for it."""
        with closing(Database(self.database)) as database:
            page = StoryReader(database).stories(StoryFilter())
        return json.loads(encode_json(page_of(page.stories, page.next)))["stories"]


def exit_code(*arguments: str) -> int:
    """Run a command in this process: a hundred starts of the program would take a minute."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0)


class Prompt(Terminal):
    """A terminal whose commands run in this process, in its current folder."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[bytes]) -> None:
        super().__init__(folder)
        self._capture = capture

    def type(
        self, *arguments: str | bytes, stdin: bytes = b"", **environment: str
    ) -> Said:
        assert not stdin
        assert not environment
        self._capture.readouterr()
        code = exit_code(*map(os.fsdecode, arguments))
        out, err = self._capture.readouterr()
        return Said(code, out, err.decode())


def kept(environment: Mapping[str, str]) -> dict[str, str]:
    """These and our own variables, without those that are about the program."""
    own = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("AGGREGATOR_", "STATE_"))
    }
    return {**own, **environment}


def on_screen(
    folder: Path, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, bytes]:
    """The exit code, and what is printed where standard output is a terminal."""
    ours, theirs = pty.openpty()
    nothing = os.open(os.devnull, os.O_RDWR)
    process = forked.start(arguments, folder, environment, (nothing, theirs, nothing))
    os.close(theirs)
    os.close(nothing)
    shown = b""
    # That is how a terminal tells that its last writer has gone
    with suppress(OSError):
        while more := os.read(ours, 65536):
            shown += more
    os.close(ours)
    return process.wait(), shown


def jsonl(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records)


def reports() -> str:
    records = (
        ("1", "Gazette", "Levee breaks at Pennmouth", FLOOD),
        ("2", "Herald", "Pennmouth flooded", FLOOD_ELSEWHERE),
        ("3", "Herald", '=Strike, "dock" workers', STRIKE),
    )
    names = ("id", "source", "title", "text")
    return jsonl(
        *({**dict(zip(names, one, strict=True)), "published": DAY} for one in records)
    )
