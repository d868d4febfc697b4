"""What a process and its descendants use: CPU, memory, bytes written, wake-ups. From /proc (Linux)."""

import contextlib
import os
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_WRITTEN = re.compile(r"^write_bytes: (\d+)", re.MULTILINE)
_SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)
_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
SAMPLE_SECONDS = 1.0  # between two looks at the memory


@dataclass(frozen=True)
class Usage:
    """The CPU and the bytes written of a tree of processes since it began."""

    cpu_seconds: float
    written_bytes: int

    def __sub__(self, other: Self) -> "Usage":
        return Usage(
            self.cpu_seconds - other.cpu_seconds,
            self.written_bytes - other.written_bytes,
        )


def tree_of(pid: int) -> dict[int, list[str]]:
    """Return the fields of /proc/PID/stat that follow the name, for a process and each of its descendants."""
    stats: dict[int, list[str]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats[int(stat.parent.name)] = (
                stat.read_text(errors="replace").rpartition(")")[2].split()
            )
    tree = {pid: stats[pid]} if pid in stats else {}
    grown = True
    while grown:
        children = {
            child: stats[child] for child in stats if int(stats[child][1]) in tree
        }
        grown = not children.keys() <= tree.keys()
        tree |= children
    return tree


def usage_of(pid: int) -> Usage:
    """Return the CPU and the bytes written of the tree, including children that have ended."""
    tree = tree_of(pid)
    ticks = sum(
        int(stat[place]) for stat in tree.values() for place in (11, 12, 13, 14)
    )
    # The counter of a process includes its children that have ended.
    written = sum(_number(_WRITTEN, member, "io") for member in tree)
    return Usage(ticks / _TICKS_A_SECOND, written)


def memory_of(pid: int) -> float:
    """Return the PSS of the tree in MB, which counts memory that several processes share only once."""
    return (
        sum(_number(_PSS, member, "smaps_rollup") for member in tree_of(pid))
        / 1000
        * 1.024
    )


def wake_ups_of(pid: int) -> dict[str, int]:
    """Return the voluntary context switches of each thread of the tree, by its path below /proc."""
    switches: dict[str, int] = {}
    for member in tree_of(pid):
        for status in Path(f"/proc/{member}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                switches[str(status)] = sum(
                    map(int, _SWITCHES.findall(status.read_text()))
                )
    return switches


def wake_ups_between(before: Mapping[str, int], after: Mapping[str, int]) -> int:
    """Return the number of wake-ups of the threads that are in both."""
    return sum(
        after[thread] - before[thread] for thread in before.keys() & after.keys()
    )


def _number(pattern: re.Pattern[str], pid: int, name: str) -> int:
    with contextlib.suppress(OSError):
        found = pattern.search(Path(f"/proc/{pid}/{name}").read_text())
        return int(found[1]) if found else 0
    return 0  # the process has ended


class MemoryWatch:
    """Reads the memory of a tree every second, and keeps the maximum."""

    def __init__(self, pid: int) -> None:
        self.most_mb = 0.0
        self._pid = pid
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(SAMPLE_SECONDS):
            self.most_mb = max(self.most_mb, memory_of(self._pid))
