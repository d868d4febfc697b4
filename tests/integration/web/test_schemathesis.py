"""Schemathesis reads the description of the API and asks a real server all it can think of: nothing found.

Its own program runs, with all its checks, as anybody would run it. AGGREGATOR_SEED is its seed.
"""

import sys
from pathlib import Path

import pytest

from tests.support.newsroom import Newsroom
from tests.support.programs import run_program
from tests.support.seeds import SEED


def _run(
    room: Newsroom, folder: Path, *options: str, secret: str | None = None
) -> None:
    given = ["--header", f"Authorization: Bearer {secret}"] if secret else []
    # No server has the addresses that it makes up: 422 with the reason, as for a document without feeds.
    # The other statuses are those that Schemathesis accepts by itself.
    (folder / "schemathesis.toml").write_text(
        "".join(
            f'[[operations]]\ninclude-path = "/api/v1/sources{path}"\n[operations.checks]\n'
            'positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, 429, "5xx"]\n'
            for path in ("", "/opml")
        )
        # A made-up cursor is of no list, which is 400
        + '[[operations]]\ninclude-path = "/api/v1/stories"\nparameters = { "query.after" = "" }\n'
    )
    done = run_program([
            Path(sys.executable).parent / "schemathesis",
            "--config-file", folder / "schemathesis.toml", "run",
            f"{str(room.client.base_url).rstrip('/')}/api/v1/openapi.json",
            "--seed", str(SEED), "--no-color", *given, *options,
        ], cwd=folder, timeout=1800)  # fmt: skip
    assert done.returncode == 0, (
        f"AGGREGATOR_SEED={SEED}\n{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
    )
    assert "27 selected" in done.stdout
    assert room.read_json("/healthz")["writable"], (
        "it still works; what was pushed waits, as nobody places it"
    )


def test_the_description_holds(room: Newsroom, tmp_path: Path) -> None:
    secret = room.token("tester", "admin")
    _run(room, tmp_path, "--phases=examples,fuzzing", "--max-examples=3", secret=secret)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_the_description_holds_whatever_is_asked(
    room: Newsroom, tmp_path: Path
) -> None:
    _run(room, tmp_path, "--max-examples=200", secret=room.token("tester", "admin"))


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_the_description_holds_for_those_without_a_token(
    room: Newsroom, tmp_path: Path
) -> None:
    _run(room, tmp_path, "--max-examples=50")
