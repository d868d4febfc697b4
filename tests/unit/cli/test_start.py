"""What a command that only reads must not load: a start is paid each time it is typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from aggregator.store.engine.database import Database

TYPED = """
import sys
from aggregator.cli.application import main
sys.argv = ["aggregator", "stories", "--format", "json", "--database", sys.argv[1]]
try:
    main()
except SystemExit:
    print(*sys.modules, file=sys.stderr)
"""
LIBRARIES = {
    "alembic", "apscheduler", "fastapi", "feedparser", "httpx", "jinja2", "lxml", "numpy", "psycopg",
    "py3langid", "rich", "starlette", "trafilatura", "uvicorn",
}  # fmt: skip
# They compile large patterns, or are of those that write.
MODULES = {
    *(
        f"aggregator.{name}"
        for name in ("admin", "daemon", "grouping", "intake", "sources")
    ),
    *(
        "aggregator.stories.name_forms",
        "aggregator.stories.story_names",
        "aggregator.stories.rendering",
    ),
    *(
        f"aggregator.text.{name}"
        for name in ("lines", "names", "scripts", "vocabulary")
    ),
    *(
        f"aggregator.extract.{name}"
        for name in (
            "entry_identity",
            "language",
            "learned_boilerplate",
            "urls",
        )
    ),
    *(
        "aggregator.store.intake.source_rows",
        "aggregator.store.search.index",
        "aggregator.store.search.match",
    ),
    *(
        "aggregator.store.read.health.health_probes",
        "aggregator.store.read.source_list",
    ),
}


@pytest.mark.later
def test_stories_loads_nothing_that_writes_parses_or_serves(
    tmp_path: Path, sqlite: Database
) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", TYPED, sqlite.url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(ended.stderr.split())
    assert "aggregator.store.read.reader" in loaded
    assert not (LIBRARIES | MODULES) & loaded
