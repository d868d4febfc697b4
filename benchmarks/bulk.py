"""What a page of a web archive costs the process that places, and its workers; and an import of many texts.

    python -m benchmarks.bulk [--data ../shared/data] [--pages 400] [--database postgresql://...]
    python -m benchmarks.bulk --texts 10000 [--only-bulk]

The pages of `pages` and `pages-world` in turn, with the title and the sentences of the articles of
benchmarks/corpus.py in their paragraphs, as two archives: one of a gzip member a record, which workers read,
and one of a single member, which the process that places reads. An `ingest` of each with one worker into a
database of its own: CPU of both sides, without the start of the program, its workers and rendering.

Texts: so many articles of the stream of benchmarks/corpus.py, dealt out to eight JSONL files by outlet.
`ingest --bulk` reads these; a plain `ingest` reads the whole stream from one file, in order. Both render all
stories of several articles. Printed are CPU and time, and the share of pairs of articles that both join.
"""

import argparse
import gzip
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lxml import html

from aggregator.store.engine.database import Database
from benchmarks.corpus import Made, Stream
from benchmarks.shards import articles_in_stories, pairs
from benchmarks.throughput import INGEST, own_database


def page_of(shell: bytes, made: Made) -> bytes:
    """The page with the title and the sentences of the article in its paragraphs."""
    tree: Any = html.document_fromstring(shell, parser=html.HTMLParser(encoding="utf-8"))
    lines = iter(made.text.split("\n"))
    paragraphs = [one for one in tree.iter("p") if len(one.text_content()) > 60]
    for one in paragraphs:
        one.clear(keep_tail=True)
        one.text = next(lines, None)
    for one in paragraphs[-1:]:
        one.text = "\n".join([one.text or "", *lines])
    for one in tree.iter("title", "h1"):
        one.text = made.title
    return bytes(html.tostring(tree, encoding="utf-8"))


def records(data: Path, count: int) -> Iterator[bytes]:
    stream = Stream(data, count)
    shells = [
        gzip.decompress(path.read_bytes())
        for folder in ("pages", "pages-world")
        for path in sorted((data / folder / "html").glob("*.html.gz"))
    ]
    for n in range(1, count + 1):
        made = stream.article(n)
        page = page_of(shells[n % len(shells)], made)
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {made.entry().url}\r\n"
            f"WARC-Date: {made.time:%Y-%m-%dT%H:%M:%SZ}\r\nContent-Length: {len(block)}\r\n\r\n"
        )
        yield head.encode() + block + b"\r\n\r\n"


def cost(archive: Path, server: str | None) -> tuple[float, float]:
    """CPU seconds of the process that places, and of its workers."""
    with ExitStack() as made:
        folder = made.enter_context(tempfile.TemporaryDirectory())
        url = f"sqlite:///{folder}/bench.db" if server is None else made.enter_context(own_database(server))
        config = Path(folder) / "config.yaml"
        config.write_text("work: {executor: processes, workers: 1}\n", encoding="utf-8")
        command = [sys.executable, "-c", INGEST, "--config", str(config), "--database", url, "ingest"]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        run = subprocess.run(
            [*command, str(archive)], capture_output=True, text=True, cwd=folder, env=environment, check=False
        )
    if run.returncode not in (0, 3):
        raise SystemExit(run.stderr)
    rendering, here, workers = map(float, run.stderr.split()[-3:])
    return here - rendering, workers


def of_texts(data: Path, count: int, server: str | None, *, only_bulk: bool) -> None:
    """Print what both ways cost, and compare their stories."""
    stream, found = Stream(data, count), []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.jsonl"
        parts = [Path(folder) / f"part{number}.jsonl" for number in range(8)]
        with ExitStack() as opened:
            every, *each = (
                opened.enter_context(path.open("w", encoding="utf-8")) for path in (whole, *parts)
            )
            for number in range(1, count + 1):
                made = stream.article(number)
                line = made.line() + "\n"
                every.write(line)
                each[hashlib.blake2b(made.outlet.encode()).digest()[0] % len(each)].write(line)
        for typed in (
            (["--bulk", *map(str, parts)],) if only_bulk else (["--bulk", *map(str, parts)], [str(whole)])
        ):
            with ExitStack() as opened:
                kept = opened.enter_context(tempfile.TemporaryDirectory())
                url = (
                    f"sqlite:///{kept}/b.db" if server is None else opened.enter_context(own_database(server))
                )
                before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
                command = [sys.executable, "-m", "aggregator", "--database", url, "ingest", *typed]
                subprocess.run(command, check=True, capture_output=True)
                after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
                database = Database(url)
                found.append(pairs(articles_in_stories(database)))
                database.close()
            spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            way = "--bulk" if "--bulk" in typed else "plain"
            print(
                f"{way}: {count} texts in {seconds:,.0f} s, {spent:,.0f} s of CPU: "
                f"{3600 * count / spent:,.0f} a core-hour, {3600 * count / seconds:,.0f} an hour; "
                f"{len(found[-1])} pairs, {len(found[0] & found[-1]) / len(found[-1]):.2%} as --bulk",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=0)
    parser.add_argument("--only-bulk", action="store_true")
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("AGGREGATOR_DATA", "../shared/data"))
    )
    parser.add_argument("--pages", type=int, default=400)
    parser.add_argument("--database", help="of a Postgres server, on which own databases are made")
    given = parser.parse_args()
    if given.texts:
        of_texts(given.data, given.texts, given.database, only_bulk=given.only_bulk)
        return
    with tempfile.TemporaryDirectory() as folder:
        few, whole, members = (Path(folder) / f"{name}.warc.gz" for name in ("few", "whole", "members"))
        with members.open("wb") as one_each, gzip.open(whole, "wb", 6) as one:
            for number, record in enumerate(records(given.data, given.pages)):
                member = gzip.compress(record, 6)
                one_each.write(member)
                one.write(record)
                if number == 0:
                    few.write_bytes(member)
        start = cost(few, given.database)
        for archive in (whole, members):
            here, workers = (
                1e3 * (spent - before) / given.pages
                for spent, before in zip(cost(archive, given.database), start, strict=True)
            )
            reads = "workers read the pages" if archive is members else "the writer reads the pages"
            an_hour = 3.6e6 / (here + workers)
            print(
                f"{reads:27}: {here:5.1f} ms a page in the writer, {workers:5.1f} in workers; "
                f"{an_hour:,.0f} pages a core-hour, {3.6e6 / here:,.0f} at most with any number of workers"
            )


if __name__ == "__main__":
    main()
