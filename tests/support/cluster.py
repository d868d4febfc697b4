"""A real Dask cluster for tests: a scheduler and workers, each a process of its own, on loopback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.support.loopback import free_port


class Cluster:
    """Started with the first worker; what is still alive is ended by `end`."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        """With a `certificate` (and its key), which is its own authority, all speak TLS."""
        self._folder = folder
        self._port = free_port()
        self._tls = [] if certificate is None else [
            f"--tls-{name}={certificate}" for name in ("ca-file", "cert", "key")
        ]  # fmt: skip
        self.executor = (
            f"{'dask+tls' if certificate else 'dask'}://127.0.0.1:{self._port}"
        )
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """At the same address, if it is started again."""
        return self._started(
            "dask_scheduler",
            "--host",
            self._address("127.0.0.1"),
            "--port",
            str(self._port),
        )

    def start_worker(self, package: Path = REPOSITORY) -> subprocess.Popen[bytes]:
        """A worker of one thread; `package`: the folder from which it takes the program."""
        scheduler = self._address(f"127.0.0.1:{self._port}")
        return self._started(
            "dask_worker", scheduler, "--nthreads", "1", "--no-nanny", package=package
        )

    def start_stranger(self) -> subprocess.Popen[bytes]:
        """A worker with another program than ours: one line of a stage is another."""
        other = self._folder / "other"
        leave = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "aggregator", other / "aggregator", ignore=leave)
        with (other / "aggregator" / "intake/jobs.py").open("a") as stages:
            stages.write("\nANOTHER = True\n")
        return self.start_worker(other)

    def _address(self, at: str) -> str:
        return f"{'tls' if self._tls else 'tcp'}://{at}"

    def end(self) -> None:
        """Kill all of it."""
        for process in self._processes:
            process.kill()
            process.wait()

    def _started(
        self, program: str, *arguments: str, package: Path = REPOSITORY
    ) -> subprocess.Popen[bytes]:
        options = ["--no-dashboard", *self._tls, *arguments]
        command = [sys.executable, "-m", f"distributed.cli.{program}", *options]
        environment = os.environ | {
            "PYTHONPATH": str(package),
            "DASK_TEMPORARY_DIRECTORY": str(self._folder),
            "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "false",
        }
        log = (self._folder / "cluster.log").open("ab")
        process = subprocess.Popen(
            command, cwd=self._folder, env=environment, stdout=log, stderr=log
        )
        log.close()
        self._processes.append(process)
        return process


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    """The processes that this one started and that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == process.pid and state != "Z":
            found.append(int(stat.parent.name))
    return found
