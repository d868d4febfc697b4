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
from multiprocessing.connection import Connection
from pathlib import Path

import httpcore

from aggregator.config.tuning import effective_tuning
from aggregator.daemon.poll_scheduler import TICK_SECONDS, PollScheduler
from aggregator.daemon.process_memory import process_tree
from aggregator.pipeline.poll import Poller, PollServices
from aggregator.pipeline.workers.executor import InlineExecutor
from aggregator.sources.fetch.client import Client, ClientSettings
from aggregator.store.engine.database import Database
from aggregator.store.intake.sources import Source, add, all_sources, source_id
from aggregator.store.migrate import upgrade
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


def run(arguments: argparse.Namespace, folder: Path) -> None:
    certificates = (None, None) if arguments.plain else make_certificate(folder)
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(theirs, certificates[0], arguments.delay)
    )
    server.start()
    port = ours.recv()
    database = Database(f"sqlite:///{folder / 'polling.db'}")
    upgrade(database)
    all_tuning = effective_tuning()
    client = Client(
        ClientSettings(ca_file=certificates[1]),
        all_tuning,
        resolve=lambda _name, _port, _seconds: [_PUBLIC],
        dial=lambda _address, _port, seconds: httpcore.SyncBackend().connect_tcp("127.0.0.1", port, seconds),
    )
    hosts = arguments.hosts or arguments.feeds
    fill(database, arguments.feeds, hosts, arguments.minutes * 60.0, "http" if arguments.plain else "https")
    clock = lambda: dt.datetime.now(dt.UTC)  # noqa: E731
    services = PollServices(database, client, InlineExecutor(), all_tuning, clock)
    poller = Poller(services, robots=False, pages="never")
    rounds = PollScheduler(poller, threads=8, arrived=lambda: None)
    rounds.take_up(clock())
    before, most = process_tree(), 0
    wall, cpu = time.perf_counter(), time.process_time()
    while (left := arguments.seconds - (time.perf_counter() - wall)) > 0:
        rounds.tick()
        most = max(most, process_tree().threads)
        time.sleep(min(TICK_SECONDS, left))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    grown = process_tree().own_bytes - before.own_bytes
    rounds.stop()
    settled = clock() - dt.timedelta(seconds=SETTLED_SECONDS)
    with database.read() as connection:
        at_last = sum((one.last_polled_at or settled) > settled for one in all_sources(connection))
        began = min(one.next_due_at for one in all_sources(connection))
        polled = sum(one.last_polled_at is not None for one in all_sources(connection))
    client.close()
    ours.send("stop")
    requests = ours.recv()
    server.join()
    database.close()
    behind = max(0.0, (clock() - began).total_seconds())
    print(
        f"{polled} polls of {arguments.feeds} feeds ({requests} requests, all 304) in {wall:.0f} s: "
        f"{cpu / max(polled, 1) * 1000:.1f} ms of CPU a poll, {cpu / wall:.1%} of one core; "
        f"the longest waiting is {behind:.1f} s late"
    )
    print(
        f"{polled / wall:.1f} polls a second, at last {at_last / SETTLED_SECONDS:.1f}; "
        f"at most {most} threads, {before.threads} before; {grown / 1e6:+.0f} MB resident"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--hosts", type=int, default=0, help="that share the feeds; 0: one for each")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a host takes to answer")
    parser.add_argument("--plain", action="store_true", help="http in place of https")
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args(), Path(folder))


if __name__ == "__main__":
    main()
