"""Archives as they come: cut, damaged, in odd encodings, of any length; a bad part harms no other."""

import gzip
import io
import json
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from aggregator.model.errors import ReadError, UsageError
from aggregator.sources.parse.files.input_items import (
    InputEntry,
    InputItem,
    ReadOptions,
)
from aggregator.sources.parse.files.open_source import (
    identify_below,
    open_source,
    read_file,
)
from aggregator.sources.parse.records.jsonl import values
from aggregator.sources.parse.streams import remote_files
from aggregator.sources.parse.streams.file_stream import Progress, decompress_stream
from aggregator.sources.parse.streams.remote_files import is_remote
from tests.support.loopback import LoopbackServer, Ranged, Request, Response
from tests.support.read_paths import TUNING, entries_of, problems_of, read_path
from tests.support.tables import each_row, numbered
from tests.support.warc import PAGE, answer, warc_record

Pack = Callable[[bytes], bytes]
PACKERS = {"gz": gzip.compress, "zst": zstandard.compress}


def titles(results: list[InputItem]) -> list[str]:
    return [entry.title for entry in entries_of(results)]


def record(number: int, padding: str = "") -> bytes:
    values = {
        "id": str(number),
        "outlet": "Post",
        "title": f"Item {number}",
        "text": padding,
    }
    return json.dumps(values).encode()


def noise(rng: Random, length: int) -> str:
    return "".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=length))


# --- packed files ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", PACKERS)
def test_members_follow_each_other(tmp_path: Path, kind: str) -> None:
    packed = b"".join(PACKERS[kind](record(number) + b"\n") for number in range(50))
    (tmp_path / f"a.jsonl.{kind}").write_bytes(packed)
    assert titles(read_path(tmp_path / f"a.jsonl.{kind}")) == numbered("Item %n", 50)


@pytest.mark.parametrize("kind", PACKERS)
def test_of_a_cut_file_all_is_taken_that_can_be_read(tmp_path: Path, kind: str) -> None:
    rng = Random(1)
    lines = [record(number, noise(rng, 2000)) for number in range(400)]
    packed = PACKERS[kind](b"\n".join(lines))
    cut = packed[: len(packed) * 3 // 4]
    unpacked = (
        zstandard.ZstdDecompressor().decompressobj().decompress(cut)
        if kind == "zst"
        else b""
    )
    (tmp_path / f"a.jsonl.{kind}").write_bytes(cut)
    results = read_path(tmp_path / f"a.jsonl.{kind}")
    whole = unpacked.count(b"\n") if unpacked else 280
    assert len(titles(results)) >= whole > 200
    assert titles(results) == numbered("Item %n", len(titles(results)))
    assert "cut short" in problems_of(results)[-1].reason
    assert len(problems_of(results)) <= 2, "the line in which it ends, and the file"


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("byte", [0, 0.5], ids=["in its beginning", "in its middle"])
def test_all_before_a_damaged_member_is_taken(
    tmp_path: Path, kind: str, byte: float
) -> None:
    rng = Random(2)
    members = [
        bytearray(PACKERS[kind](record(number, noise(rng, 500)) + b"\n"))
        for number in range(30)
    ]
    damaged = members[10]
    start = int(len(damaged) * byte)
    damaged[start:] = b"\xff" * (len(damaged) - start)
    (tmp_path / f"a.jsonl.{kind}").write_bytes(b"".join(members))
    results = read_path(tmp_path / f"a.jsonl.{kind}")
    assert titles(results)[:10] == numbered("Item %n", 10)
    assert set(titles(results)) <= {f"Item {number}" for number in range(11)}
    assert "damaged" in problems_of(results)[-1].reason


def test_other_bytes_behind_the_last_member_are_reported(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(record(1)) + b"\r\n-- end\n")
    results = read_path(tmp_path / "a.jsonl.gz")
    assert titles(results) == ["Item 1"]
    assert ["damaged" in one.reason for one in problems_of(results)] == [True]


def test_padding_behind_the_last_member_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(record(1)) + bytes(512))
    assert titles(read_path(tmp_path / "a.jsonl.gz")) == ["Item 1"]
    assert not problems_of(read_path(tmp_path / "a.jsonl.gz"))


@pytest.mark.slow
@given(st.data())
@settings(max_examples=150)
def test_any_damage_ends_and_is_reported(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(PACKERS)))
    plain = b"".join(record(number) + b"\n" for number in range(20))
    packed = bytearray(PACKERS[kind](plain[:600]) + PACKERS[kind](plain[600:]))
    for _ in range(data.draw(st.integers(0, 3))):
        packed[data.draw(st.integers(4, len(packed) - 1))] = data.draw(
            st.integers(0, 255)
        )
    packed = packed[: data.draw(st.integers(4, len(packed)))]
    read, damaged = b"", False
    try:
        with decompress_stream(io.BytesIO(bytes(packed)), Progress()) as stream:
            read = stream.read()
    except Exception as error:  # noqa: BLE001 - of our own kind, and nothing else
        assert type(error).__name__ == "ReadError"  # noqa: PT017
        damaged = True
    assert damaged or len(read) <= len(plain)


