"""Plants the faults of tests/data/planted_faults.yaml, one at a time, and says which no test catches.

    make mutants                                  all of them, in about ten minutes
    python -m tests.support.planted_faults WORD   those with this in their names

Each names the test files that are to catch it. A snippet that is not there once ends the script in an error;
so do tests that fail without a fault.
"""

import argparse
import ast
import shutil
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.conftest import REPOSITORY
from tests.support.programs import run_program

FAULTS = REPOSITORY / "tests" / "data" / "planted_faults.yaml"
AT_ONCE = 2  # processes of pytest


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A snippet, and what is written in its place."""

    name: str
    file: str
    before: str
    after: str
    # That has the snippet; None: the snippet is outside of functions
    function: str | None = None
    tests: tuple[str, ...] = ("tests/integration/grouping/test_story_decisions.py",)

    def planted(self) -> str:
        """Return the file with the fault. Raise SystemExit if the snippet is not there once."""
        text = (REPOSITORY / self.file).read_text(encoding="utf-8")
        nodes = [
            node
            for node in ast.walk(ast.parse(text))
            if getattr(node, "name", "") == self.function
        ]
        parts = (
            [ast.get_source_segment(text, node) or "" for node in nodes]
            if self.function
            else [text]
        )
        if len(parts) != 1 or parts[0].count(self.before) != 1:
            raise SystemExit(
                f"{self.name}: not once in {self.function or self.file}: {self.before}"
            )
        changed = text.replace(parts[0], parts[0].replace(self.before, self.after))
        ast.parse(changed)
        return changed


def _passes(tests: Iterable[str], fault: Fault | None = None) -> bool:
    """Return whether the tests pass on SQLite, in a copy of the project with the fault."""
    leave_out = shutil.ignore_patterns(".*", "__pycache__")
    with TemporaryDirectory() as folder:
        copy = shutil.copytree(REPOSITORY, Path(folder, "copy"), ignore=leave_out)
        if fault is not None:
            (copy / fault.file).write_text(fault.planted(), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            "0",
            "-x",
            "-k",
            "not postgres",
            *tests,
        ]
        done = run_program(command, cwd=copy)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    return done.returncode == 0


def _survives(fault: Fault) -> bool:
    survives = _passes(fault.tests, fault)
    print("SURVIVES" if survives else "caught  ", fault.name, flush=True)
    return survives


def main() -> None:
    """Plant the faults; exit with 1 if one survives."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("word", nargs="?", default="")
    word = parser.parse_args().word
    listed = msgspec.yaml.decode(FAULTS.read_bytes(), type=tuple[Fault, ...])
    faults = [fault for fault in listed if word in fault.name]
    for fault in listed:
        fault.planted()
    if not faults:
        parser.error(f"no fault has {word!r} in its name")
    if not _passes(sorted({path for fault in faults for path in fault.tests})):
        raise SystemExit("the tests fail without a fault")
    with ThreadPoolExecutor(AT_ONCE) as workers:
        alive = sum(workers.map(_survives, faults))
    print(f"{alive} of {len(faults)} survive")
    raise SystemExit(alive > 0)


if __name__ == "__main__":
    main()
