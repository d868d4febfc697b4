"""What asking costs: feeds that all answer 304, each every 15 minutes, as a share of one core.

python -m benchmarks.polling [--feeds 10000] [--minutes 15] [--seconds 60] [--plain]
python -m benchmarks.polling --plain --minutes 1 --hosts 1000 --delay 1      # how many a daemon can poll

The daemon's own rounds run for so many seconds on a database with so many feeds, at the pace that the
interval asks for. Every feed is on a host of its own unless --hosts says otherwise, so each request is a new
connection, and over TLS unless --plain: both are the costly case. With --delay a host takes so many seconds
to answer; the gap between requests to one host and all limits are the usual ones. The server is another
process on loopback and is not counted;
names are resolved and dialled by stand-ins, for nothing may leave this machine. Counted is all CPU time of
this process: scheduling, requests, TLS, and the writing of the rows.
"""

import argparse
import datetime as dt
import multiprocessing
import ssl
import subprocess
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import httpcore

from aggregator.config.tuning import Tuning
from aggregator.daemon.poll_scheduler import TICK_SECONDS, PollScheduler
from aggregator.daemon.process_memory import process_tree
from aggregator.pipeline.poll import Poller, PollServices
from aggregator.pipeline.workers.executor import InlineExecutor
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import Source, add, all_sources, source_id
from aggregator.store.migrate import upgrade
from benchmarks.throughput import own_database
from tests.support.loopback import LoopbackServer, Request, Response

SETTLED_SECONDS = 20  # at the end: threads are added by and by
_PUBLIC = "93.184.216.34"  # where all names lead; never dialled
_ETAG = '"as before"'


def serve(pipe: Connection, certificate: str | None, delay: float) -> None:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    def answer(_request: Request) -> Response:
        time.sleep(delay)
        return Response(304, {"ETag": _ETAG})

    with LoopbackServer({"*": answer}, tls=context) as server:
        pipe.send(server.port)
        pipe.recv()
        pipe.send(len(server.requests))


def make_certificate(folder: Path) -> tuple[str, str]:
    """Key and certificate in one file, and the certificate alone."""
    both, public = folder / "both.pem", folder / "public.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "2", "-keyout", str(both), "-out", str(public), "-subj", "/CN=feeds.example",
         "-addext", "subjectAltName=DNS:*.feeds.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    both.write_text(both.read_text() + public.read_text())
    return str(both), str(public)


def fill(database: Database, feeds: int, hosts: int, interval: float, scheme: str) -> None:
    """Sources that have been asked before, due one after the other over the interval."""
    now = dt.datetime.now(dt.UTC)
    with database.write() as connection:
        for number in range(feeds):
            address = f"{scheme}://h{number % hosts}.feeds.example/{number // hosts}.xml"
            add(
                connection,
                Source(
                    id=source_id("feed", None, address),
                    kind="feed",
                    address=address,
                    interval_seconds=int(interval),
                    adaptive_interval_seconds=interval,
                    etag=_ETAG,
                    first_poll_done=True,
                    health="ok",
                    per_day=1000.0,
                    per_day_at=now,
                    last_new_at=now,
                    next_due_at=now + dt.timedelta(seconds=interval * number / feeds),
                ),
            )


def poll(pipe: Connection, url: str, server: tuple[int, str | None], seconds: float) -> None:
    """A daemon's rounds; sends the seconds that they took, its CPU, its threads and its memory.

    `server`: its port and certificate.
    """
    port, ca_file = server
    database = Database(url)
    all_tuning = Tuning()
    client = Client(
        ClientSettings(ca_file=ca_file),
        all_tuning,
        resolve=lambda _name, _port, _seconds: [_PUBLIC],
        dial=lambda _address, _port, seconds: httpcore.SyncBackend().connect_tcp("127.0.0.1", port, seconds),
    )
    clock = partial(dt.datetime.now, dt.UTC)
    services = PollServices(database, client, InlineExecutor(), all_tuning, clock)
    poller = Poller(services, robots=False, pages="never")
    rounds = PollScheduler(poller, threads=8, arrived=lambda: None)
    rounds.take_up(clock())
    before, most = process_tree(), 0
    wall, cpu = time.perf_counter(), time.process_time()
    while (left := seconds - (time.perf_counter() - wall)) > 0:
        rounds.tick()
        most = max(most, process_tree().threads)
        time.sleep(min(TICK_SECONDS, left))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    grown = process_tree().own_bytes - before.own_bytes
    rounds.stop()
    client.close()
    database.close()
    pipe.send((wall, cpu, most, before.threads, grown))


def run(arguments: argparse.Namespace, folder: Path) -> None:
    certificates = (None, None) if arguments.plain else make_certificate(folder)
    processes = multiprocessing.get_context("spawn")
    ours, theirs = multiprocessing.Pipe()
    server = processes.Process(target=serve, args=(theirs, certificates[0], arguments.delay))
    server.start()
    port = ours.recv()
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'polling.db'}"
        if arguments.database:
            url = stack.enter_context(own_database(arguments.database))
        database = Database(url)
        upgrade(database)
        hosts = arguments.hosts or arguments.feeds
        scheme = "http" if arguments.plain else "https"
        fill(database, arguments.feeds, hosts, arguments.minutes * 60.0, scheme)
        mine, daemons = multiprocessing.Pipe()
        given = (daemons, url, (port, certificates[1]), arguments.seconds)
        processes.Process(target=poll, args=given).start()
        wall, cpu, most, before, grown = mine.recv()
        now = dt.datetime.now(dt.UTC)
        settled = now - dt.timedelta(seconds=SETTLED_SECONDS)
        with database.read() as connection:
            rows = all_sources(connection)
        database.close()
    ours.send("stop")
    requests = ours.recv()
    server.join()
    at_last = sum((row.last_polled_at or settled) > settled for row in rows)
    behind = max(0.0, (now - min(row.next_due_at for row in rows)).total_seconds())
    polled = sum(row.last_polled_at is not None for row in rows)
    print(
        f"{polled} polls of {arguments.feeds} feeds ({requests} requests, all 304) in {wall:.0f} s: "
        f"{cpu / max(polled, 1) * 1000:.1f} ms of CPU a poll, {cpu / wall:.1%} of one core; "
        f"the longest waiting is {behind:.1f} s late"
    )
    print(f"{polled / wall:.1f} polls a second, at last {at_last / SETTLED_SECONDS:.1f}")
    print(f"at most {most} threads, {before} before; {grown / 1e6:+.0f} MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hosts", type=int, default=0, help="that share the feeds; 0: one for each")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a host takes to answer")
    parser.add_argument("--database", help="a PostgreSQL server, on which a database is made")
    parser.add_argument("--plain", action="store_true", help="http in place of https")
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()
