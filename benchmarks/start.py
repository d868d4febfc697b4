"""How quickly it starts and how little it needs: the command line, and the daemon on an empty database.

python -m benchmarks.start
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(sys.executable).with_name("aggregator")


def command_seconds(*arguments: str) -> float:
    """The best of five, whole process."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([PROGRAM, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def tree_mib(process: int) -> tuple[float, float]:
    """Resident memory of the process and of all its children."""
    own = _rss_mib(process)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return own, own + sum(_rss_mib(int(child)) for child in children.stdout.split())


def _rss_mib(process: int) -> float:
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def daemon() -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        config.write_text("database: a.db\nserver: {port: 0}\nsources: []\n")
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        for run in ("empty database", "second start"):
            started = time.perf_counter()
            process = subprocess.Popen(
                [PROGRAM, "run", "--config", str(config)], stderr=subprocess.PIPE, text=True, env=environment
            )
            assert process.stderr is not None
            for line in process.stderr:
                if "listening" in line:
                    break
            listening = time.perf_counter() - started
            time.sleep(2)
            own, tree = tree_mib(process.pid)
            stopping = time.perf_counter()
            process.send_signal(signal.SIGTERM)
            process.wait()
            print(
                f"daemon, {run}: listening after {listening:.2f} s, {own:.0f} MiB ({tree:.0f} with workers), "
                f"stopped after {time.perf_counter() - stopping:.2f} s"
            )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for arguments in (("--help",), ("stories",), ("doctor",)):
            print(f"aggregator {' '.join(arguments):10} {command_seconds(*arguments):.2f} s")
        daemon()


if __name__ == "__main__":
    main()
