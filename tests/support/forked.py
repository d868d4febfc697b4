"""Runs of the program as processes of their own that need not import everything first.

Nine tenths of the time that a command takes is Python reading libraries. A process that has read them all
forks for each command: the command has its own folder, environment, streams, exit code and end, as if a shell
had started it. Only what starting itself does is not seen; tests of that type the program's own name.
"""

import array
import atexit
import gc
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple, NoReturn

_PATIENCE_SECONDS = 120.0  # for a machine that is busy with other things
_READ_AT_FIRST_USE = (
    "alembic.command", "datasketch", "feedparser", "httpx", "lxml.html", "numpy", "rich.table",
    "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "trafilatura", "uvicorn", "zstandard",
)  # fmt: skip


class Ended(NamedTuple):
    """The exit code of a command, and what it wrote."""

    code: int
    out: bytes
    err: bytes


class Process:
    """A command that was started; used as one of `subprocess.Popen`."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told  # where its exit code comes from

    def poll(self) -> int | None:
        """The exit code, None while it runs."""
        return self._exit_code(0.0)

    def wait(self, timeout: float = _PATIENCE_SECONDS) -> int:
        """The exit code; raises TimeoutExpired."""
        code = self._exit_code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Nothing where it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _exit_code(self, seconds: float) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            said = os.read(self._told, 10)
            os.close(self._told)
            assert said, "the process that forks has ended"
            self.returncode = int(said)
        return self.returncode


def run(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    stdin: bytes = b"",
    *,
    seconds: float = _PATIENCE_SECONDS,
    tuning: Mapping[str, Any] | None = None,
) -> Ended:
    """One command to its end. After so long, or interrupted, it is killed."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        streams = (given.fileno(), out.fileno(), err.fileno())
        process = start(arguments, folder, environment, streams, tuning=tuning)
        try:
            code = process.wait(seconds)
        except BaseException:
            process.kill()
            raise
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read(), err.read())


def start(
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    streams: tuple[int, int, int],
    *,
    tuning: Mapping[str, Any] | None = None,
) -> Process:
    """Start a command on open files. `tuning`: constants, by section, in place of the shipped ones."""
    os.umask(umask := os.umask(0))
    asked = {
        "arguments": list(arguments),
        "folder": str(folder),
        "environment": dict(environment),
    }
    sent = json.dumps(asked | {"umask": umask, "tuning": tuning or {}}).encode()
    told, telling = os.pipe()
    rights = (
        socket.SOL_SOCKET,
        socket.SCM_RIGHTS,
        array.array("i", (*streams, telling)),
    )
    connection = _parent().connection
    connection.sendmsg([f"{len(sent):10d}".encode()], [rights])
    connection.sendall(sent)
    os.close(telling)
    return Process(int(connection.recv(10)), told)


class _Parent(NamedTuple):
    process: subprocess.Popen[bytes]
    connection: socket.socket  # which the process ends with


@cache
def _parent() -> _Parent:
    ours, theirs = socket.socketpair()
    ours.settimeout(_PATIENCE_SECONDS)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # first: it ends the process
    return _Parent(process, ours)


# --- in the process that forks -----------------------------------------------------------------------------


def _serve(connection: socket.socket) -> None:
    """Returns in each child, ready to be the program; the parent ends when nobody asks any more."""
    # By what tells that it has ended: process id, who waits for it
    running: dict[int, tuple[int, int]] = {}
    while True:
        for ready in select.select([connection.fileno(), *running], [], [])[0]:
            if ready in running:
                process, told = running.pop(ready)
                code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
                with suppress(BrokenPipeError):
                    os.write(told, b"%d" % code)
                os.close(told)
                os.close(ready)
                continue
            length, files, _, _ = socket.recv_fds(connection, 10, 4)
            if not length:
                sys.exit()
            asked = b""
            while len(asked) < int(length):
                asked += connection.recv(int(length) - len(asked))
            child = os.fork()
            if child == 0:
                _become(json.loads(asked), files[:3])
                return
            for file in files[:3]:
                os.close(file)
            connection.sendall(b"%10d" % child)
            running[os.pidfd_open(child)] = (child, files[3])


def _become(asked: dict[str, Any], streams: list[int]) -> None:
    """Take the streams, the folder, the environment, the constants and the arguments of a command."""
    from aggregator.config import tuning

    for name, values in asked["tuning"].items():
        tuning._SHIPPED.content[name].update(values)
    os.umask(asked["umask"])
    for place, file in enumerate(streams):
        os.dup2(file, place)
    os.closerange(
        3, max(int(file.name) for file in Path("/proc/self/fd").iterdir()) + 1
    )
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = [str(Path(sys.executable).with_name("aggregator")), *asked["arguments"]]


def _main() -> NoReturn:
    import py3langid

    import aggregator
    from aggregator.cli.application import main

    for module in pkgutil.walk_packages(aggregator.__path__, "aggregator."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in _READ_AT_FIRST_USE:
        import_module(name)
    py3langid.classify("its model is read at the first call")
    # So that no child touches, and thereby copies, what is the same for all
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = (
            ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        )
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]  # what ends an interpreter, but for taking it apart
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
