"""`aggregator install-service` as a person types it."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from tests.support import forked

UNIT = "aggregator.service"


def typed(folder: Path, *arguments: str) -> forked.Ended:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AGGREGATOR_", "XDG_"))
    }
    return forked.run(
        ["install-service", *arguments], folder, kept | {"HOME": str(folder)}, b""
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_bytes(
        forked.run(["config", "default"], tmp_path, dict(os.environ)).out
    )
    return tmp_path


def test_it_is_printed_and_nothing_is_written(folder: Path) -> None:
    before = sorted(folder.iterdir())
    ended = typed(folder, "--print", "--user")
    assert ended.code == 0, ended.err
    assert f"--config {folder / 'config.yaml'} " in ended.out.decode()
    assert sorted(folder.iterdir()) == before


def test_a_unit_of_ones_own_lines_is_not_overwritten_unasked(folder: Path) -> None:
    ended = typed(folder, "--user", "--to", "units")
    assert ended.code == 0, ended.err
    file = folder / "units" / UNIT
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    written = file.read_text()
    assert f"wrote {file}" in ended.err.decode()
    assert "is up to date" in typed(folder, "--user", "--to", "units").err.decode()

    file.write_text(written.replace("WatchdogSec=60", "WatchdogSec=90"))
    refused = typed(folder, "--user", "--to", "units")
    assert refused.code == 2
    assert "add --yes" in refused.err.decode()
    assert "-WatchdogSec=90" in refused.out.decode()
    assert "+WatchdogSec=60" in refused.out.decode()
    assert "WatchdogSec=90" in file.read_text()
    assert typed(folder, "--user", "--to", "units", "--yes").code == 0
    assert file.read_text() == written


def test_what_cannot_be_is_said(folder: Path) -> None:
    bad = folder / "bad.yaml"
    bad.write_text("server: {prot: 1}\n")
    ended = typed(folder, "--to", "units", "--config", "bad.yaml")
    assert ended.code == 2
    assert "bad.yaml:1: server.prot" in ended.err.decode()
    ended = typed(folder, "--to", "units", "--config", "gone.yaml")
    assert "gone.yaml: No such file" in ended.err.decode()
    ended = typed(folder, "--to", "units", "--config", "config.yaml")
    assert "the service cannot run yet: the config" in ended.err.decode(), (
        "a folder below /tmp is not seen"
    )
    assert not (folder / "units" / ".aggregator.service.new").exists()
    ended = typed(folder / "units", "--user", "--to", "units")
    assert ended.code == 2
    assert "config default" in ended.err.decode(), "how to make a configuration"


@pytest.mark.skipif(
    Path("/run/systemd/system").is_dir(),
    reason="systemd runs here: it would be installed",
)
def test_without_systemd_it_refuses(folder: Path) -> None:
    ended = typed(folder, "--user")
    assert ended.code == 2
    assert "systemd does not run here" in ended.err.decode()
    assert "--print" in ended.err.decode()
    shutil.rmtree(folder)
