"""Watching a folder: what changed since the last look."""

import os
from pathlib import Path

import pytest

from aggregator.model.errors import ReadError
from aggregator.sources.parse.streams.folder_scan import (
    FileStamp,
    FolderChanges,
    list_files,
    scan,
)

START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000


def write(path: Path, text: str, at_ns: int = START_NS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_ns, at_ns))


def look(
    folder: Path, known: dict[str, FileStamp] | None = None, after_seconds: float = 60
) -> FolderChanges:
    return scan(folder, known or {}, now_ns=START_NS + int(after_seconds * SECOND_NS))


def test_a_replaced_file_is_detected_though_it_looks_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.txt", "text")
    first = look(tmp_path)
    write(tmp_path / "other", "word")
    (tmp_path / "other").replace(tmp_path / "a.txt")
    assert look(tmp_path, first.stamps).changed == ("a.txt",)


def test_files_come_in_the_order_of_their_folders(tmp_path: Path) -> None:
    for name in ("a/z.txt", "a b/y.txt", "a-b.txt", "a.txt", "a/a/x.txt"):
        write(tmp_path / name, "text")
    assert look(tmp_path).changed == (
        "a/a/x.txt",
        "a/z.txt",
        "a b/y.txt",
        "a-b.txt",
        "a.txt",
    )


def test_a_known_file_being_rewritten_is_neither_gone_nor_changed(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.txt", "text")
    first = look(tmp_path)
    write(tmp_path / "a.txt", "longer text", START_NS + 10 * SECOND_NS)
    second = look(tmp_path, first.stamps, after_seconds=10.2)
    assert (second.changed, second.gone) == ((), ())
    assert second.stamps == first.stamps


def test_a_clock_that_was_wrong_does_not_hide_a_file(tmp_path: Path) -> None:
    write(tmp_path / "future.txt", "text", START_NS + 10**6 * SECOND_NS)
    assert look(tmp_path).changed == ("future.txt",)


def test_a_missing_folder_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such folder"):
        look(tmp_path / "unmounted")


def test_a_folder_whose_name_cannot_be_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match="no such folder"):
        list(list_files(tmp_path / ("x" * 5_000)))
