"""Jobs that exceed the limits of workers on purpose, for tests."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path


def echo(job: bytes) -> bytes:
    """Return the job."""
    return job


def process_id(_job: bytes) -> bytes:
    """Return the process id of the worker."""
    return str(os.getpid()).encode()


def sleep(job: bytes) -> bytes:
    """Sleep for the number of seconds in `job`, then return it."""
    time.sleep(float(job))
    return job


def spin(_job: bytes) -> bytes:
    """Use the processor forever, like a regular expression can."""
    while True:
        pass


def swell(job: bytes) -> bytes:
    """Allocate the number of bytes in `job`, and return that number."""
    return str(len(bytearray(int(job)))).encode()


_KEPT: list[bytes] = []  # of this worker


def keep(job: bytes) -> bytes:
    """Like `swell`, and never give it back, like a parser that leaks."""
    _KEPT.append(b"x" * int(job))
    return job


def crash(_job: bytes) -> bytes:
    """Read address 0, like a fault in a C library."""
    return ctypes.string_at(0)


def be_killed(job: bytes) -> bytes:
    """End by SIGKILL, like the kernel does without memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    return job


def chatter(job: bytes) -> bytes:
    """Print to both standard streams, through Python and directly, then return the job."""
    sys.stdout.write("noise\n" * 1000)
    sys.stdout.flush()
    os.write(1, b"noise")
    os.write(2, b"noise")
    return job


def fill_disk(_job: bytes) -> bytes:
    """Fail as a library does that writes a temporary file on a full disk."""
    Path("/dev/full").write_bytes(b"model")
    return b""


def fail(job: bytes) -> bytes:
    """Raise ValueError with `job` as text."""
    raise ValueError(job.decode("utf-8", "replace"))


def environment(_job: bytes) -> bytes:
    """Return the sorted names of environment variables, one per line."""
    return "\n".join(sorted(os.environ)).encode()


def modules(_job: bytes) -> bytes:
    """Return the sorted names of loaded modules, one per line."""
    return "\n".join(sorted(sys.modules)).encode()
