"""What `ingest` reads: files, folders, archives, standard input."""

import gzip
import json
import os
from pathlib import Path

import pytest
import zstandard

from aggregator.model.errors import UsageError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputFeed,
    InputProblem,
)
from tests.support.read_paths import TUNING, entries_of, read_path
from tests.support.warc import PAGE, answer, warc_record

STORY = (
    "Lock gate mended\n\nThe lock gate holds again, the harbour office said on Friday."
)


def only_entry(what: Path | str, **more: object) -> InputEntry:
    (one,) = read_path(what, **more)
    assert isinstance(one, InputEntry), one
    return one


def only_problem(what: Path | str, **more: object) -> InputProblem:
    (one,) = read_path(what, **more)
    assert isinstance(one, InputProblem), one
    return one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    below = tmp_path / "inbox"
    (below / "Harbour Post").mkdir(parents=True)
    (below / "Harbour Post" / "a.txt").write_text(STORY)
    (below / "b.txt").write_text(STORY)
    return below


def test_saved_texts_are_named_by_folder_and_path(folder: Path) -> None:
    entries = entries_of(read_path(folder))
    assert [(one.source, one.guid, one.outlet) for one in entries] == [
        ("inbox", "Harbour Post/a.txt", "Harbour Post"),
        ("inbox", "b.txt", None),
    ]
    assert all(
        one.is_saved_text and one.text == STORY and one.published is None
        for one in entries
    )


def test_a_file_alone_is_known_to_its_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = entries_of(read_path(folder))
    in_folder = next(one for one in entries if one.guid == "b.txt")
    assert only_entry(folder / "b.txt").entry == in_folder
    monkeypatch.chdir(folder)
    assert (
        only_entry("b.txt").entry
        == only_entry(Path("Harbour Post/../b.txt")).entry
        == in_folder
    )


def test_a_folder_given_as_a_dot_has_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert [
        one.entry.source for one in read_path(".") if isinstance(one, InputEntry)
    ] == [
        "inbox",
        "inbox",
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lambda data: data])
@pytest.mark.parametrize("ending", [".gz", ".zst", ""])
def test_compression_is_seen_by_content_and_is_not_part_of_the_name(
    tmp_path: Path, pack: object, ending: str
) -> None:
    path = tmp_path / f"x.txt{ending}"
    path.write_bytes(pack(STORY.encode()))  # type: ignore[operator]
    assert (only_entry(path).entry.guid, only_entry(path).entry.text) == (
        "x.txt",
        STORY,
    )


@pytest.mark.parametrize("name", ["f.xml", "f.rss", "f.atom", "f.xml.gz", "f"])
def test_a_feed_is_left_to_a_worker(tmp_path: Path, name: str) -> None:
    data = b"<?xml version='1.0'?><rss><channel/></rss>"
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    (one,) = read_path(tmp_path / name)
    assert (one.data, one.source) == (data, name.removesuffix(".gz"))


@pytest.mark.parametrize(
    ("name", "data", "verdict"),
    [
        ("b.txt", b"\x89PNG\r\n\x1a\n" + bytes(500), "binary"),
        ("b.html", b"%PDF-1.4 " + bytes(500), "binary"),
        ("l.txt", b"a" * (TUNING.max_article_bytes + 1), "too_long"),
        ("l.txt.gz", gzip.compress(b"a" * (TUNING.max_article_bytes + 1)), "too_long"),
    ],
)
def test_a_bad_file_gives_one_clear_problem(
    tmp_path: Path, name: str, data: bytes, verdict: str
) -> None:
    (tmp_path / name).write_bytes(data)
    problem = only_problem(tmp_path / name)
    assert (problem.verdict, problem.where) == (verdict, str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.txt.gz", gzip.compress(STORY.encode())[:-9]),
        ("t.txt.zst", zstandard.compress(STORY.encode())[:20]),
    ],
)
def test_a_cut_archive_is_damaged(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert "cut short" in only_problem(tmp_path / name).reason, (
        "half an article is another article"
    )


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_feed_is_a_feed(tmp_path: Path, indent: int | None) -> None:
    feed = {"version": "https://jsonfeed.org/version/1", "title": "F", "items": []}
    (tmp_path / "f.json").write_text(json.dumps(feed, indent=indent))
    assert isinstance(read_path(tmp_path / "f.json")[0], InputFeed)


def test_hidden_temporary_and_foreign_files_are_passed_over(
    folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "secret.txt"
    outside.write_text("not yours")
    for name in (
        ".hidden.txt",
        "x.txt~",
        ".x.txt.swp",
        "y.txt.part",
        "photo.jpg",
        "#z.txt#",
    ):
        (folder / name).write_text(STORY)
    (folder / "link.txt").symlink_to(outside)
    (folder / "circle").symlink_to(folder)
    (folder / "nowhere.txt").symlink_to(tmp_path / "gone.txt")
    os.mkfifo(folder / "pipe.txt")
    assert [one.where for one in read_path(folder)] == [
        f"{folder}/Harbour Post/a.txt",
        f"{folder}/b.txt",
    ]


def test_a_name_that_is_no_utf8_is_still_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.txt"
    try:
        Path(os.fsdecode(path)).write_text(STORY)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert only_entry(tmp_path).entry.guid.encode() == "caf\ufffd.txt".encode()


def test_what_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        read_path(tmp_path / "nothing.txt")


# --- web archives ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["crawl.warc", "crawl.warc.gz"])
def test_a_warc_gives_its_pages(tmp_path: Path, name: str) -> None:
    chunks = b"5\r\n<html\r\n20\r\n" + PAGE[5:] + b"\r\n0\r\n\r\n"
    in_chunks = answer(chunks, "Transfer-Encoding: chunked\r\n")
    packed = answer(gzip.compress(PAGE), "Content-Encoding: gzip\r\n")
    records = [
        warc_record("warcinfo", b"software: none"),
        warc_record("request", b"GET / HTTP/1.1\r\n\r\n"),
        warc_record("response", answer(PAGE)),
        warc_record("response", answer(PAGE, status="404 Not Found")),
        warc_record("response", answer(b"{}", kind="application/json")),
        warc_record("response", packed, "https://news.example.org/b"),
        warc_record("response", in_chunks, "https://news.example.org/c"),
    ]
    pack = gzip.compress if name.endswith("gz") else bytes
    (tmp_path / name).write_bytes(b"".join(pack(record) for record in records))
    results = entries_of(read_path(tmp_path / name))
    assert [one.url for one in results] == [
        f"https://news.example.org/{letter}" for letter in "abc"
    ]
    assert {one.html for one in results} == {PAGE.decode("latin-1")}
    assert all(
        one.is_page and one.source == "crawl.warc" and one.published is None
        for one in results
    )


def test_a_warc_page_that_is_too_long_is_passed_over(tmp_path: Path) -> None:
    bomb = answer(
        gzip.compress(bytes(TUNING.max_article_bytes + 5)), "Content-Encoding: gzip\r\n"
    )
    (tmp_path / "c.warc").write_bytes(
        warc_record("response", bomb) + warc_record("response", answer(PAGE))
    )
    first, second = read_path(tmp_path / "c.warc")
    assert first.verdict == "too_long"
    assert isinstance(second, InputEntry)
