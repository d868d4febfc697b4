"""The program as a wheel installs it: without a checkout, in a folder of the user's own."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.support.daemon_process import PROGRAM
from tests.support.programs import run_program
from tests.support.story_checks import TRIPWIRE

pytestmark = pytest.mark.later

SAMPLES = len(list((REPOSITORY / "examples" / "articles").rglob("*.txt")))


@pytest.fixture(scope="module")
def site_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the wheel, as `pip install` unpacks them."""
    built, place = (
        tmp_path_factory.mktemp("built"),
        tmp_path_factory.mktemp("installed") / "site-packages",
    )
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(built),
    ]
    subprocess.run(build, cwd=REPOSITORY, capture_output=True, check=True)
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(place)
    return place


class Installed:
    """Commands of the installed program, in a folder of the user's own."""

    def __init__(self, place: Path, folder: Path) -> None:
        self.place, self.folder = place, folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AGGREGATOR_")
        }
        self._environment = kept | {"PYTHONPATH": str(self.place)}

    def type(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run([*PROGRAM, *arguments])

    def where(self) -> str:
        return self._run(
            [sys.executable, "-c", "import aggregator; print(aggregator.__file__)"]
        ).stdout

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return run_program(words, cwd=self.folder, env=self._environment)


@pytest.fixture
def installed(site_packages: Path, tmp_path: Path) -> Installed:
    made = Installed(site_packages, tmp_path)
    assert made.where().startswith(str(made.place))
    return made


def test_the_wheel_has_one_package_that_is_typed_and_carries_what_it_needs(
    site_packages: Path,
) -> None:
    names = {path.name for path in site_packages.iterdir()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"aggregator"}
    assert len(names) == 2
    package = site_packages / "aggregator"
    assert (package / "py.typed").exists()
    shipped = {path.name for path in (package / "_shipped").iterdir()}
    assert shipped == {"migrations", "config.yaml", "examples", "systemd"}


def test_a_database_is_made_and_labelled_articles_are_measured(
    installed: Installed,
) -> None:
    made = installed.type("db", "upgrade", "--database", "sqlite:///made.db")
    assert made.returncode == 0, made.stderr
    assert (installed.folder / "made.db").stat().st_size > 0
    lines = TRIPWIRE.read_text(encoding="utf-8").splitlines(keepends=True)[:6]
    (installed.folder / "labelled.jsonl").write_text("".join(lines), encoding="utf-8")
    measured = installed.type("eval", "labelled.jsonl", "--format", "json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["labelled"]["articles"] == 6


def test_samples_are_read_beside_other_files(installed: Installed) -> None:
    (installed.folder / "mine.txt").write_text(
        "Mayor opens bridge\n\n" + "The bridge is open again. " * 30
    )
    said = installed.type("ingest", "mine.txt", "--samples", "--format", "json")
    assert said.returncode == 0, said.stderr
    summary = json.loads(said.stdout)
    assert (summary["read"], summary["new"], summary["rejected"]) == (
        SAMPLES + 1,
        SAMPLES + 1,
        [],
    )
    listed = installed.type(
        "stories", "--min-reports", "2", "--format", "jsonl"
    ).stdout.splitlines()
    assert len(listed) > 5


def test_ingest_of_nothing_names_the_samples(installed: Installed) -> None:
    said = installed.type("ingest")
    assert said.returncode == 2
    assert "aggregator ingest --samples" in said.stderr
    assert list(installed.folder.iterdir()) == [], "nothing is made"