@pytest.mark.later
@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_is_unpacked_in_small_steps(tmp_path: Path, kind: str) -> None:
    (tmp_path / f"a.jsonl.{kind}").write_bytes(PACKERS[kind](bytes(200_000_000)))
    tracemalloc.start()
    (one,) = read_path(tmp_path / f"a.jsonl.{kind}")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert one.verdict == "too_long"
    assert peak < 100_000_000


# --- JSON in all its ways ----------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["utf-8-sig", "cp1252"])
@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
@pytest.mark.parametrize("shape", ["lines", "list", "indented"])
def test_every_encoding_in_every_shape(
    tmp_path: Path, codec: str, name: str, shape: str
) -> None:
    records = [{"title": f"Café {number} – 5 €"} for number in range(3)]
    if shape == "lines":
        words = "\n".join(json.dumps(one, ensure_ascii=False) for one in records)
    else:
        words = json.dumps(
            records, ensure_ascii=False, indent=1 if shape == "indented" else None
        )
    (tmp_path / name).write_bytes(words.encode(codec))
    assert titles(read_path(tmp_path / name)) == [one["title"] for one in records]


@each_row(
    "archives", "a list that is too long is refused with the way out", "name", "shape"
)
def test_a_list_that_is_too_long_is_refused_with_the_way_out(
    tmp_path: Path, name: str, shape: str
) -> None:
    small = replace(TUNING, max_article_bytes=200_000, max_feed_bytes=300_000)
    many = [{"title": "A", "text": "x" * 100_000}] * 4
    data = (
        json.dumps(many) if shape == "list" else json.dumps({"items": many}, indent=1)
    )
    (tmp_path / name).write_bytes(
        gzip.compress(data.encode()) if name.endswith("gz") else data.encode()
    )
    (refused,) = read_path(tmp_path / name, tuning=small)
    assert refused.verdict == "too_long"
    assert "write each record on a line of its own" in refused.reason


