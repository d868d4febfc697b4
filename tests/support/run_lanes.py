"""Runs groups of tests side by side and shows how far they are.

    python -m tests.support.run_lanes NAME=ARGUMENTS...

ARGUMENTS are those of pytest. Every ten seconds there is a line for each group that runs, and a test that
fails is named at once. At the end comes the whole output of the groups that failed, then a table of all. In
each pytest process this module is a plugin that writes results to a file, which the runner reads.
"""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

PROGRESS_SECONDS = 10.0
_RESULTS = "AGGREGATOR_TEST_RESULTS"  # the environment variable that names the file of results


# --- in pytest ---------------------------------------------------------------------------------------------


def pytest_collection_finish(session: "pytest.Session") -> None:
    """Write how many tests there are."""
    _write({"total": len(session.items)})


def pytest_collectreport(report: "pytest.CollectReport") -> None:
    """Write which file cannot be read, or is skipped as a whole."""
    if not report.passed:
        _write_outcome(report)


def pytest_runtest_logreport(report: "pytest.TestReport") -> None:
    """Write what became of a test."""
    if report.when == "call" or not report.passed:
        _write_outcome(report)


def _write_outcome(report: "pytest.TestReport | pytest.CollectReport") -> None:
    reason = report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else ""
    _write({"test": report.nodeid, "outcome": report.outcome, "reason": reason})


def _write(result: dict[str, object]) -> None:
    with Path(os.environ[_RESULTS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


# --- the runner --------------------------------------------------------------------------------------------


class Lane:
    """One group: a pytest process, and what it has written so far."""

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.passed = self.failed = self.skipped = 0
        self.reasons: Counter[str] = Counter()  # why tests were skipped
        self.seconds = 0.0
        self.log = folder / f"{name}.log"
        results = folder / f"{name}.jsonl"
        results.touch()
        self._results = results.open(encoding="utf-8")
        self._unread = ""  # a line that is not whole yet
        self._total: int | None = None
        self._began = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "tests.support.run_lanes", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {_RESULTS: str(results)},
            )

    def has_ended(self) -> bool:
        """Read what is new and name tests that failed; whether the process has ended."""
        code = self.process.poll()  # before reading: nothing is written after the end
        *lines, self._unread = (self._unread + self._results.read()).split("\n")
        for result in map(json.loads, lines):
            self._count(result)
        self.seconds = time.monotonic() - self._began
        if code is None:
            return False
        self._results.close()
        ran = self.passed + self.failed + self.skipped
        if not (code == 0 and ran >= (self._total or 1)) and not (code == 1 and self.failed):
            say(f"{self.name}: FAILED: pytest ended early, with exit code {code}")
            self.failed = max(1, self.failed)
        return True

    def _count(self, result: dict[str, object]) -> None:
        match result:
            case {"total": int(total)}:
                self._total = total
            case {"outcome": "passed"}:
                self.passed += 1
            case {"outcome": "failed", "test": test}:
                self.failed += 1
                say(f"{self.name}: FAILED {test}")
            case {"outcome": "skipped", "reason": reason}:
                self.skipped += 1
                self.reasons[str(reason)] += 1

    def progress(self) -> str:
        """How far it is, for one line."""
        if self._total is None:
            return f"{self.name}: looking for tests"
        rest = f"{self.failed} failed, {self.skipped} skipped"
        return f"{self.name}: {self.passed:,} of {self._total:,} passed, {rest}"


def say(words: str) -> None:
    """Print a line at once, also to a pipe."""
    print(words, flush=True)


def run(groups: dict[str, list[str]], folder: Path) -> list[Lane]:
    """Run all groups side by side to their end, whatever becomes of each.

    All at once, though there may be fewer processors: half of the time of two groups is waiting.
    """
    running, ended = list[Lane](), list[Lane]()
    report_at = time.monotonic()
    try:
        for name, arguments in groups.items():
            running.append(Lane(name, arguments, folder))
            say(f"{name}: started")
        while running:
            time.sleep(0.2)
            for lane in [one for one in running if one.has_ended()]:
                running.remove(lane)
                ended.append(lane)
                say(f"{lane.progress()}, ended after {lane.seconds:.0f} s")
            if time.monotonic() - report_at >= PROGRESS_SECONDS:
                report_at = time.monotonic()
                for lane in running:
                    say(lane.progress())
    except KeyboardInterrupt:  # which the terminal sent to pytest, too
        for lane in running:
            lane.process.wait()
        raise
    except BaseException:
        for lane in running:
            lane.process.send_signal(signal.SIGINT)
        for lane in running:
            lane.process.wait()
        raise
    return ended


def _on_sigterm(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def main(arguments: list[str]) -> int:
    """The exit code: 0 where no test failed."""
    groups = {name: shlex.split(words) for name, _, words in (one.partition("=") for one in arguments)}
    signal.signal(signal.SIGTERM, _on_sigterm)
    with TemporaryDirectory(prefix="aggregator-tests-") as folder:
        try:
            lanes = run(groups, Path(folder))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT
        for lane in lanes:
            if lane.failed:
                say(f"\n--- the output of {lane.name} ---")
                say(lane.log.read_text(encoding="utf-8", errors="replace"))
    reasons: Counter[str] = Counter()
    say(f"\n{'group':14}{'passed':>8}{'failed':>8}{'skipped':>9}{'time':>8}")
    for lane in lanes:
        minutes, seconds = divmod(round(lane.seconds), 60)
        say(f"{lane.name:14}{lane.passed:8}{lane.failed:8}{lane.skipped:9}{minutes:5}:{seconds:02}")
        reasons += lane.reasons
    for reason, number in reasons.most_common():
        say(f"skipped {number}: {reason}")
    passed, failed = sum(lane.passed for lane in lanes), sum(lane.failed for lane in lanes)
    skipped = sum(lane.skipped for lane in lanes)
    say(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
