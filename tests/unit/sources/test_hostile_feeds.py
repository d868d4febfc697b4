"""Strangers' feeds through the real worker: bombs, floods, torn markup, wrong codecs, absurd dates."""

import json
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from aggregator.config.tuning import Tuning
from aggregator.intake.jobs import FeedJob, parse_feed
from aggregator.intake.workers.executor import Executor
from aggregator.intake.workers.factory import open_executor
from aggregator.model.entry import ParsedFeed
from aggregator.model.errors import FetchError
from aggregator.sources.parse.feeds.entry_builder import FeedContext
from aggregator.sources.parse.feeds.read_feed import read_feed
from aggregator.sources.parse.streams.content_coding import decompress_body
from tests.conftest import REPOSITORY
from tests.support.hostile_feeds import GOOD, TOKENS, all_hostile, floods, rss
from tests.support.loopback import LoopbackServer
from tests.support.read_feeds import SEEN, TUNING, read
from tests.support.tables import each_row, numbered, rows

TITLE = "Ferry back in harbour"


@pytest.fixture(scope="module")
def worker() -> Iterator[Executor]:
    executor = open_executor("processes", 1, Tuning())
    yield executor
    executor.close()


def through(worker: Executor, data: bytes) -> ParsedFeed:
    """What a poll does with the body of an answer: decompress it within the limit, then read it in a worker."""
    body = decompress_body(data, "", cap_bytes=10 * 2**20)
    return parse_feed(
        worker, FeedJob(data=body, source="feed-1", seen=SEEN, tuning=TUNING)
    )


# --- every hostile feed ------------------------------------------------------------------------------------


