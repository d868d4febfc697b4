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
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import NamedTuple, NoReturn

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


def run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], stdin: bytes = b"") -> Ended:
    """One command to its end."""
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin)
        given.seek(0)
        start(arguments, folder, environment, (given.fileno(), out.fileno(), err.fileno()))
        code = end()
        out.seek(0)
        err.seek(0)
        return Ended(code, out.read(), err.read())


def start(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], streams: tuple[int, int, int]
) -> None:
    """Start a command on open files; `end` has to come before the next one."""
    asked = {"arguments": list(arguments), "folder": str(folder), "environment": dict(environment)}
    sent = json.dumps(asked).encode()
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))
    connection = _parent().connection
    connection.sendmsg([f"{len(sent):10d}".encode()], [rights])
    connection.sendall(sent)


def end() -> int:
    """Wait for the command that was started; its exit code. After too long, or interrupted, it is killed."""
    parent = _parent()
    try:
        answer = parent.connection.recv(10)
    except BaseException:
        os.killpg(parent.process.pid, signal.SIGKILL)
        _parent.cache_clear()
        raise
    assert answer, "the process that forks has ended"
    return int(answer)


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
    return _Parent(process, ours)


# --- in the process that forks -----------------------------------------------------------------------------


def _serve(connection: socket.socket) -> None:
    """Returns in each child, ready to be the program; the parent ends when nobody asks any more."""
    while True:
        length, files, _, _ = socket.recv_fds(connection, 10, 3)
        if not length:
            sys.exit()
        asked = b""
        while len(asked) < int(length):
            asked += connection.recv(int(length) - len(asked))
        child = os.fork()
        if child == 0:
            break
        for file in files:
            os.close(file)
        connection.sendall(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):10d}".encode())
    connection.close()
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    reported = json.loads(asked)
    os.chdir(reported["folder"])
    os.environ.clear()
    os.environ.update(reported["environment"])
    sys.argv = [str(Path(sys.executable).with_name("aggregator")), *reported["arguments"]]


def _main() -> NoReturn:
    import py3langid

    import aggregator
    from aggregator.cli.app import main

    for module in pkgutil.walk_packages(aggregator.__path__, "aggregator."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in _READ_AT_FIRST_USE:
        import_module(name)
    py3langid.classify("its model is read at the first call")
    gc.freeze()  # so that no child touches, and thereby copies, what is the same for all
    _serve(socket.socket(fileno=int(sys.argv[1])))
    code = 1
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]  # what ends an interpreter, but for taking it apart
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _main()
