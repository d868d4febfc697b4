"""`make test` shows how far it is, and ends with a summary of all groups of tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.waiting import PATIENCE_SECONDS

GOOD = "def test_one():\n    pass\n\ndef test_two():\n    pass\n"
SKIPPED = "import pytest\n\ndef test_it():\n    pytest.skip('no such thing here')\n"
BAD = "def test_wrong():\n    assert 1 + 1 == 3\n"
UNREADABLE = "import nowhere_at_all\n"
# A test that takes the whole process with it.
ENDING = "import os\n\ndef test_end():\n    os._exit(0)\n"
WAITING = f"""
import time
from pathlib import Path

def test_that_waits():
    deadline = time.monotonic() + {PATIENCE_SECONDS}
    while not Path(__file__).with_name("go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
"""


def started(folder: Path, *texts: str) -> subprocess.Popen[str]:
    """The runner with a group for each text, named g0, g1 and so on."""
    groups = []
    for number, text in enumerate(texts):
        file = folder / f"test_g{number}.py"
        file.write_text(text, encoding="utf-8")
        groups.append(f"g{number}=-p no:cacheprovider --rootdir '{folder}' '{file}'")
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.run_lanes", *groups],
        cwd=REPOSITORY,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # loading Schemathesis takes a second
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines_of(runner: subprocess.Popen[str]) -> list[str]:
    return runner.communicate(timeout=PATIENCE_SECONDS * 4)[0].splitlines()


def row(lines: list[str], name: str) -> list[str]:
    """What the table at the end says of a group: passed, failed, skipped."""
    (found,) = (line for line in lines if line.startswith(f"{name} "))
    return found.split()[1:4]


def test_a_group_that_fails_stops_no_other(tmp_path: Path) -> None:
    runner = started(tmp_path, BAD, GOOD, SKIPPED, GOOD)
    lines = lines_of(runner)
    assert runner.returncode == 1
    assert lines[-1] == "4 passed, 1 failed, 1 skipped"
    rows = [row(lines, name) for name in ("g0", "g1", "g2", "g3")]
    assert rows == [["0", "1", "0"], ["2", "0", "0"], ["0", "0", "1"], ["2", "0", "0"]]
    assert any("assert (1 + 1) == 3" in line for line in lines), "the output of the group that failed"
    assert "skipped 1: no such thing here" in lines


def test_all_is_well_where_nothing_failed(tmp_path: Path) -> None:
    runner = started(tmp_path, GOOD, SKIPPED)
    assert lines_of(runner)[-1] == "2 passed, 0 failed, 1 skipped"
    assert runner.returncode == 0


def test_a_failed_test_is_named_while_others_run(tmp_path: Path) -> None:
    runner = started(tmp_path, BAD, WAITING)
    assert runner.stdout is not None
    before = []
    for line in runner.stdout:
        before.append(line)
        if "test_wrong" in line:
            break
    assert before[-1].startswith("g0: FAILED ")
    (tmp_path / "go").touch()
    assert lines_of(runner)[-1] == "1 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("text", [ENDING, UNREADABLE, "# no tests\n"], ids=["ends", "unreadable", "empty"])
def test_a_group_that_ends_without_a_result_has_failed(text: str, tmp_path: Path) -> None:
    runner = started(tmp_path, text, GOOD)
    assert lines_of(runner)[-1] == "2 passed, 1 failed, 0 skipped"
    assert runner.returncode == 1
