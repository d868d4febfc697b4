"""lemon24/reader, a feed reader that groups nothing, on the same feeds in the same run.

    python -m benchmarks.day.peer DATABASE

The first line of the input has the addresses of the feeds as a JSON list. At each further line, the reader updates all
feeds as its users do, with its search and its plugin against duplicates. Then it writes a line of JSON: the seconds of
CPU that the update took, and the most memory that it has used so far, in MB.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.day.feeds import Feed, FeedServer, Plan


class PeerUsage(NamedTuple):
    """The CPU of an update, and the most memory so far."""

    cpu_seconds: float
    most_mb: float


class Peer:
    """A process with lemon24/reader, and a server of the feeds for this process alone."""

    def __init__(
        self, feeds: list[Feed], plans: Mapping[str, Plan], folder: Path
    ) -> None:
        self.server = FeedServer(feeds, dict(plans))
        settings = {
            "http_proxy": f"http://127.0.0.1:{self.server.server.port}",
            "no_proxy": "",
            # Its own copy of feedparser needs a package that has no wheel.
            "READER_NO_VENDORED_FEEDPARSER": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder / "reader.db")],
            env=os.environ | settings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._write(json.dumps([feed.address for feed in feeds]))

    @staticmethod
    def is_installed() -> bool:
        return find_spec("reader") is not None

    def update(self, number: int, stamp: str = "") -> PeerUsage:
        """Let the reader update all feeds as they are in a round; return what this took."""
        self.server.number, self.server.stamp = number, stamp
        self._write("update")
        assert self._process.stdout is not None
        return PeerUsage(*json.loads(self._process.stdout.readline()))

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self.server.close()


def main() -> None:
    from reader import make_reader

    reader = make_reader(sys.argv[1], plugins=["reader.entry_dedupe"])
    for address in json.loads(sys.stdin.readline()):
        reader.add_feed(address)
    reader.enable_search()
    for _ in sys.stdin:
        began = time.process_time()
        reader.update_feeds(scheduled=False)
        reader.update_search()
        most_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps([time.process_time() - began, most_kb / 1000]), flush=True)


if __name__ == "__main__":
    main()