@pytest.mark.later
@pytest.mark.parametrize("element", [b"[]", b"{}", b'{"title":"A"}'])
def test_a_list_of_very_many_elements_is_read_one_at_a_time(
    tmp_path: Path, element: bytes
) -> None:
    """Held are the text and one element: a list of empty lists would take twenty times as much."""
    small = replace(TUNING, max_feed_bytes=100_000)
    many = 90_000 // (len(element) + 1)
    (tmp_path / "a.json").write_bytes(b"[" + b",".join([element] * many) + b"]")
    tracemalloc.start()
    count = sum(1 for _ in open_source(tmp_path / "a.json", ReadOptions(tuning=small)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == many
    assert peak < 1_000_000


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=10,
)


@pytest.mark.later
@given(st.lists(VALUES, max_size=8), st.sampled_from([None, 1]))
@settings(max_examples=200)
def test_the_values_are_the_elements(
    elements: list[object], indent: int | None
) -> None:
    assert [
        one for one, _ in values(json.dumps(elements, indent=indent).encode())
    ] == elements
    one_by_one = "\n".join(json.dumps(one, indent=indent) for one in [{}, *elements])
    assert [one for one, _ in values(one_by_one.encode())] == [{}, *elements]


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_come_to_an_end(data: bytes) -> None:
    with suppress(ReadError):
        assert sum(1 for _ in values(b"[" + data)) <= len(data)


LAST = b'{"id": "1", "title": "Item 1", "text": "Words."}'
LAST_PAGE = warc_record("response", answer(PAGE))
MANY = 4 * 2**20
EMPTY = {  # what comes first, what is repeated, what comes last
    "lines.jsonl": (b"", b"\n", LAST),
    "spaces.jsonl": (b"", b" \t\r\n", LAST),
    "lines.json": (b"", b"\n", LAST),
    "elements.json": (b"[", b",", LAST + b"]"),
    "lines.warc": (LAST_PAGE, b"\n", b""),
    "broken.warc": (b"WARC/1.0\r\nContent-Length: ?\r\n\r\n", b"\n", LAST_PAGE),
}


@pytest.mark.parametrize("name", EMPTY)
def test_millions_of_nothing_are_passed_over_together(
    tmp_path: Path, name: str
) -> None:
    """In few steps, and between them whoever reads may do something else."""
    first, empty, last = EMPTY[name]
    file = tmp_path / f"{name}.gz"
    file.write_bytes(gzip.compress(first + empty * MANY + last))
    reading = ReadOptions(tuning=TUNING, progress=Progress())
    steps = 0

    def count(_frame: object, _event: str, _argument: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        results = list(read_file(file, identify_below(tmp_path, file.name), reading))
    finally:
        sys.setprofile(None)
    assert steps < MANY / 100
    (kept,) = (one for one in results if isinstance(one, InputEntry))
    if not name.endswith(".warc"):
        assert kept.entry.title == "Item 1"
    if empty.endswith(b"\n") and name.endswith(("jsonl", "json")):
        assert kept.where == f"{file}, line {MANY + 1}"


# --- web archives ------------------------------------------------------------------------------------------


def page(letter: str) -> bytes:
    return warc_record("response", answer(PAGE), f"https://news.example.org/{letter}")


def urls(results: list[InputItem]) -> str:
    return "".join(str(entry.url)[-1] for entry in entries_of(results))


BROKEN = {
    "garbage between": b"\x00garbage \xff\r\n" * 30,
    "no length": page("x").replace(b"Content-Length", b"Content-Width"),
    "length of words": page("x").replace(
        b"Content-Length: ", b"Content-Length: about "
    ),
    "too short a length": page("x")
    .replace(b"Content-Length: ", b"Content-Length: 0*")
    .replace(b"0*1", b""),
    "too long a length": page("x").replace(b"Content-Length: ", b"Content-Length: 9"),
    "cut in its headers": page("x")[:60] + b"\r\n",
    "cut in its block": page("x")[:-40],
}


@pytest.mark.parametrize("name", ["c.warc", "c.warc.gz"])
@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_record_harms_no_other(tmp_path: Path, broken: str, name: str) -> None:
    records = [page("a"), page("b"), BROKEN[broken], page("c"), page("d"), page("e")]
    pack: Pack = gzip.compress if name.endswith("gz") else bytes
    (tmp_path / name).write_bytes(b"".join(pack(one) for one in records))
    results = read_path(tmp_path / name)
    assert urls(results) == "abcde"
    assert problems_of(results)
    assert all(
        one.where.rpartition(", ")[2].startswith("record ")
        for one in problems_of(results)
    )
    assert all(one.file == str(tmp_path / name) for one in results)


def test_a_web_archive_is_read_up_to_a_damaged_member(tmp_path: Path) -> None:
    members = [bytearray(gzip.compress(page(letter))) for letter in "abcdef"]
    members[2][40:] = b"\xff" * (len(members[2]) - 40)
    (tmp_path / "c.warc.gz").write_bytes(b"".join(members))
    results = read_path(tmp_path / "c.warc.gz")
    assert urls(results) == "ab"
    assert "damaged" in problems_of(results)[-1].reason


def test_pages_and_texts_without_a_response_are_read(tmp_path: Path) -> None:
    """warcit and browsertrix store pages as `resource`, Common Crawl texts as `conversion` (WET)."""
    text = "Lindmar puts off its vote\nHome\nThe vote on the harbour was put off until January."
    records = [
        warc_record("resource", PAGE, "urn:a", kind="text/html; charset=iso-8859-1"),
        warc_record("resource", PAGE, "urn:b", kind="application/xhtml+xml"),
        warc_record("resource", b"body {}" * 9, "urn:c", kind="text/css"),
        warc_record("resource", b"notes", "urn:d", kind="text/plain"),
        warc_record("conversion", text.encode(), "urn:e", kind="text/plain"),
        warc_record("conversion", b"x" * 20_000_000, "urn:f", kind="image/png"),
    ]
    (tmp_path / "c.warc.wet").write_bytes(b"".join(records))
    (tmp_path / "c.warc").write_bytes(b"".join(records))
    for name in ("c.warc", "c.warc.wet"):
        entries = entries_of(read_path(tmp_path / name))
        assert [one.guid for one in entries] == [
            "urn:uuid:urn:a",
            "urn:uuid:urn:b",
            "urn:uuid:urn:e",
        ]
        assert "Café" in (entries[0].html or "")
        assert (entries[2].text, entries[2].is_page) == (text, False)
        assert not problems_of(read_path(tmp_path / name))


def test_records_without_a_page_are_passed_over(tmp_path: Path) -> None:
    records = [
        warc_record("revisit", answer(b"")),
        warc_record("resource", PAGE),
        warc_record("metadata", b"via: x"),
        warc_record("response", answer(b"%PDF-1.4", kind="application/pdf")),
        warc_record("response", b"not HTTP at all"),
        page("z"),
    ]
    (tmp_path / "c.warc").write_bytes(b"".join(records))
    assert urls(read_path(tmp_path / "c.warc")) == "z"
    assert not problems_of(read_path(tmp_path / "c.warc"))


# --- feeds -------------------------------------------------------------------------------------------------


def test_of_a_cut_feed_what_is_there_is_left_to_a_worker(tmp_path: Path) -> None:
    feed = b"<rss><channel>" + b"<item><title>One</title></item>" * 2000
    (tmp_path / "f.xml.gz").write_bytes(gzip.compress(feed)[:-10])
    first, second = read_path(tmp_path / "f.xml.gz")
    assert first.data == feed[: len(first.data)]
    assert len(first.data) > 1000
    assert "cut short" in second.reason


# --- archives at an address --------------------------------------------------------------------------------


@pytest.fixture
def pages() -> bytes:
    records = (
        warc_record("response", answer(PAGE), f"https://n.example/{n}")
        for n in range(3)
    )
    return b"".join(gzip.compress(one) for one in records)


def test_an_archive_at_an_address_that_cannot_be_read_is_one_problem(
    pages: bytes,
) -> None:
    routes = {
        "/denied.warc": Response(403),
        "/empty.warc": Ranged(b""),
        "/whole.warc": Response(body=pages),
        "/parts.warc": Ranged(pages, most_bytes=100),
    }
    with LoopbackServer(routes) as server:
        reasons = {
            name: [one.reason for one in problems_of(read_path(server.url(name)))]
            for name in ("/none.warc", *routes)
        }
    assert {name: len(words) for name, words in reasons.items()} == dict.fromkeys(
        reasons, 1
    )
    assert reasons["/none.warc"] == [
        "the file cannot be opened (there is no such file)"
    ]
    assert reasons["/empty.warc"] == ["there is nothing at this address"]
    assert "403" in reasons["/denied.warc"][0]
    assert "Range request not supported" in reasons["/whole.warc"][0]
    assert "Requested 0.." in reasons["/parts.warc"][0], "one that ends early is named"
    assert not is_remote("https://[pages.warc"), (
        "an address without a path is none of an archive"
    )
    with pytest.raises(UsageError, match=r"^Protocol not known"):
        read_path("foo://a/b.warc")


def test_a_server_that_sends_another_part_than_it_was_asked_for_is_a_problem(
    pages: bytes,
) -> None:
    """One that ends early is named: a cut between two members of an archive would look like its end."""
    size, member = len(pages), pages.index(b"\x1f\x8b\x08", 1)

    def sent(body: bytes, *, first: int = 0) -> Callable[[Request], Response]:
        headers = {"Content-Range": f"bytes {first}-{size - 1}/{size}"}
        return lambda it: (
            Ranged(pages)(it) if it.method == "HEAD" else Response(206, headers, body)
        )

    wrong = {
        "/other": sent(pages, first=1),
        "/short": sent(pages[:member]),
        "/none": sent(b""),
    }
    with LoopbackServer(
        {f"{path}.warc.gz": route for path, route in wrong.items()}
    ) as server:
        read = {path: read_path(server.url(f"{path}.warc.gz")) for path in wrong}
    assert [
        sum(isinstance(one, InputEntry) for one in items) for items in read.values()
    ] == [0, 1, 0]
    reasons = [[one.reason for one in problems_of(items)] for items in read.values()]
    assert [len(words) for words in reasons] == [1, 1, 1]
    assert all("cannot be read to its end" in one for (one,) in reasons)
    assert "the server sends less than there is" in reasons[-1][0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drips", "hangs"])
def test_a_server_that_sends_too_little_is_given_up(
    pages: bytes, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(remote_files, "_PATIENCE", timedelta(seconds=0.2))

    def slow(request: Request) -> Response:
        if request.method == "HEAD":
            return Ranged(pages)(request)
        headers = {"Content-Range": f"bytes 0-{len(pages) - 1}/{len(pages)}"}
        parts = (pages[n : n + 1] for n in range(len(pages)))
        if kind == "hangs":
            return Response(delay_seconds=30)
        return Response(206, headers, parts, drip_seconds=0.1)

    with LoopbackServer({"/a.warc.gz": slow}) as server:
        (given_up,) = problems_of(read_path(server.url("/a.warc.gz")))
    assert "cannot be read to its end" in given_up.reason


@pytest.mark.parametrize("secret", ["?key=hidden", "//user:hidden@"])
def test_an_address_with_a_secret_is_refused_without_it(
    pages: bytes, secret: str
) -> None:
    with LoopbackServer({"/a.warc.gz": Ranged(pages)}) as server:
        address = server.url("/a.warc.gz")
        typed = (
            address + secret
            if secret.startswith("?")
            else address.replace("//", secret)
        )
        with pytest.raises(UsageError, match="download it") as refused:
            read_path(typed)
        assert server.requests == []
    assert "hidden" not in str(refused.value)
    assert address not in str(refused.value)


def test_an_address_is_one_address(pages: bytes) -> None:
    with LoopbackServer({"/a::b.warc.gz": Ranged(pages)}) as server:
        assert len(read_path(server.url("/a::b.warc.gz"))) == 3
