"""Files that commands write."""

from pathlib import Path

import pytest

from aggregator.cli.output import write_atomically
from aggregator.model.errors import UsageError


@pytest.mark.parametrize("name", ["x" * 254, "file/below"])
def test_an_impossible_path_is_an_error_in_words(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        write_atomically(tmp_path / name, b"x")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", [".", "..", "/", ""])
def test_a_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write_atomically(Path(name), b"x")
    assert list(tmp_path.iterdir()) == []
