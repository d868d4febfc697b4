"""The Postgres driver is an extra: without it SQLite works, and Postgres is refused in words."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import run_program

_WITHOUT_DRIVER = (
    "import sys; sys.modules['psycopg'] = None; from aggregator.cli.application import main; "
    "sys.argv = ['aggregator', *sys.argv[1:]]; main()"
)


def typed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run_program([sys.executable, "-c", _WITHOUT_DRIVER, *words], cwd=folder)


@pytest.mark.later
def test_sqlite_needs_no_postgres_driver(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("work: {executor: inline}\n")
    (tmp_path / "a.txt").write_text(
        "Mayor opens bridge\n\n" + "The bridge is open again. " * 30
    )
    for words in (["ingest", "a.txt"], ["stories"]):
        ended = typed(tmp_path, *words)
        assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), (
            words,
            ended.stderr,
        )


@pytest.mark.later
def test_postgres_without_its_driver_is_refused_with_what_to_type(
    tmp_path: Path,
) -> None:
    ended = typed(
        tmp_path, "--database", "postgresql://postgres@127.0.0.1/none", "stories"
    )
    assert ended.returncode != 0
    assert "pip install 'psycopg[binary]" in ended.stderr
    assert "Traceback" not in ended.stderr
