"""The program as a wheel installs it: without a checkout, in a folder of the user's own."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.daemon_process import PROGRAM

pytestmark = pytest.mark.later

SAMPLES = len(list((REPOSITORY / "examples" / "articles").rglob("*.txt")))


class Installed:
    """The files of the wheel in a folder of their own, and commands of that program in another folder."""

    def __init__(self, folder: Path) -> None:
        self.place, self.folder = folder / "site-packages", folder / "work"
        self.folder.mkdir()
        shutil.copytree(REPOSITORY / "aggregator", self.place / "aggregator")  # as compiled, to start soon
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
        included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
        for source, target in included.items():
            copy = shutil.copytree if (REPOSITORY / source).is_dir() else shutil.copy
            (self.place / target).parent.mkdir(parents=True, exist_ok=True)
            copy(REPOSITORY / source, self.place / target)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATOR_")}
        self._environment = kept | {"PYTHONPATH": str(self.place)}

    def type(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run([*PROGRAM, *arguments])

    def where(self) -> str:
        return self._run([sys.executable, "-c", "import aggregator; print(aggregator.__file__)"]).stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    made = Installed(tmp_path)
    assert made.where().startswith(str(made.place))
    return made


def test_samples_are_read_beside_other_files(installed: Installed) -> None:
    (installed.folder / "mine.txt").write_text("Mayor opens bridge\n\n" + "The bridge is open again. " * 30)
    said = installed.type("ingest", "mine.txt", "--samples", "--format", "json")
    assert said.returncode == 0, said.stderr
    summary = json.loads(said.stdout)
    assert (summary["read"], summary["new"], summary["rejected"]) == (SAMPLES + 1, SAMPLES + 1, [])
    listed = installed.type("stories", "--min-reports", "2", "--format", "jsonl").stdout.splitlines()
    assert len(listed) > 5


def test_ingest_of_nothing_names_the_samples(installed: Installed) -> None:
    said = installed.type("ingest")
    assert said.returncode == 2
    assert "aggregator ingest --samples" in said.stderr
    assert list(installed.folder.iterdir()) == [], "nothing is made"