@pytest.mark.later
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(0.01, marks=pytest.mark.slow),
        pytest.param(1.0, marks=pytest.mark.torture),
    ],
)
def test_what_is_good_in_a_hostile_feed_comes_out_and_nothing_else_happens(
    size: float, worker: Executor, tmp_path: Path
) -> None:
    """Within the deadline of a worker, with nothing read from disk or net, and the next feed read right."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the-secret-of-this-machine", encoding="utf-8")
    lost, leaked, count = [], [], 0
    for _ in all_hostile(size, secret_file=str(secret), canary="http://127.0.0.1:9/"):
        pass  # making them takes more memory than anything else here
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with LoopbackServer({"*": "the-canary-sang"}) as canary:
        for hostile in all_hostile(
            size, secret_file=str(secret), canary=canary.url("/canary")
        ):
            count += 1
            try:
                found = through(worker, hostile.data)
            # The worker was stopped: only where nothing good could be had
            except FetchError as error:
                found = ParsedFeed(problem=str(error))
            # All that a feed said, in one string.
            said = json.dumps(
                [
                    [str(getattr(one, f)) for f in one.__struct_fields__]
                    for one in found.entries
                ]
            )
            if any(word in said for word in ("the-secret", "the-canary", "hahahaha")):
                leaked.append(hostile.name)
            if hostile.has_good and not any(
                one.title == TITLE for one in found.entries
            ):
                lost.append((hostile.name, found.problem))
        assert canary.requests == []
    assert (lost, leaked) == ([], [])
    assert count >= 75
    assert [one.guid for one in through(worker, rss(GOOD).encode()).entries] == ["good"]
    # KiB, of this process
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024


@pytest.mark.later
@pytest.mark.parametrize(
    "name",
    [
        "<!-- in a text",
        "namespaces",
        pytest.param("attributes", marks=pytest.mark.torture),
    ],
)
def test_a_flood_that_took_minutes_is_read_within_the_deadline(
    name: str, worker: Executor
) -> None:
    flood = next(one for one in floods(100_000) if one.name == f"flood of {name}")
    assert through(worker, flood.data).entries[0].title == TITLE


@pytest.mark.torture
@pytest.mark.parametrize("token", TOKENS)
def test_twice_the_flood_takes_no_more_than_thrice_the_time(token: str) -> None:
    """CPU time, the least of three: a quadratic reader needs four times as much."""

    def seconds(repeats: int) -> float:
        flood = next(one for one in floods(repeats) if one.name == f"flood of {token}")
        return min(_cpu_seconds(flood.data) for _ in range(3))

    assert seconds(200_000) <= 3 * seconds(100_000) + 0.05


def test_the_time_of_a_long_name_grows_with_its_length_alone() -> None:
    def seconds(chars: int) -> float:
        feed = rss(f"<item><title>{TITLE}</title><author>{'a' * chars}</author></item>")
        assert read(feed).entries[0].title == TITLE
        return min(_cpu_seconds(feed) for _ in range(3))

    assert seconds(40_000) <= 3 * seconds(20_000) + 0.1


@pytest.mark.slow
def test_a_name_full_of_addresses_takes_hardly_longer_than_another() -> None:
    def seconds(author: str) -> float:
        items = (
            f"<item><title>{TITLE} {n}</title><author>{author}!</author></item>"
            for n in range(9)
        )
        feed = rss("".join(items))
        assert len(read(feed).entries) == 9
        return min(_cpu_seconds(feed) for _ in range(3))

    assert seconds("a@a." * 290) <= 3 * seconds("a" * 1160) + 0.2


def _cpu_seconds(data: bytes) -> float:
    """Of this thread: others of the process, such as servers of earlier tests, take some, too."""
    before = time.thread_time()
    read(data)
    return time.thread_time() - before


def test_entities_and_files_of_a_dtd_are_dropped_however_small() -> None:
    """feedparser alone would keep these: they are what the quadratic bomb is made of."""
    hostname = (
        Path("/etc/hostname").read_text() if Path("/etc/hostname").exists() else ""
    )
    bomb = '<!ENTITY a "swollen "><!ENTITY b "&a;&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/hostname">'
    title = "<item><title>T &a;&a;&a; &b; &x; end</title></item>"
    (entry,) = read(rss(title, f"<!DOCTYPE rss [\n{bomb}\n]>")).entries
    assert "swollen" not in entry.title
    assert not hostname.strip() or hostname.strip() not in entry.title
    assert entry.title.startswith("T ")
    assert entry.title.endswith(" end")


# --- feedparser never gets a string: it would open a path or an address ------------------------------------


def test_only_one_place_calls_feedparser_and_it_hands_over_bytes() -> None:
    calls = []
    for path in sorted((REPOSITORY / "aggregator").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        calls += [
            (path.name, call)
            for call in re.findall(r"\bfeedparser\.parse\([^)]*", text)
        ]
        assert not re.search(r"from feedparser import", text), path
    assert [(name, "".join(call.split())) for name, call in calls] == [
        ("feedparser_feed.py", "feedparser.parse(io.BytesIO(markup"),
    ]


def test_a_string_is_no_feed(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss(GOOD), encoding="utf-8")
    for text in (str(path), f"file://{path}"):
        feed = read_feed(text, FeedContext(source="s", seen=SEEN, tuning=TUNING))  # type: ignore[arg-type]
        assert feed.entries == ()
        assert feed.problem is not None


# --- very many entries ------------------------------------------------------------------------------------


@pytest.mark.later
@each_row(
    "hostile_feeds",
    "of very many entries two thousand are taken and all are counted",
    "entries",
    "kind",
)
def test_of_very_many_entries_two_thousand_are_taken_and_all_are_counted(
    entries: int, kind: str
) -> None:
    whole = {
        "rss": lambda: rss("<item><guid>n</guid></item>" * entries),
        "json": lambda: (
            '{"version":"https://jsonfeed.org/version/1","items":['
            + ",".join(['{"id":1}'] * entries)
            + "]}"
        ),
        "sitemap": lambda: (
            "<urlset>"
            + "<url><loc>https://a.example/</loc></url>" * entries
            + "</urlset>"
        ),
    }[kind]()
    feed = read(whole)
    assert (len(feed.entries), feed.entry_count) == (2_000, entries)


# --- codecs and charsets ------------------------------------------------------------------------------------

CODECS = rows("hostile_feeds", "codecs")


@pytest.mark.parametrize("codec", CODECS)
def test_no_name_of_a_codec_hurts(codec: str) -> None:
    for text, real in (
        ("Ferry back in harbour", "ascii"),
        ("Паром вернулся", "utf-8"),
        ("Überfähre für Grüße", "cp1252"),
    ):
        data = rss(
            f"<item><guid>1</guid><title>{text}</title></item>",
            f'<?xml version="1.0" encoding="{codec}"?>',
        )
        for content_type in (None, f"text/xml; charset={codec}"):
            feed = read(data.encode(real), content_type=content_type)
            assert [one.title for one in feed.entries] == [text], (
                codec,
                content_type,
                feed.problem,
            )


@each_row(
    "hostile_feeds", "every encoding is read as it was meant", "text", "codec", "label"
)
def test_every_encoding_is_read_as_it_was_meant(
    text: str, codec: str, label: str | None
) -> None:
    before = (
        f'<?xml version="1.0" encoding="{label}"?>'
        if label
        else '<?xml version="1.0"?>'
    )
    data = rss(f"<item><title>{text}</title></item>", before).encode(codec)
    assert [one.title for one in read(data).entries] == [text]


@pytest.mark.parametrize(
    "sign", ["\x00", "\x0b", "\ufffe", "&#0;", "&#xD800;", "&nosuch;"]
)
def test_a_sign_that_XML_forbids_does_not_end_a_sitemap(sign: str) -> None:
    """lxml would take what stands before it for the whole."""
    pages = "".join(
        numbered(f"<url><loc>https://a.example/%n</loc><title>P{sign}</title></url>", 3)
    )
    assert read(f"<urlset>{pages}</urlset>").entry_count == 3


# --- responses that are not feeds ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        *(
            (data.encode("latin-1"), words)
            for data, words in rows("hostile_feeds", "things that are no feed")
        ),
        (b"\x89PNG\r\n\x1a\n" + bytes(64), "binary data"),
        (b"PK\x03\x04" + bytes(64), "binary data"),
        (Random(15).randbytes(5000000), "binary data"),
        (bytes(range(256)) * 8, "binary data"),
    ],
)
def test_each_thing_that_is_no_feed_has_its_name(data: bytes, words: str) -> None:
    feed = read(data)
    assert (feed.entries, feed.format) == ((), "")
    assert words in feed.problem


# --- dates --------------------------------------------------------------------------------------------------


@each_row("hostile_feeds", "a date is plausible or unknown", "raw", "time")
def test_a_date_is_plausible_or_unknown(raw: str, time: str | None) -> None:
    for feed in (
        read(rss(f"<item><title>T</title><pubDate>{raw}</pubDate></item>")),
        read(json.dumps({"version": "https://jsonfeed.org/version/1",
                         "items": [{"id": 1, "title": "T", "date_published": raw}]})),
    ):  # fmt: skip
        published = feed.entries[0].published
        assert (published and published.time.strftime("%Y-%m-%d %H:%M")) == time
