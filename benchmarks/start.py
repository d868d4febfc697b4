"""What a start costs: commands on a database of the sample articles, the daemon on an empty one, a worker.

    python -m benchmarks.start [--only commands|worker|daemon]

Printed are the CPU seconds of a process with its children, the least of nine runs, and its maximum memory in MB. The
daemon is started twice; printed are also its own memory and that of all its processes (PSS, which counts shared pages
once). `python -m benchmarks day` measures a daemon with articles.
"""

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("aggregator")
SAMPLES = Path(__file__).parents[1] / "examples" / "articles"
RUNS = 9


def cost(name: str, *program: str | Path, is_worker: bool = False) -> None:
    """Run a program without input and print its cost. The input of a worker ends only when the worker is ready."""
    spent, most = [], 0
    for _ in range(RUNS):
        ours, theirs = socket.socketpair()
        running = subprocess.Popen(
            program,
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        theirs.close()
        if is_worker:
            ours.recv(1)
        ours.close()
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        assert running.returncode == 0, (program, running.returncode)
        spent.append(used.ru_utime + used.ru_stime)
        most = max(most, used.ru_maxrss)
    print(f"{name:28} {min(spent):.2f} s of CPU, {most / 1024:.0f} MB", flush=True)


def commands() -> None:
    subprocess.run([PROGRAM, "ingest", SAMPLES], check=True, capture_output=True)
    listed = subprocess.run(
        [PROGRAM, "stories", "--format", "json"], check=True, capture_output=True
    )
    story = json.loads(listed.stdout)["stories"][0]["id"]
    for typed in (
        *(
            "--help",
            "stories",
            f"story {story}",
            "search port",
            "sources list",
            "db stats",
            "feed",
        ),
        *("config check", "doctor"),
    ):
        cost(f"aggregator {typed}", PROGRAM, *typed.split())


def worker() -> None:
    module = "aggregator.intake.workers.worker_main"
    cost(
        "a worker",
        sys.executable,
        "-P",
        "-m",
        module,
        str(os.getpid()),
        "1000000000",
        is_worker=True,
    )


def tree(process: int) -> list[int]:
    """Return the process and all its descendants."""
    of_threads = Path(f"/proc/{process}/task").glob("*/children")
    children = [child for thread in of_threads for child in thread.read_text().split()]
    return [process, *(one for child in children for one in tree(int(child)))]


def _pss_mb(process: int) -> float:
    found = re.search(
        r"Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text()
    )
    return int(found[1]) / 1024 if found else 0.0


def daemon() -> None:
    config = Path("config.yaml")
    config.write_text("database: b.db\nserver: {port: 0}\nsources: []\n")
    for run in ("empty database", "second start"):
        started = time.perf_counter()
        process = subprocess.Popen(
            [PROGRAM, "run", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert process.stderr is not None
        for line in process.stderr:
            if "listening" in line:
                break
        listening = time.perf_counter() - started
        time.sleep(2)
        own, *workers = map(_pss_mb, tree(process.pid))
        process.send_signal(signal.SIGTERM)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        print(
            f"daemon, {run}: listening after {listening:.2f} s, {own:.0f} MB ({own + sum(workers):.0f} with "
            f"{len(workers)} workers), {used.ru_utime + used.ru_stime:.2f} s of CPU until its end"
        )


def main() -> None:
    parts = {"commands": commands, "worker": worker, "daemon": daemon}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=parts)
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, measure in parts.items():
            if only in (None, name):
                measure()


if __name__ == "__main__":
    main()
